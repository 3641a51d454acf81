"""Codes drawn at random for the panels: from N(0, I), or where there is no prior from the box of the codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from vae_explorer.config_rules import has_normal_prior
from vae_explorer.gui.controller import ModelController
from vae_explorer.latent.grids import prior_codes
from vae_explorer.latent.statistics import code_range


def draw_code(controller: ModelController, seed: int) -> NDArray[np.float32]:
    """Return a code (latent_dim,) by seed: from N(0, I), for an autoencoder evenly from the box of its codes."""
    if _has_prior(controller) or controller.codes is None:
        return prior_codes(1, controller.selection.latent_dim, seed)[0]
    low, high = code_range(controller.codes.loc)
    return np.random.Generator(np.random.Philox(seed)).uniform(low, high).astype(np.float32)


def draw_help(controller: ModelController) -> str:
    """Return where `draw_code` draws from, for a tooltip."""
    if controller.config is None or has_normal_prior(controller.config):
        return QCoreApplication.translate("draw", "Draw a code from the prior p(z).")
    if _has_prior(controller):
        return QCoreApplication.translate(
            "draw", "Draw a code from N(0, I), which is not this model's prior; samples of that are in the Gallery."
        )
    return QCoreApplication.translate("draw", "Draw a code from the box of all codes: an autoencoder has no prior.")


def _has_prior(controller: ModelController) -> bool:
    return controller.config is None or controller.config.model.kind != "autoencoder"
