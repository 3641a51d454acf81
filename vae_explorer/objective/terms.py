"""The terms of an objective: one record of per-image figures, and the one place that reduces them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Terms:
    """Per-image figures of a batch, nats per image.

    distortion: -log p(x|z), (B,). kl_per_dim: KL[q(z|x) ‖ p(z)] of each dimension, (B, latent_dim), or None for an
    autoencoder, which has none.
    """

    distortion: Tensor
    kl_per_dim: Tensor | None

    @property
    def kl(self) -> Tensor | None:
        """KL summed over dimensions, (B,)."""
        return None if self.kl_per_dim is None else self.kl_per_dim.sum(-1)

    @property
    def elbo(self) -> Tensor | None:
        """-(distortion + kl), (B,): the bound, at beta = 1 whatever is minimised."""
        return None if self.kl_per_dim is None else -(self.distortion + self.kl_per_dim.sum(-1))

    def mean(self, beta: Tensor) -> TermMeans:
        """Reduce over the images and weigh the KL: the only place where either happens."""
        distortion = self.distortion.mean()
        if self.kl_per_dim is None:
            return TermMeans(loss=distortion, distortion=distortion, kl_per_dim=None)
        kl_per_dim = self.kl_per_dim.mean(0)
        return TermMeans(
            loss=torch.addcmul(distortion, beta, kl_per_dim.sum()), distortion=distortion, kl_per_dim=kl_per_dim
        )


@dataclass(frozen=True, slots=True)
class TermMeans:
    """Means over the images of a batch, scalars on the device; loss = distortion + beta * kl is what is minimised.

    kl_per_dim: (latent_dim,), or None for an autoencoder.
    """

    loss: Tensor
    distortion: Tensor
    kl_per_dim: Tensor | None

    def packed(self) -> Tensor:
        """Return (2 + latent_dim,) as loss, distortion, kl_per_dim, without a gradient (2 for an autoencoder)."""
        head = torch.stack((self.loss.detach(), self.distortion.detach()))
        return head if self.kl_per_dim is None else torch.cat((head, self.kl_per_dim.detach()))
