"""What an objective weighs in beside a bound: MMD, total correlation, and the cost of weights under their prior."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.errors import ConfigError
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model
from vae_explorer.objective.matching import mmd_squared, typical_scale
from vae_explorer.objective.similarities import total_correlation
from vae_explorer.objective.terms import Batch, Peers, TermMeans
from vae_explorer.objective.weight_prior import WeightPrior


class Additions:
    """Terms of the loss that are no terms of the bound, each by its own weight, whatever beta is.

    They have the reparameterised gradient. MMD (InfoVAE: Zhao et al. 2019; WAE: Tolstikhin et al. 2018) and total
    correlation (Chen et al. 2018) are quantities of the batch, from the first code of each image.
    """

    def __init__(self, config: RunConfig, *, n_images: int) -> None:
        objective = config.objective
        self._mmd_weight, self._tc_weight = objective.mmd_weight, objective.tc_weight
        self._kernel = objective.mmd_kernel
        self._scale = objective.mmd_scale or typical_scale(config.model.latent_dim)
        self._n_images = n_images
        self._weight_prior = WeightPrior.of(config, n_images=n_images)
        for key, weight, what in (
            ("mmd_weight", self._mmd_weight, "MMD"),
            ("tc_weight", self._tc_weight, "total correlation"),
        ):
            if weight > 0 and min(config.train.batch_size, n_images) < 2:
                raise ConfigError(
                    f"objective.{key} = {weight:g}: the {what} compares the codes of a batch, which needs at least 2 "
                    "images; raise train.batch_size."
                )

    def added_to(
        self, means: TermMeans, model: Model, posterior: DiagonalNormal, *, batch: Batch, noise: Tensor
    ) -> TermMeans:
        """Return the means with all that is weighed in; noise: (K, B, latent_dim)."""
        # Codes of their own: a doubly reparameterised bound hooks the gradient of its codes.
        z = posterior.rsample(noise[0])  # (B, latent_dim)
        if batch.peers is not None:
            z, posterior = batch.peers.rows(z), _of_all(posterior, batch.peers)
        added, mmd, correlation = [], None, None
        if self._mmd_weight > 0:
            mmd = self._mmd(z, batch)
            added.append(self._mmd_weight * mmd)
        if self._tc_weight > 0:
            correlation = self._total_correlation(z, posterior)
            added.append(self._tc_weight * correlation)
        if self._weight_prior is not None:
            added.append(self._weight_prior.cost(model))
        total = torch.stack(added).sum()
        surrogate = None if means.surrogate is None else means.surrogate + total
        return replace(means, loss=means.loss + total, surrogate=surrogate, mmd=mmd, total_correlation=correlation)

    def _total_correlation(self, z: Tensor, posterior: DiagonalNormal) -> Tensor:
        if len(z) < 2:  # a held-out split of one image
            return torch.full((), torch.nan, device=z.device)
        return total_correlation(z, posterior, n_images=self._n_images)

    def _mmd(self, z: Tensor, batch: Batch) -> Tensor:
        if batch.prior_z is None:
            raise ValueError("the batch lacks draws of the prior")
        if len(z) < 2:  # a held-out split of one image
            return torch.full((), torch.nan, device=z.device)
        return mmd_squared(z, batch.prior_z, kernel=self._kernel, scale=self._scale)


def _of_all(posterior: DiagonalNormal, peers: Peers) -> DiagonalNormal:
    return DiagonalNormal(peers.rows(posterior.loc), peers.rows(posterior.log_scale))
