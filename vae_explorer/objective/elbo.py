"""The evidence lower bound with a reparameterised sample and an analytic KL (Kingma & Welling 2014, eq. 10)."""

from __future__ import annotations

from torch import Tensor

from vae_explorer.model.model import Model
from vae_explorer.objective.terms import Terms


def elbo_terms(model: Model, x: Tensor, noise: Tensor) -> Terms:
    """Return the terms of images x (B, C, H, W) in [0, 1], with one code each from noise (B, latent_dim).

    The noise is drawn by the caller, so that its generator is the caller's and nothing random happens here.
    """
    posterior = model.posterior(x)
    likelihood = model.likelihood(posterior.rsample(noise))
    return Terms(distortion=-likelihood.log_prob(x), kl_per_dim=posterior.kl_per_dim(model.prior()))
