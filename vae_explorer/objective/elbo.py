"""The terms of the evidence lower bound of single images, for every kind of model (Kingma & Welling 2014, eq. 3)."""

from __future__ import annotations

from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.model.latents import Posterior
from vae_explorer.model.model import Model
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.terms import Terms, mean_of_samples


def image_terms(model: Model, x: Tensor, noise: Tensor, *, posterior: Posterior | None = None) -> Terms:
    """Return the terms of images x (B, C, H, W) in [0, 1], of any kind of model, as if they had no label.

    noise: standard normal, (K, B, model.noise_dim), K codes an image. It is drawn by the caller, so that its generator
    is the caller's and nothing random happens here. posterior: that of the same images, where it is at hand.
    """
    if model.kind in LABELLED:
        # Imported here: that module builds on this one, for the VAE below M2.
        from vae_explorer.objective.semi_supervised import unlabelled_terms

        return unlabelled_terms(model, x, noise)
    return one_latent_terms(model, x, noise, posterior=posterior)


def one_latent_terms(model: Model, x: Tensor, noise: Tensor, *, posterior: Posterior | None = None) -> Terms:
    """Return the terms of a VAE or an autoencoder; noise (K, B, latent_dim)."""
    posterior, prior = posterior or model.posterior(x), model.prior()
    z = posterior.rsample(noise)
    log_likelihood = log_likelihoods(model, x, z)
    if model.is_autoencoder:
        return Terms(log_likelihood, kl=None, z=z)
    log_ratio = posterior.log_prob(z) - prior.log_prob(z)
    kl_per_dim = posterior.kl_per_dim(prior)
    is_exact = kl_per_dim is not None
    return Terms(
        log_likelihood, kl=mean_of_samples(log_ratio) if kl_per_dim is None else kl_per_dim.sum(-1),
        kl_per_dim=kl_per_dim, log_weight=log_likelihood - log_ratio, z=z, is_kl_exact=is_exact,
    )  # fmt: skip
