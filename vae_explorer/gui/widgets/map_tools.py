"""`MapTools`: the row above the map that says what is shown on it and how."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QToolButton, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.mean_draw import MeanDrawSwitch
from vae_explorer.gui.widgets.toggle_style import toggle_sheet

Layer = Literal["points", "density", "plane", "rings", "path", "picture", "posterior", "energy"]


class MapTools(QWidget):
    """Axes (latent_dim > 2), layers, mean or draw.

    axes_chosen(object): (i, j) or 'pca'. layers_changed(): a toggle was pressed, see `is_on`.
    """

    axes_chosen = Signal(object)
    layers_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 4)
        self._x = self._axis_box("axis_x", self.tr("The latent dimension along x, or the main directions (PCA)."))
        self._y = self._axis_box("axis_y", self.tr("The latent dimension along y."))
        self._times = QLabel("×")
        for widget in (self._x, self._times, self._y):
            row.addWidget(widget)
        self._toggles = {name: self._toggle(name, *words) for name, words in self._layer_words().items()}
        for toggle in self._toggles.values():
            row.addWidget(toggle)
        row.addStretch(1)
        self.mean_draw = MeanDrawSwitch()
        row.addWidget(self.mean_draw)
        self.set_latent_dim(2)
        self._restyle()

    def is_on(self, layer: Layer) -> bool:
        """Whether a layer is shown."""
        return self._toggles[layer].isChecked()

    def set_on(self, layer: Layer, is_on: bool) -> None:
        """Show or hide a layer, as if its button had been pressed."""
        self._toggles[layer].setChecked(is_on)

    def set_has_rings(self, has_rings: bool) -> None:
        """Offer the rings of the prior N(0, I), or not (a learnt prior has other ones, an autoencoder none)."""
        self._toggles["rings"].setVisible(has_rings)

    def set_has_posterior(self, has_posterior: bool) -> None:
        """Offer the exact posterior and its energy, or not (they need a VAE of one or two latent dimensions)."""
        for name in ("posterior", "energy"):
            self._toggles[name].setVisible(has_posterior)

    def set_latent_dim(self, latent_dim: int) -> None:
        """Offer the latent dimensions of a model; with one or two there is nothing to choose."""
        for box in (self._x, self._y):
            box.blockSignals(True)
            box.clear()
            for axis in range(latent_dim):
                box.addItem(latent_name(axis), axis)
        if latent_dim > 2:
            self._x.insertItem(0, self.tr("PCA"), "pca")
            self._x.setCurrentIndex(1)
        self._y.setCurrentIndex(min(1, latent_dim - 1))
        for box in (self._x, self._y):
            box.blockSignals(False)
        for widget in (self._x, self._times, self._y):
            widget.setVisible(latent_dim > 2)

    def _on_axis_chosen(self) -> None:
        x, y = self._x.currentData(), self._y.currentData()
        is_plain = x != "pca"
        for widget in (self._times, self._y):
            widget.setVisible(is_plain)
        if not is_plain:
            self.axes_chosen.emit("pca")
            return
        if x == y:
            # Two equal axes are no plane: the box that was not touched gives way.
            other = self._y if self.sender() is self._x else self._x
            other.blockSignals(True)
            other.setCurrentIndex(other.findData(0 if x else 1))
            other.blockSignals(False)
        self.axes_chosen.emit((int(self._x.currentData()), int(self._y.currentData())))

    def _restyle(self) -> None:
        sheet = toggle_sheet(current_theme())
        # A sheet that is set sends another PaletteChange to its widget.
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def _axis_box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox()
        box.setObjectName(name)
        box.setToolTip(tip)
        box.setAccessibleName(tip)
        box.currentIndexChanged.connect(self._on_axis_chosen)
        return box

    def _toggle(self, name: Layer, text: str, tip: str, is_on: bool) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setObjectName(f"layer_{name}")
        button.setCheckable(True)
        button.setChecked(is_on)
        button.setToolTip(tip)
        button.setAccessibleName(f"{text}: {tip}")
        button.toggled.connect(self.layers_changed)
        return button

    def _layer_words(self) -> dict[Layer, tuple[str, str, bool]]:
        return {
            "points": (
                self.tr("Points"),
                self.tr("A point for each image: the mean of its q(z|x); with a ring where M2 sees its label."),
                True,
            ),
            "density": (
                self.tr("Density"),
                self.tr("How many images lie in each cell of a point's size, in place of the points (key D)."),
                False,
            ),
            "plane": (
                self.tr("Plane"),
                self.tr("Decoded pictures behind the points, each centred on its code."),
                True,
            ),
            "rings": (self.tr("Rings"), self.tr("The prior p(z): 1, 2 and 3 standard deviations."), True),
            "path": ("A–B", self.tr("The path of the interpolation; drag its ends A and B."), True),
            "picture": (self.tr("Picture"), self.tr("The decoded picture beside the crosshair."), True),
            "posterior": (
                self.tr("Posterior"),
                self.tr(
                    "The true posterior p(z|x) of the selected image as a heat map, its mode a cross: what the ellipse "
                    "of q(z|x) should be (key P)."
                ),
                False,
            ),
            "energy": (
                self.tr("Energy"),
                self.tr(
                    "The energy −log p(x, z) of the selected image as terraces at 1, 2, 5, 10, 20 … nats above its "
                    "lowest place (key E)."
                ),
                False,
            ),
        }

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
        super().changeEvent(event)
