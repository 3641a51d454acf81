"""Bounds from sampled log-weights: the Monte Carlo ELBO and the IWAE bound, each with three gradients to choose from.

Kingma & Welling 2014, eq. 6; Burda et al. 2016, eq. 8. Gradients: Williams 1992; Roeder et al. 2017; Tucker et al.
2019.
"""

from __future__ import annotations

from torch import Tensor

from vae_explorer.config import ObjectiveConfig
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model
from vae_explorer.model.priors import Prior
from vae_explorer.objective.bounds import (
    dreg_surrogate,
    elbo_signal,
    iwae_bound,
    iwae_signal,
    score_function_surrogate,
)
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.terms import Batch, Live, Peers, TermMeans, mean_of_samples


class SampledBound:
    """loss = minus the mean, or minus the log mean exp, over K of log p(x|z) - beta (log q(z|x) - log p(z)).

    At beta 1 that is a bound; else it is one no longer, and the figures beside it stay those of beta 1.
    """

    def __init__(self, objective: ObjectiveConfig) -> None:
        self._is_importance = objective.bound == "iwae"
        self._is_dreg = objective.gradient == "dreg"
        self._is_score_function = objective.gradient == "score_function"
        # The score of log q has a mean of zero under q: in the ELBO the other gradients leave this noise out.
        self._is_score_left_out = self._is_dreg or (self._is_score_function and not self._is_importance)

    def means(self, model: Model, batch: Batch, posterior: DiagonalNormal, *, noise: Tensor, live: Live) -> TermMeans:
        """Return the means over the images of a batch with K codes each from noise (K, B, latent_dim)."""
        reparameterised = posterior.rsample(noise)
        z = reparameterised.detach() if self._is_score_function else reparameterised
        prior = model.prior()
        log_likelihood = log_likelihoods(model, batch.x, z)
        density = detached(posterior) if self._is_score_left_out else posterior
        value, loss, log_ratio = self._value(log_likelihood, density, prior, z, live=live, peers=batch.peers)
        kl_per_dim = posterior.kl_per_dim(prior)
        kl_per_dim = None if kl_per_dim is None else kl_per_dim.detach().mean(0)
        return TermMeans(
            loss=loss, distortion=-mean_of_samples(log_likelihood).mean(),
            kl=log_ratio.mean() if kl_per_dim is None else None, kl_per_dim=kl_per_dim,
            bound=iwae_bound(log_likelihood.detach() - log_ratio).mean() if self._is_importance else None,
            surrogate=self._surrogate(loss, value, posterior, z, live=live),
        )  # fmt: skip

    def _value(
        self, log_likelihood: Tensor, q: DiagonalNormal, prior: Prior, z: Tensor, *, live: Live, peers: Peers | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each code is worth, (K, B), the loss, and log q - log p at beta 1, (K, B), without a gradient."""
        if self._is_importance or q.kl_per_dim(prior) is None:
            log_ratio = q.log_prob(z) - prior.log_prob(z)
            value = log_likelihood - live.beta * log_ratio
            loss = -(iwae_bound(value) if self._is_importance else mean_of_samples(value)).mean()
            return value, loss, log_ratio.detach()
        per_dim = log_ratio_per_dim(q, z)
        # Without free bits all is paid: a sampled KL may be below 0, and cutting it there would bias the bound.
        mean = per_dim.detach().mean((0, 1))
        mean = mean if peers is None else peers.mean(mean)
        is_paid = (mean > live.free_bits).logical_or(live.free_bits <= 0).to(z.dtype)
        value = log_likelihood - live.beta * (per_dim * is_paid).sum(-1)
        free = live.beta * live.free_bits * (1.0 - is_paid).sum()
        return value, free - mean_of_samples(value).mean(), per_dim.detach().sum(-1)

    def _surrogate(
        self, loss: Tensor, value: Tensor, posterior: DiagonalNormal, z: Tensor, *, live: Live
    ) -> Tensor | None:
        if self._is_score_function:
            return loss - score_part(value, posterior, z, is_importance=self._is_importance)
        if self._is_dreg and self._is_importance:
            return -dreg_surrogate(value, z, is_importance=True, beta=live.beta).mean()
        return None


def score_part(value: Tensor, posterior: DiagonalNormal, z: Tensor, *, is_importance: bool = False) -> Tensor:
    """Return a scalar whose gradient in q's parameters is the score function's estimate of that of the bound.

    value: (K, B), what each code is worth; z: the codes (K, B, latent_dim).
    """
    signal = iwae_signal(value) if is_importance else elbo_signal(value)
    return score_function_surrogate(signal.detach(), posterior.log_prob(z.detach())).mean()


def detached(q: DiagonalNormal) -> DiagonalNormal:
    """Return q with parameters that no gradient reaches."""
    return DiagonalNormal(q.loc.detach(), q.log_scale.detach())


def log_ratio_per_dim(q: DiagonalNormal, z: Tensor) -> Tensor:
    """Return log q(z_j|x) - log N(z_j; 0, 1) of each dimension, (K, B, latent_dim): its mean is the KL."""
    return 0.5 * (z.square() - ((z - q.loc) / q.scale).square()) - q.log_scale
