"""`BesideMap`: the codes of the autoencoder beside the run, with a place of its own that is looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.latent_view import LatentView
from vae_explorer.gui.widgets.map_layers import Overlay
from vae_explorer.gui.widgets.map_view import MapView

Code = NDArray[np.float32]


class BesideMap(MapView):
    """A small map of an autoencoder's codes: no prior, so no rings; its two main directions where it has more.

    place_moved(object): the code (latent_dim,) under the hand, which belongs to no image.
    image_picked(int): the index of an image whose code was pressed.
    """

    place_moved = Signal(object)
    image_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beside_map")
        self.setAccessibleName(self.tr("Latent map of the autoencoder"))
        self.setAccessibleDescription(
            self.tr("Arrow keys move the place, with Shift farther; N picks the nearest image; 0 shows all.")
        )
        self._empty = QLabel()
        self._empty.setObjectName("beside_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over = QVBoxLayout(self.viewport())
        over.setContentsMargins(4 * GRID_PX, 0, 2 * GRID_PX, 4 * GRID_PX)
        over.addWidget(self._empty)
        self._latent = LatentView(2)
        self._place: Code | None = None
        self._is_following = True
        self.touched.connect(self._on_touched)
        self.picked.connect(self._on_picked)
        self.nudged.connect(self._on_nudged)
        self.key_asked.connect(self._on_key_asked)
        self.navigated.connect(self._on_navigated)

    @property
    def place(self) -> Code | None:
        """The code that is looked at, (latent_dim,), or None."""
        return self._place

    def set_latent_dim(self, latent_dim: int) -> None:
        """Begin anew for codes of so many numbers."""
        self._latent = LatentView(latent_dim, axes="pca" if latent_dim > 2 else None)
        self._is_following = True
        self.set_aspect_locked(not self._latent.is_line)
        self.set_axis_names(*self._latent.axis_names)
        self.set_codes(None, None)
        self.set_place(None)

    def set_codes(self, codes: CodesSnapshot | None, labels: NDArray[np.int64] | None) -> None:
        """Show a snapshot of the autoencoder's codes with the labels (n,) that colour them; None clears the map."""
        if codes is not None and codes.loc.shape[1] != self._latent.latent_dim:
            codes = None
        through = np.zeros(self._latent.latent_dim) if self._place is None else self._place
        self._latent.set_codes(codes, through)
        self.set_points(self._latent.points, labels)
        self.set_axis_names(*self._latent.axis_names)
        self._show_place()
        if codes is not None and self._is_following:
            self.show_range(*self._latent.natural_range(has_prior=False))

    def set_place(self, code: ArrayLike | None) -> None:
        """Mark a code (latent_dim,), or nothing."""
        self._place = None if code is None else np.array(code, dtype=np.float32)
        if self._place is not None:
            self._latent.set_through(self._place)
        self._show_place()

    def set_empty_text(self, text: str) -> None:
        """Say over the empty map what to do; an empty text says nothing."""
        self._empty.setText(text)
        self._empty.setVisible(bool(text))

    def _show_place(self) -> None:
        crosshair = None if self._place is None else self._latent.project(self._place)
        self.set_overlay(Overlay(crosshair=crosshair, is_line=self._latent.is_line))

    # ---- what the person does -------------------------------------------------------------------------------------

    @Slot(float, float, bool)
    def _on_touched(self, x: float, y: float, is_final: bool) -> None:
        if self._latent.codes is not None:
            self.place_moved.emit(self._latent.lift(x, y))

    @Slot(int)
    def _on_picked(self, place: int) -> None:
        if self._latent.codes is not None:
            self.image_picked.emit(int(self._latent.codes.indices[place]))

    @Slot(float, float)
    def _on_nudged(self, dx: float, dy: float) -> None:
        if self._latent.codes is not None:
            start = np.zeros(self._latent.latent_dim) if self._place is None else self._place
            x, y = self._latent.project(start).tolist()
            self.place_moved.emit(self._latent.lift(x + dx, y + dy))

    @Slot(str)
    def _on_key_asked(self, name: str) -> None:
        if name == "reset":
            self._is_following = True
            self.show_range(*self._latent.natural_range(has_prior=False))
        elif name == "nearest" and self._place is not None:
            at = self.frame().to_px(self._latent.project(self._place)).tolist()
            nearest = self.cloud.raster.pick(self.frame(), (at[0], at[1]), float("inf"))
            if nearest is not None:
                self._on_picked(nearest)

    @Slot()
    def _on_navigated(self) -> None:
        self._is_following = False
