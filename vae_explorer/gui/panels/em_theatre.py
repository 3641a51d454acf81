"""EM panel: the latent variable model that one can solve, and the same two steps of the open VAE beside it."""

from __future__ import annotations

from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.em_lazy import LazyPage
from vae_explorer.gui.panels.em_mixture import MixturePage
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.em_mode import EmMode


class EmTheatrePanel(QWidget):
    """Two pages, each with the switch to the other: a mixture fitted by EM, and a VAE's steps by hand."""

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("em_panel")
        self.mixture, self.lazy = MixturePage(controller), LazyPage(controller)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        self._stack = QStackedLayout()
        column.addLayout(self._stack)
        for page in (self.mixture, self.lazy):
            self._stack.addWidget(page)
            page.mode.mode_chosen.connect(self.set_mode)

    def set_mode(self, mode: EmMode) -> None:
        """Show the mixture's page or the VAE's."""
        page = self.mixture if mode == "mixture" else self.lazy
        page.mode.set_mode(mode)
        self._stack.setCurrentWidget(page)
