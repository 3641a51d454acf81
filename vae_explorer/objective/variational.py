"""The objective of a VAE: a bound, what may stand in its KL's place, and what is weighed in beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import Tensor

from vae_explorer.config import ObjectiveConfig, RunConfig
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model
from vae_explorer.objective.additions import Additions
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.sampled_bounds import SampledBound, score_part
from vae_explorer.objective.similarities import renyi, reverse_kl, wasserstein2_squared
from vae_explorer.objective.terms import Batch, Live, Packing, TermMeans, mean_of_samples

Similarity = Callable[[DiagonalNormal], Tensor]


class VariationalObjective:
    """loss = distortion + beta * similarity, or minus a sampled bound, and what is weighed in beside it.

    The similarity is the KL of the bound unless the configuration says otherwise. Figures beside the loss (distortion,
    kl, bound) are always those at beta 1, without free bits.
    """

    def __init__(self, config: RunConfig, *, n_images: int) -> None:
        objective = config.objective
        self.samples = objective.samples
        self.needs_prior_codes = objective.mmd_weight > 0
        self.packing = _packing(config)
        self._is_score_function = objective.gradient == "score_function"
        self._has_penalty = objective.similarity != "mmd"
        self._similarity = _similarity(objective)
        self._sampled = SampledBound(objective) if _is_sampled(config) else None
        has_additions = objective.mmd_weight > 0 or objective.tc_weight > 0 or objective.weight_prior is not None
        self._additions = Additions(config, n_images=n_images) if has_additions else None

    def means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """As in `Objective`."""
        posterior = cast(DiagonalNormal, model.posterior(batch.x))
        if self._sampled is not None:
            means = self._sampled.means(model, batch, posterior, noise=noise, live=live)
        else:
            means = self._closed_form(model, batch, posterior, noise=noise, live=live)
        if self._additions is None:
            return means
        return self._additions.added_to(means, model, posterior, batch=batch, noise=noise)

    held_out_means = means

    def _closed_form(
        self, model: Model, batch: Batch, posterior: DiagonalNormal, *, noise: Tensor, live: Live
    ) -> TermMeans:
        """The hot path: a sampled distortion, and a similarity of q and N(0, I) in closed form."""
        z = posterior.rsample(noise)
        log_likelihood = log_likelihoods(model, batch.x, z.detach() if self._is_score_function else z)
        distortion = -mean_of_samples(log_likelihood).mean()
        kl_per_dim = cast(Tensor, posterior.kl_per_dim(model.prior())).mean(0)
        if batch.peers is not None:
            kl_per_dim = batch.peers.mean(kl_per_dim)
        similarity = None if self._similarity is None else self._similarity(posterior).mean()
        loss = distortion
        if self._has_penalty:
            penalty = torch.maximum(kl_per_dim, live.free_bits).sum() if similarity is None else similarity
            loss = torch.addcmul(distortion, live.beta, penalty)
        surrogate = loss - score_part(log_likelihood, posterior, z) if self._is_score_function else None
        return TermMeans(
            loss=loss, distortion=distortion, kl_per_dim=kl_per_dim, similarity=similarity, surrogate=surrogate
        )


def _is_sampled(config: RunConfig) -> bool:
    objective = config.objective
    is_asked = objective.bound == "iwae" or objective.kl == "monte_carlo"
    return objective.similarity == "kl" and (is_asked or config.model.prior != "standard_normal")


def _similarity(objective: ObjectiveConfig) -> Similarity | None:
    """What stands for the KL, nats or not, (B,); None for the KL itself and for the MMD, which is no mean of images."""
    known: dict[str, Similarity] = {
        "reverse_kl": reverse_kl,
        "wasserstein2": wasserstein2_squared,
        "renyi": partial(renyi, alpha=objective.renyi_alpha),
    }
    return known.get(objective.similarity)


def _packing(config: RunConfig) -> Packing:
    objective = config.objective
    has = {
        "kl": config.model.prior != "standard_normal",
        "bound": objective.bound == "iwae",
        "mmd": objective.mmd_weight > 0,
        "total_correlation": objective.tc_weight > 0,
        "similarity": _similarity(objective) is not None,
    }
    is_factorised = config.model.prior == "standard_normal"
    return Packing(
        names=tuple(name for name, is_there in has.items() if is_there),
        latent_dim=config.model.latent_dim if is_factorised else 0,
    )
