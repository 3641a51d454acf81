"""`CloudTools`: what the colours of the map's points mean, and how large the points are."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSlider, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.cloud import SIZES
from vae_explorer.gui.widgets.point_values import COLOURS_BY, ColourBy


@dataclass(frozen=True)
class CloudLook:
    """How the points are shown. size_step: larger by quarters; is_density: their density in place of them."""

    colour_by: ColourBy = "class"
    is_density: bool = False
    size_step: int = 0


class CloudTools(QWidget):
    """A box and a slider. changed(): the person has chosen, see `colour_by` and `size_step`."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        self._box = QComboBox()
        self._box.setObjectName("colour_by")
        names = {
            "class": self.tr("Class"), "kl": self.tr("KL"), "elbo": self.tr("ELBO"), "gap": self.tr("Gap"),
            "density": self.tr("Density"),
        }  # fmt: skip
        for name in COLOURS_BY:
            self._box.addItem(names[name], name)
        tip = self.tr("What the colours of the points mean: their class, or a figure of each image (key C).")
        self._box.setToolTip(tip)
        self._box.setAccessibleName(tip)
        self._box.currentIndexChanged.connect(self.changed)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setObjectName("point_size")
        self._size.setRange(*SIZES)
        self._size.setPageStep(2)
        self._size.setFixedWidth(7 * GRID_PX)
        tip = self.tr("Size of the points (keys [ and ]).")
        self._size.setToolTip(tip)
        self._size.setAccessibleName(tip)
        self._size.valueChanged.connect(self.changed)
        row.addWidget(self._box)
        row.addWidget(self._size)

    @property
    def colour_by(self) -> ColourBy:
        """What the colours mean."""
        return COLOURS_BY[self._box.currentIndex()]

    @property
    def size_step(self) -> int:
        """By how many steps points are larger than by themselves."""
        return self._size.value()

    def set_colour_by(self, colour_by: ColourBy) -> None:
        """Choose what the colours mean, as if by hand."""
        self._box.setCurrentIndex(COLOURS_BY.index(colour_by))

    def set_size_step(self, step: int) -> None:
        """Make points larger or smaller, as if by hand; within the slider's ends."""
        self._size.setValue(step)

    def choose_next(self) -> None:
        """Go on to what else the colours can mean, and from the last to the first."""
        self._box.setCurrentIndex((self._box.currentIndex() + 1) % self._box.count())

    def set_has_colours(self, has_colours: bool) -> None:
        """Let the colours be chosen, or not (density has its own)."""
        self._box.setEnabled(has_colours)
