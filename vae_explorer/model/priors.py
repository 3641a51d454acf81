"""Distributions of codes before an image is seen: N(0, I), a learnt mixture of Gaussians, and the VampPrior.

The learnt ones are modules that hold the parameters and make a thin `NormalMixture` of them when they are asked.
"""

from __future__ import annotations

import math
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_explorer.data.image_data import ImageRows

HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)

_MOST_NUMBERS = 1 << 24
"""Differences of codes and components held at once where a density is asked: 64 MiB."""
_FIRST_SCALE = 0.5
"""Standard deviation of a learnt mixture's components at the start; that of all of them together is 1."""
_EDGE = 1 / 64
"""How near to 0 or 1 a pixel of a pseudo-image starts: further out its sigmoid has hardly a gradient."""


class Prior(Protocol):
    """p(z)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) in nats, (...,), for z (..., latent_dim)."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws, (n, latent_dim), on the generator's device, without a gradient."""


class StandardNormal:
    """The prior p(z) = N(0, I) of `latent_dim` dimensions."""

    __slots__ = ("latent_dim",)

    def __init__(self, latent_dim: int) -> None:
        self.latent_dim = latent_dim

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) in nats, (...,), for z (..., latent_dim)."""
        return -(0.5 * z.square() + HALF_LOG_2_PI).sum(-1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws, (n, latent_dim)."""
        return torch.randn(n, self.latent_dim, generator=generator, device=generator.device)


class NormalMixture:
    """p(z) = sum_k w_k N(z; loc_k, scale_k²): log_weights (K,), normalised; loc and log_scale (K, latent_dim)."""

    __slots__ = ("loc", "log_scale", "log_weights")

    def __init__(self, log_weights: Tensor, loc: Tensor, log_scale: Tensor) -> None:
        self.log_weights = log_weights
        self.loc = loc
        self.log_scale = log_scale

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) in nats, (...,), for z (..., latent_dim); in parts where codes and components are many."""
        codes = z.reshape(-1, z.shape[-1])
        at_once = max(1, _MOST_NUMBERS // self.loc.numel())
        return torch.cat([self._log_prob(part) for part in codes.split(at_once)]).view(z.shape[:-1])

    def _log_prob(self, codes: Tensor) -> Tensor:
        # Not by matrix products: |z - loc|² as a difference of squares loses the digits of narrow components.
        distances = (codes[:, None] - self.loc).mul(torch.exp(-self.log_scale)).square().sum(-1)  # (N, K)
        constants = self.log_weights - self.log_scale.sum(-1) - HALF_LOG_2_PI * self.loc.shape[-1]
        return torch.logsumexp(constants - 0.5 * distances, dim=-1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws, (n, latent_dim): a component by its weight, then a code of it."""
        loc, scale = self.loc.detach(), self.log_scale.detach().exp()
        weights = self.log_weights.detach().exp()
        component = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, loc.shape[-1], generator=generator, device=loc.device)
        return torch.addcmul(loc[component], scale[component], noise)


class MixturePrior(nn.Module):
    """A mixture of Gaussians with diagonal covariances, every parameter learnt."""

    def __init__(self, *, components: int, latent_dim: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.empty(components, latent_dim))
        self.log_scale = nn.Parameter(torch.empty(components, latent_dim))
        self.logits = nn.Parameter(torch.empty(components))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Start as a cloud of equal components that together have mean 0 and variance 1."""
        self.loc.normal_(std=math.sqrt(1 - _FIRST_SCALE**2), generator=generator)
        self.log_scale.fill_(math.log(_FIRST_SCALE))
        self.logits.zero_()

    def forward(self) -> NormalMixture:
        """Return p(z)."""
        return NormalMixture(torch.log_softmax(self.logits, dim=0), self.loc, self.log_scale)


class VampPrior(nn.Module):
    """The mean of q(z|u_k) over K learnt pseudo-images u_k = sigmoid(logits_k) (Tomczak & Welling 2018, eq. 9)."""

    def __init__(self, *, components: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.empty(components, *shape))

    @torch.no_grad()
    def initialise(
        self, generator: torch.Generator, examples: NDArray[np.uint8] | ImageRows | None, *, max_value: int
    ) -> None:
        """Start from different examples (n, C, H, W) with values 0 to max_value; where they are too few, from noise."""
        self.logits.normal_(generator=generator)
        if examples is not None:
            chosen = torch.randperm(len(examples), generator=generator)[: len(self.logits)].numpy()
            images = torch.from_numpy(examples[chosen]).float() / max_value
            self.logits[: len(chosen)] = torch.logit(images, eps=_EDGE)

    @property
    def images(self) -> Tensor:
        """The pseudo-images, (K, C, H, W), in (0, 1)."""
        return torch.sigmoid(self.logits)

    def forward(self, encoder: nn.Module) -> NormalMixture:
        """Return p(z) under an encoder that gives loc and log_scale, (K, 2 latent_dim)."""
        loc, log_scale = cast(Tensor, encoder(self.images)).chunk(2, dim=-1)
        equal = torch.full((len(loc),), -math.log(len(loc)), dtype=loc.dtype, device=loc.device)
        return NormalMixture(equal, loc, log_scale)
