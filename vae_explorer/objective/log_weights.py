"""Log-weights, the one currency of sampled bounds: log p(x|z) + log p(z) - log q(z|x), in nats."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.errors import UsageError
from vae_explorer.model.latents import Posterior
from vae_explorer.model.model import Model
from vae_explorer.objective.blocks import blocked_log_likelihoods


def log_likelihoods(model: Model, x: Tensor, z: Tensor) -> Tensor:
    """Return log p(x|z) in nats, (K, B), for images x (B, C, H, W) and codes z (K, B, latent_dim)."""
    samples, batch, _ = z.shape
    repeated = x.expand(samples, *x.shape).flatten(0, 1)  # (K B, C, H, W)
    return model.likelihood(z.flatten(0, 1)).log_prob(repeated).view(samples, batch)


def log_weights(model: Model, x: Tensor, posterior: Posterior, z: Tensor) -> Tensor:
    """Return log w of codes z (K, B, latent_dim) that were drawn from `posterior`: (K, B), nats.

    Their mean over K estimates the ELBO; logsumexp - log K is the bound of Burda et al. 2016, eq. 8.
    """
    return log_likelihoods(model, x, z) + model.prior().log_prob(z) - posterior.log_prob(z)


@torch.no_grad()
def importance_log_weights(model: Model, x: Tensor, noise: Tensor) -> Tensor:
    """Return log-weights (K, B), nats, whose exponential is unbiased for p(x), for every kind of model with a prior.

    They have no gradient, so that codes are decoded in blocks (`blocks`): memory does not grow with K B pixels. noise:
    standard normal, (K, B, model.noise_dim). For M2 the classes are summed out within each weight. Raises
    UsageError for an autoencoder, which has no p(x).
    """
    if model.is_autoencoder:
        raise UsageError(
            "model.kind = 'autoencoder': it has no prior, hence no log p(x); train a vae on the same data."
        )
    if model.kind in LABELLED:
        # Imported here: that module builds on this one, for the VAE below M2.
        from vae_explorer.objective.semi_supervised import semi_supervised_log_weights

        return semi_supervised_log_weights(model, x, noise)
    posterior = model.posterior(x)
    z = posterior.rsample(noise)
    return blocked_log_likelihoods(model, x, z) + model.prior().log_prob(z) - posterior.log_prob(z)
