"""Distributions over images p(x|z): Bernoulli and Gaussian, every constant included, in nats per image.

Images are (..., C, H, W); `log_prob` sums over the last three dimensions and broadcasts over those before.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from vae_explorer.model.latents import HALF_LOG_2_PI


class Likelihood(Protocol):
    """p(x|z) of a batch of codes."""

    @property
    def mean(self) -> Tensor:
        """Mean image, (..., C, H, W), in [0, 1]."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x|z), (...,), nats per image."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return a draw of images, (..., C, H, W), without a gradient."""


class Bernoulli:
    """Independent pixels with probability sigmoid(logits); grey x in [0, 1] give minus the cross-entropy.

    For x that are not 0 or 1 this is no density, but the customary bound of grey images read as probabilities.
    """

    __slots__ = ("logits",)

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


class Gaussian:
    """Independent normal pixels around `loc` (..., C, H, W) with one standard deviation, exp(log_scale), a scalar."""

    __slots__ = ("loc", "log_scale")

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc = loc
        self.log_scale = log_scale

    @property
    def mean(self) -> Tensor:
        """The mean image."""
        return self.loc

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density with D (log scale + log(2 pi) / 2) included."""
        squares = (x - self.loc).square().flatten(-3)  # (..., D)
        constant = (self.log_scale + HALF_LOG_2_PI) * squares.shape[-1]
        return -(squares.sum(-1) * (0.5 * torch.exp(-2.0 * self.log_scale)) + constant)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return images that may lie a little outside [0, 1]."""
        loc = self.loc.detach()
        noise = torch.empty_like(loc).normal_(generator=generator)
        return torch.addcmul(loc, self.log_scale.detach().exp(), noise)
