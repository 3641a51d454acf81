"""From a configuration to what is minimised: an objective maps (model, batch, noise, live values) to means."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.model.model import Model
from vae_explorer.objective.autoencoding import AutoencoderObjective
from vae_explorer.objective.terms import Batch, Live, Packing, TermMeans
from vae_explorer.objective.variational import VariationalObjective


class Objective(Protocol):
    """What a session minimises.

    packing: which figures its means have. samples: K, codes an image. needs_prior_codes: whether a batch must bring
    draws of the prior, one an image.
    """

    packing: Packing
    samples: int
    needs_prior_codes: bool

    def means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """Return the means over a batch that is trained on, with the loss and its gradient, for the update after
        `step`; noise: standard normal (K, B, model.noise_dim)."""

    def held_out_means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """Return the means over images that are not trained on; all labels of the batch, where it has any, are known
        but only compared with (-1: unknown)."""


def build_objective(config: RunConfig, *, n_images: int, n_labelled: int = 0) -> Objective:
    """Return the objective of a configuration that `check_together` lets pass.

    n_images: images that are trained on; n_labelled: those of them that lend their label to a model of classes.
    """
    if config.model.kind == "autoencoder":
        return AutoencoderObjective(config, n_images=n_images)
    if config.model.kind in LABELLED:
        # Imported here: that module builds on the others, for the VAE below M2.
        from vae_explorer.objective.semi_supervised_objective import SemiSupervisedObjective

        return SemiSupervisedObjective(config, n_images=n_images, n_labelled=n_labelled)
    return VariationalObjective(config, n_images=n_images)
