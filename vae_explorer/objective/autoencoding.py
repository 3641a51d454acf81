"""The objective of an autoencoder: the distortion alone, since a point has no KL to a density."""

from __future__ import annotations

from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.model.model import Model
from vae_explorer.objective.terms import Batch, Live, Packing, TermMeans
from vae_explorer.objective.weight_prior import WeightPrior


class AutoencoderObjective:
    """loss = distortion, and the cost of the weights where they have a prior."""

    packing = Packing()
    samples = 1
    needs_prior_codes = False

    def __init__(self, config: RunConfig, *, n_images: int) -> None:
        self._weight_prior = WeightPrior.of(config, n_images=n_images)

    def means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """As in `Objective`; the noise is not used."""
        distortion = -model.likelihood(model.posterior(batch.x).loc).log_prob(batch.x).mean()
        loss = distortion if self._weight_prior is None else distortion + self._weight_prior.cost(model)
        return TermMeans(loss=loss, distortion=distortion)

    held_out_means = means
