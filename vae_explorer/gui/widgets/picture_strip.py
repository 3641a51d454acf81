"""`PictureStrip`: a few images of the data side by side, each of which can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.picture import PictureView


class PictureStrip(QWidget):
    """A row of small pictures.

    chosen(int): the image of this index was clicked, or Enter or Space was pressed on it.
    """

    chosen = Signal(int)

    def __init__(self, n_places: int, name: str, parent: QWidget | None = None) -> None:
        """name: of the pictures' object names, such as 'near' for near_0, near_1."""
        super().__init__(parent)
        self._indices: list[int] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 4)
        self._views = [PictureView() for _ in range(n_places)]
        for place, view in enumerate(self._views):
            view.setObjectName(f"{name}_{place}")
            view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
            view.clicked.connect(self._on_clicked)
            row.addWidget(view)

    def set_images(self, indices: Sequence[int], images: Sequence[ArrayLike], captions: Sequence[str]) -> None:
        """Show images (C, H, W) in [0, 1] of the data with their indices; places left over stay empty."""
        self._indices = list(indices)
        for place, view in enumerate(self._views):
            is_used = place < len(indices)
            view.set_image(
                images[place] if is_used else None, is_generated=False, caption=captions[place] if is_used else ""
            )
            view.set_clickable(is_used)
            if is_used:
                view.setToolTip(self.tr("Image {index}: click to select it.").format(index=indices[place]))

    @property
    def indices(self) -> list[int]:
        """What is shown, first place first."""
        return list(self._indices)

    def set_marked(self, index: int | None) -> None:
        """Mark the picture of the selected image."""
        for place, view in enumerate(self._views):
            view.set_marked(place < len(self._indices) and self._indices[place] == index)

    def _on_clicked(self) -> None:
        self.chosen.emit(self._indices[self._views.index(self.sender())])  # type: ignore[arg-type]
