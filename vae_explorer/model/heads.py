"""Heads: how a decoder's output is read as the parameters of p(x|z), and where the scale of a likelihood lives."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from vae_explorer.config import ModelConfig
from vae_explorer.model.likelihoods import (
    Bernoulli,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Likelihood,
)
from vae_explorer.model.networks import Shape

INITIAL_SCALE = 0.25
"""Where a learnt scale starts: about the standard deviation of grey pixels around their mean image."""

_LOGISTIC_FLOOR = 1 / 32
"""Least learnt scale of a logistic, in steps of the data: there one level has all but 1e-7 of the mass. A probability
cannot run off as a density does; this only keeps its numbers finite."""
_SCALED = ("gaussian", "discretised_logistic")


class BernoulliHead(nn.Module):
    """Reads a decoder's output as logits."""

    def forward(self, raw: Tensor) -> Bernoulli:
        """Return p(x|z) for raw (..., C, H, W)."""
        return Bernoulli(raw)


class ContinuousBernoulliHead(nn.Module):
    """Reads a decoder's output as the natural parameter, the logits of Loaiza-Ganem & Cunningham 2019."""

    def forward(self, raw: Tensor) -> ContinuousBernoulli:
        """Return p(x|z) for raw (..., C, H, W)."""
        return ContinuousBernoulli(raw)


class ScaledHead(nn.Module):
    """Reads a decoder's output as the place of a Gaussian or a discretised logistic, and keeps its scale.

    The place is sigmoid(raw) (Kingma & Welling 2014, section 5), or raw itself where model.output is identity.
    `log_scale` is a scalar, or (C, H, W) where each pixel has its own; a parameter where it is learnt. Learnt scales
    have the floor exp(log_floor), for a Gaussian 1 / max_value: the density of constant pixels would run off without
    one. Where the decoder gives the scale, its output has a second half of channels, and `log_scale` is None.
    """

    log_scale: Tensor | None

    def __init__(self, config: ModelConfig, shape: Shape, *, max_value: int) -> None:
        super().__init__()
        self._is_gaussian = config.likelihood == "gaussian"
        self._is_sigmoid = config.output == "sigmoid"
        self._max_value = max_value
        floor = (1.0 if self._is_gaussian else _LOGISTIC_FLOOR) / max_value
        self.log_floor = math.log(floor)
        if config.variance in ("unit", "fixed"):
            scale = 1.0 if config.variance == "unit" else config.scale
            self.register_buffer("log_scale", torch.tensor(math.log(scale), dtype=torch.float32), persistent=False)
            return
        self._log_first = math.log(max(INITIAL_SCALE, floor))
        if config.variance == "decoder":
            self.log_scale = None
        else:
            size = shape if config.variance == "per_pixel" else ()
            self.log_scale = nn.Parameter(torch.full(size, self._log_first, dtype=torch.float32))

    def forward(self, raw: Tensor) -> Likelihood:
        """Return p(x|z) for raw (..., C, H, W), or (..., 2 C, H, W) where the decoder gives the scale."""
        log_scale = self.log_scale
        if log_scale is None:
            raw, raw_scale = raw.chunk(2, dim=-3)
            # scale = floor + first exp(raw_scale): smooth, so that its gradient never dies at the floor.
            log_scale = self.log_floor + F.softplus(raw_scale + (self._log_first - self.log_floor))
        loc = torch.sigmoid(raw) if self._is_sigmoid else raw
        if self._is_gaussian:
            return Gaussian(loc, log_scale)
        return DiscretisedLogistic(loc, log_scale, max_value=self._max_value)


def build_head(config: ModelConfig, shape: Shape, *, max_value: int) -> nn.Module:
    """Return the head of a decoder of images (C, H, W) with values 0 to max_value."""
    if config.likelihood == "bernoulli":
        return BernoulliHead()
    if config.likelihood == "continuous_bernoulli":
        return ContinuousBernoulliHead()
    return ScaledHead(config, shape, max_value=max_value)


def decoder_channels(config: ModelConfig, shape: Shape) -> int:
    """Return how many channels a decoder gives: twice those of the images where it gives the scale too."""
    return shape[0] * (2 if config.likelihood in _SCALED and config.variance == "decoder" else 1)


def learnt_log_scale(head: nn.Module) -> nn.Parameter | None:
    """Return the learnt log scale of a head, () or (C, H, W), or None."""
    scale = getattr(head, "log_scale", None)
    return scale if isinstance(scale, nn.Parameter) else None


def log_scale_floor(head: nn.Module) -> float:
    """Return the floor of a learnt log scale; minus infinity where there is no scale."""
    return cast(float, getattr(head, "log_floor", -math.inf))
