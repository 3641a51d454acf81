"""`FindBar`: find an image without the mouse, by index, by class, or as the best or worst by its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QToolButton, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.number_field import NumberField

ANY_CLASS = -2
"""Value of the class box that takes every image; -1 is the unknown class."""


def next_in(candidates: NDArray[np.int64], current: int | None, step: int) -> int | None:
    """Return the candidate (ascending indices) that follows (step 1) or precedes (-1) an image, round the end."""
    if not len(candidates):
        return None
    if current is None:
        return int(candidates[0 if step > 0 else -1])
    if step > 0:
        place = int(np.searchsorted(candidates, current, side="right"))
    else:
        place = int(np.searchsorted(candidates, current, side="left")) - 1
    return int(candidates[place % len(candidates)])


def next_by_score(
    candidates: NDArray[np.int64], scores: NDArray[np.float32], after: int | None, *, is_best: bool
) -> int | None:
    """Return the candidate of the best (largest) or worst score, or the next in rank after the candidate `after`."""
    known = np.isfinite(scores)
    ranked = candidates[known][np.argsort(-scores[known] if is_best else scores[known], kind="stable")]
    if not len(ranked):
        return None
    place = np.flatnonzero(ranked == after) if after is not None else np.zeros(0, dtype=np.intp)
    return int(ranked[(int(place[0]) + 1) % len(ranked)] if len(place) else ranked[0])


class FindBar(QWidget):
    """Fields and buttons that choose an image.

    found(int): the person has chosen the image of this index.
    """

    found = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._indices = np.zeros(0, dtype=np.int64)
        self._scores = np.zeros(0, dtype=np.float32)
        self._labels: NDArray[np.int64] | None = None
        self._current: int | None = None
        self._ranked: tuple[int, bool] | None = None
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        row.addWidget(QLabel(self.tr("Image")))
        self._index = NumberField(0, minimum=0, maximum=0, is_integer=True, step=1)
        self._index.setObjectName("find_index")
        self._index.setMaximumWidth(9 * GRID_PX)
        self._index.setAccessibleName(self.tr("index of the image"))
        self._index.set_help(self.tr("Index of the image among all images of the data; Enter goes there."))
        self._index.value_changed.connect(self._on_index_entered)
        row.addWidget(self._index)
        self._class = QComboBox()
        self._class.setObjectName("find_class")
        self._class.setAccessibleName(self.tr("class of the image"))
        self._class.setToolTip(self.tr("The arrows, Best and Worst go among the images of this class."))
        row.addWidget(self._class)
        previous = self.tr("The image before, of the chosen class.")
        following = self.tr("The next image of the chosen class.")
        for text, name, tip, slot in (
            ("‹", "find_previous", previous, self._on_previous),
            ("›", "find_next", following, self._on_next),
        ):
            _say_what_it_does(self._add_button(text, name, slot), tip)
        self._best = self._add_button(self.tr("Best"), "find_best", self._on_best)
        self._worst = self._add_button(self.tr("Worst"), "find_worst", self._on_worst)
        self.set_has_bound(True)
        self.set_classes((), ())
        self.setEnabled(False)

    def _add_button(self, text: str, name: str, slot: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setObjectName(name)
        button.clicked.connect(slot)
        self._row.addWidget(button)
        return button

    def set_has_bound(self, has_bound: bool) -> None:
        """Say what best and worst go by: the ELBO, or the reconstruction loss of an autoencoder, which has none."""
        if has_bound:
            best, worst = self.tr("highest ELBO"), self.tr("lowest ELBO")
        else:
            best, worst = self.tr("lowest reconstruction loss"), self.tr("highest reconstruction loss")
        next_best = self.tr("The image with the {figure} (nats); press again for the next best.")
        next_worst = self.tr("The image with the {figure} (nats); press again for the next worst.")
        _say_what_it_does(self._best, next_best.format(figure=best))
        _say_what_it_does(self._worst, next_worst.format(figure=worst))

    def set_classes(self, labels: Sequence[int], names: Sequence[str]) -> None:
        """Offer these classes; the box hides when there are none."""
        self._class.clear()
        self._class.addItem(self.tr("any class"), ANY_CLASS)
        for label, name in zip(labels, names, strict=True):
            self._class.addItem(name, label)
        self._class.setVisible(len(labels) > 0)

    def set_images(
        self, n_images: int, indices: NDArray[np.int64], labels: NDArray[np.int64] | None, scores: NDArray[np.float32]
    ) -> None:
        """Choose among images `indices` (n,), ascending, with scores (n,); labels: of all n_images, or None."""
        self._indices, self._labels, self._scores = indices, labels, scores
        self._index.set_range(0, max(n_images - 1, 0))
        self.setEnabled(len(indices) > 0)

    def set_current(self, image: int | None) -> None:
        """Show the image that is selected now."""
        self._current = image
        if image is not None:
            self._index.set_value(image)

    def _among(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        label = self._class.currentData()
        if label == ANY_CLASS or self._labels is None:
            return self._indices, self._scores
        is_wanted = self._labels[self._indices] == label
        return self._indices[is_wanted], self._scores[is_wanted]

    def _take(self, image: int | None) -> None:
        if image is not None:
            self.found.emit(image)

    def _on_index_entered(self, value: float) -> None:
        self._take(int(value))

    def _on_previous(self) -> None:
        self._take(next_in(self._among()[0], self._current, -1))

    def _on_next(self) -> None:
        self._take(next_in(self._among()[0], self._current, 1))

    def _on_best(self) -> None:
        self._walk(is_best=True)

    def _on_worst(self) -> None:
        self._walk(is_best=False)

    def _walk(self, *, is_best: bool) -> None:
        # Only a second press of the same button goes on down the ranks.
        is_again = self._current is not None and self._ranked == (self._current, is_best)
        found = next_by_score(*self._among(), self._current if is_again else None, is_best=is_best)
        self._ranked = None if found is None else (found, is_best)
        self._take(found)


def _say_what_it_does(button: QToolButton, tip: str) -> None:
    button.setToolTip(tip)
    button.setAccessibleName(tip)
