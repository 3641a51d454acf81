"""Distributions of the code of an image: the diagonal normal, and the point of an autoencoder.

They are thin on purpose: no argument checks and no branches on values, so that a training step never waits for
its device. The tests compare them with torch.distributions.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vae_explorer.model.priors import HALF_LOG_2_PI, Prior, StandardNormal


class Posterior(Protocol):
    """What a model says about the code of each image; `loc` and `scale` are (B, latent_dim)."""

    @property
    def loc(self) -> Tensor:
        """Mean code."""

    @property
    def scale(self) -> Tensor:
        """Standard deviation per dimension; zero for a point."""

    def rsample(self, noise: Tensor) -> Tensor:
        """Return codes, with a gradient, from standard normal noise (..., B, latent_dim)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log q(z|x) in nats, (..., B), for z (..., B, latent_dim)."""

    def kl_per_dim(self, prior: Prior) -> Tensor | None:
        """Return KL[q ‖ prior] of each dimension in nats, (B, latent_dim); None where there is no closed form."""


class DiagonalNormal:
    """q(z|x) = N(loc, scale²), its dimensions independent; `loc` and `log_scale` are (B, latent_dim)."""

    __slots__ = ("loc", "log_scale", "scale")

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc = loc
        self.log_scale = log_scale
        self.scale = log_scale.exp()

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> DiagonalNormal:
        """Split what an encoder returns, (B, 2 latent_dim), into loc and log_scale."""
        loc, log_scale = parameters.chunk(2, dim=-1)
        return cls(loc, log_scale)

    def rsample(self, noise: Tensor) -> Tensor:
        """Return loc + scale * noise (Kingma & Welling 2014, section 2.4)."""
        return torch.addcmul(self.loc, self.scale, noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log q(z|x) in nats, (..., B), for z (..., B, latent_dim)."""
        return -(0.5 * ((z - self.loc) / self.scale).square() + self.log_scale + HALF_LOG_2_PI).sum(-1)

    def kl_per_dim(self, prior: Prior) -> Tensor | None:
        """Return the closed form of Kingma & Welling 2014, appendix B: (B, latent_dim), nats, never negative.

        None for any prior but the standard normal.
        """
        if not isinstance(prior, StandardNormal):
            return None
        return 0.5 * (self.loc.square() + self.scale.square() - 1.0) - self.log_scale


class Point:
    """The code of an autoencoder: all mass at `loc` (B, latent_dim), so no density and no KL."""

    __slots__ = ("loc",)

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc

    @property
    def scale(self) -> Tensor:
        """Zero in every dimension."""
        return torch.zeros_like(self.loc)

    def rsample(self, noise: Tensor) -> Tensor:
        """Return loc, once for each leading dimension of the noise."""
        return self.loc.expand(noise.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        """A point has no density: raises TypeError."""
        raise TypeError("an autoencoder's code is a point, which has no density")

    def kl_per_dim(self, prior: Prior) -> None:
        """Return None: a point has no KL to a density."""
        return
