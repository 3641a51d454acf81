"""Distributions over images p(x|z), every constant included, in nats per image.

Images are (..., C, H, W); `log_prob` sums over the last three dimensions and broadcasts over those before.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from vae_explorer.model.priors import HALF_LOG_2_PI


class Likelihood(Protocol):
    """p(x|z) of a batch of codes."""

    @property
    def is_density(self) -> bool:
        """Whether it is a density of pixels on [0, 1] or the line, not a probability of single values."""

    @property
    def mean(self) -> Tensor:
        """Mean image, (..., C, H, W), in [0, 1] but for Gaussians whose means are free."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x|z), (...,), nats per image."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return a draw of images, (..., C, H, W), without a gradient."""


class Bernoulli:
    """Independent pixels with probability sigmoid(logits); grey x in [0, 1] give minus the cross-entropy.

    For x that are not 0 or 1 this is no density, but the customary bound of grey images read as probabilities.
    """

    __slots__ = ("logits",)
    is_density: ClassVar[bool] = False

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    @property
    def mean(self) -> Tensor:
        """Probability of 1, which is the mean image."""
        return torch.sigmoid(self.logits)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return sum over pixels of x log p + (1 - x) log(1 - p), from the logits, so that it never overflows."""
        logits = self.logits
        if x.shape != logits.shape:
            x = x.expand_as(logits)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
        return -cross_entropy.flatten(-3).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return images of zeros and ones."""
        return torch.bernoulli(self.mean.detach(), generator=generator)


class ContinuousBernoulli:
    """Independent pixels on [0, 1] with density p(x) = exp(logits x) / Z (Loaiza-Ganem & Cunningham 2019).

    Their lambda is sigmoid(logits); Z is the integral of exp(logits x), which makes it the density that the Bernoulli
    is not for grey x.
    """

    __slots__ = ("logits",)
    is_density: ClassVar[bool] = True

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    @property
    def mean(self) -> Tensor:
        """1/2 + (coth h - 1 / h) / 2 with h = logits / 2, which is not sigmoid(logits)."""
        half = 0.5 * self.logits
        is_small = half.abs() < _SERIES_BELOW
        large = torch.where(is_small, 1.0, half)
        squared = half.square()
        series = half * _polynomial(squared, (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875))
        return 0.5 + 0.5 * torch.where(is_small, series, 1.0 / large.tanh() - 1.0 / large)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density: -|logits| times the distance from the mode, 0 or 1, minus the log of the integral.

        So written nothing overflows, and steep pixels at their mode do not lose their digits.
        """
        half = 0.5 * self.logits
        return ((2.0 * x - 1.0 - half.sign()) * half - _log_fall(half)).flatten(-3).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return images by the inverse of the distribution function, that of the falling density mirrored."""
        logits = self.logits.detach()
        rate = logits.abs().clamp_(min=1e-6)  # flatter than this is uniform to the last digit
        uniform = torch.empty_like(logits).uniform_(generator=generator)
        falling = -torch.log1p(uniform * torch.expm1(-rate)) / rate
        return torch.where(logits > 0, 1.0 - falling, falling).clamp_(0.0, 1.0)


class Gaussian:
    """Independent normal pixels around `loc` (..., C, H, W) with standard deviation exp(log_scale).

    log_scale is a scalar, one number a pixel (C, H, W), or as large as loc.
    """

    __slots__ = ("loc", "log_scale")
    is_density: ClassVar[bool] = True

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc = loc
        self.log_scale = log_scale

    @property
    def mean(self) -> Tensor:
        """The mean image."""
        return self.loc

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density with log scale + log(2 pi) / 2 for each pixel included."""
        if self.log_scale.dim() > 0:
            squares = ((x - self.loc) * torch.exp(-self.log_scale)).square()
            return -(0.5 * squares + self.log_scale + HALF_LOG_2_PI).flatten(-3).sum(-1)
        squares = (x - self.loc).square().flatten(-3)  # (..., D)
        constant = (self.log_scale + HALF_LOG_2_PI) * squares.shape[-1]
        return -(squares.sum(-1) * (0.5 * torch.exp(-2.0 * self.log_scale)) + constant)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return images that may lie a little outside [0, 1]."""
        loc = self.loc.detach()
        noise = torch.empty_like(loc).normal_(generator=generator)
        return torch.addcmul(loc, self.log_scale.detach().exp(), noise)


class DiscretisedLogistic:
    """Probabilities of the max_value + 1 levels x = v / max_value: a logistic's mass within half a step of each.

    The first and the last level take the tails, so that the probabilities sum to 1 (Salimans et al. 2017, eq. 2).
    loc (..., C, H, W); log_scale, of the logistic's scale (its standard deviation is pi / sqrt(3) times that), as for
    the Gaussian.
    """

    __slots__ = ("loc", "log_scale", "max_value")
    is_density: ClassVar[bool] = False

    def __init__(self, loc: Tensor, log_scale: Tensor, *, max_value: int) -> None:
        self.loc = loc
        self.log_scale = log_scale
        self.max_value = max_value

    @property
    def mean(self) -> Tensor:
        """Mean over the levels: the sum of P(x >= v / max_value) over v = 1 .. max_value, divided by max_value."""
        rate = torch.exp(-self.log_scale)
        total = torch.zeros_like(self.loc)
        for level in range(1, self.max_value + 1):  # one after another: all at once would take max_value images
            total += torch.sigmoid((self.loc - (level - 0.5) / self.max_value) * rate)
        return total / self.max_value

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log probability of images whose pixels are levels.

        With a < b the standardised edges of a level, sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)):
        a product, whose logarithm is exact however narrow or far out the level is.
        """
        half = 0.5 / self.max_value
        rate = torch.exp(-self.log_scale)
        distance = (x - self.loc) * rate
        is_first, is_last = x < half, x > 1.0 - half
        below_upper = F.logsigmoid(distance + half * rate).masked_fill(is_last, 0.0)
        above_lower = F.logsigmoid(half * rate - distance).masked_fill(is_first, 0.0)
        within = torch.log(-torch.expm1(-2.0 * half * rate)).expand_as(distance).masked_fill(is_first | is_last, 0.0)
        return (below_upper + above_lower + within).flatten(-3).sum(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return images of levels: a draw of the logistic, rounded to the nearest one."""
        loc = self.loc.detach()
        uniform = torch.empty_like(loc).uniform_(generator=generator)
        drawn = torch.addcmul(loc, self.log_scale.detach().exp(), torch.logit(uniform))
        return (drawn * self.max_value).round_().clamp_(0, self.max_value) / self.max_value


_SERIES_BELOW = 0.5
"""Below this the closed forms lose digits, in their gradients first, and the series are exact to 1e-10."""


def _log_fall(half: Tensor) -> Tensor:
    """Return log((1 - exp(-2 a)) / (2 a)), a = |half|: the integral of exp(-2 a x) over [0, 1]; 0 at 0."""
    is_small = half.abs() < _SERIES_BELOW
    # Both branches are computed and differentiated: the one not taken gets a harmless value.
    double = 2.0 * torch.where(is_small, 1.0, half).abs()
    exact = torch.log(-torch.expm1(-double) / double)
    small = torch.where(is_small, half, 0.0)
    squared = small.square()
    # log(sinh a / a) - a
    series = (
        squared * _polynomial(squared, (1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250))
        - small.abs()
    )
    return torch.where(is_small, series, exact)


def _polynomial(value: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Return c_0 + c_1 value + c_2 value² + ... (Horner)."""
    total = torch.full_like(value, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * value + coefficient
    return total
