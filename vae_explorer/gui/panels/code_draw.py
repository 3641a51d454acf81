"""`CodeDraw`: codes drawn at random for a panel: from the model's prior, or where there is none from its codes' box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from vae_explorer.config_rules import has_normal_prior
from vae_explorer.engine.messages import Rendered
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.controller import ModelController
from vae_explorer.latent.grids import prior_codes
from vae_explorer.latent.statistics import code_range


class CodeDraw(QObject):
    """A dice that never shows the same side twice running: each throw has the next seed.

    drawn(object): a code (latent_dim,), at once from N(0, I) or the box; a learnt prior is asked of the engine, as
    the gallery's samples are, since its parameters move with the weights.
    """

    drawn = Signal(object)

    def __init__(
        self, controller: ModelController, name: str, parent: QObject | None = None, *, first_seed: int = 0
    ) -> None:
        """name: of the channel that asks, one for each dice. first_seed: of the first throw; two dice need two."""
        super().__init__(parent)
        self._controller = controller
        self._seed = first_seed
        self._channel = controller.channel(name)
        self._channel.answered.connect(self._on_answered)

    @Slot()
    def throw(self) -> None:
        """Draw the next code."""
        seed, self._seed = self._seed, self._seed + 1
        config = self._controller.config
        if config is None or has_normal_prior(config):
            self.drawn.emit(prior_codes(1, self._controller.selection.latent_dim, seed)[0])
        elif config.model.kind == "autoencoder":
            self.drawn.emit(self._from_box(seed))
        else:
            self._channel.render(Recipe(what="samples", rows=1, cols=1, seed=seed))

    def _from_box(self, seed: int) -> NDArray[np.float32]:
        codes = self._controller.codes
        if codes is None:
            return prior_codes(1, self._controller.selection.latent_dim, seed)[0]
        low, high = code_range(codes.loc)
        return np.random.Generator(np.random.Philox(seed)).uniform(low, high).astype(np.float32)

    @Slot(object)
    def _on_answered(self, answer: Rendered) -> None:
        if answer.codes is not None:
            self.drawn.emit(answer.codes[0, 0])


def draw_help(controller: ModelController) -> str:
    """Return where a `CodeDraw` draws from, for a tooltip."""
    config = controller.config
    if config is None or config.model.kind != "autoencoder":
        return QCoreApplication.translate("draw", "Draw a code from the prior p(z).")
    return QCoreApplication.translate("draw", "Draw a code from the box of all codes: an autoencoder has no prior.")
