"""`PlaneFeed`: asks for the decoded plane behind the map, one question at a time, and keeps the old one meanwhile."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from vae_explorer.engine.messages import Decoded
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.widgets.latent_view import LatentView
from vae_explorer.gui.widgets.plane_grid import PlaneGrid, grid_of, plane_grid, plane_image
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.grids import plane_lattice


class PlaneFeed(QObject):
    """Questions on channel 'plane'. An answer is placed by its codes alone, so a stored plane can be handed in too.

    shown(QImage, PlaneGrid, int): a new plane, and the step of its weights.
    """

    shown = Signal(object, object, int)

    def __init__(self, controller: ModelController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._channel = controller.channel("plane")
        self._channel.answered.connect(self._on_answered)
        self._channel.failed.connect(self._on_failed)
        self._view: LatentView | None = None
        self._frame: ViewFrame | None = None
        self._asked_for: tuple[object, ...] | None = None
        self.is_on = False

    def want(self, view: LatentView, frame: ViewFrame) -> None:
        """Ask for the plane of this view and frame, unless it was asked for already or an answer is still to come."""
        self._view, self._frame = view, frame
        data, codes = self._controller.data, self._controller.codes
        if not self.is_on or data is None or self._controller.opened is None or self._channel.is_waiting:
            return
        grid = plane_grid(frame, data.shape[1:], is_line=view.is_line)
        # Rounded: a click within the plane moves it by rounding errors only, and needs no new pictures.
        place = tuple(np.round(view.plane_offset(), 4).tolist())
        wanted = (
            grid,
            place,
            codes.step if codes is not None else None,
            self._controller.draw_seed,
            self._controller.label,
        )
        if wanted != self._asked_for:
            self._asked_for = wanted
            self._ask(view, grid)

    def forget(self) -> None:
        """Ask anew next time (another model, or the toggle)."""
        self._asked_for = None

    def _ask(self, view: LatentView, grid: PlaneGrid) -> None:
        codes = plane_lattice(view.basis, grid.x_range, grid.y_range, grid.nx, grid.ny)
        self._channel.decode(
            codes.reshape(-1, view.latent_dim), draw_seed=self._controller.draw_seed, label=self._controller.label
        )

    @Slot(object)
    def _on_answered(self, answer: Decoded) -> None:
        if self._view is None or answer.z.shape[1] != self._view.latent_dim:
            return
        grid = grid_of(self._view.basis.project(answer.z))
        if grid is not None:
            self.shown.emit(plane_image(answer.images, grid), grid, answer.step)
        self._ask_again()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        # What is shown stays; the next settled view or snapshot asks again.
        self._asked_for = None

    def _ask_again(self) -> None:
        if self._view is not None and self._frame is not None:
            self.want(self._view, self._frame)
