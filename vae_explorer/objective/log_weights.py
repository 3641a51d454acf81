"""Log-weights, the one currency of sampled bounds: log p(x|z) + log p(z) - log q(z|x), in nats."""

from __future__ import annotations

from torch import Tensor

from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model


def log_likelihoods(model: Model, x: Tensor, z: Tensor) -> Tensor:
    """Return log p(x|z) in nats, (K, B), for images x (B, C, H, W) and codes z (K, B, latent_dim)."""
    samples, batch, _ = z.shape
    repeated = x.expand(samples, *x.shape).flatten(0, 1)  # (K B, C, H, W)
    return model.likelihood(z.flatten(0, 1)).log_prob(repeated).view(samples, batch)


def log_weights(model: Model, x: Tensor, posterior: DiagonalNormal, z: Tensor) -> Tensor:
    """Return log w of codes z (K, B, latent_dim) that were drawn from `posterior`: (K, B), nats.

    Their mean over K estimates the ELBO; logsumexp - log K is the bound of Burda et al. 2016, eq. 8.
    """
    return log_likelihoods(model, x, z) + model.prior().log_prob(z) - posterior.log_prob(z)
