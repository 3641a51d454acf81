"""A label of one line whose text is cut to its width with an ellipsis.

Of our own, although superqt has one: importing that package, and qtpy under it, took an eighth of the time until the
window was painted.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

_SPARE_PX = 2
"""Left free: an elided text that fills its label to the last pixel loses its ellipsis with some fonts."""


class ElidingLabel(QLabel):
    """Shows as much of its text as there is room for. `text()` is the whole text."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self._mode = Qt.TextElideMode.ElideRight
        self.setText(text)

    def setElideMode(self, mode: Qt.TextElideMode) -> None:
        """Cut at the right (as it is at first), on the left or in the middle."""
        self._mode = mode
        self._show_elided()

    def text(self) -> str:
        """Return the whole text."""
        return self._whole

    def setText(self, text: str) -> None:
        """Take another text."""
        self._whole = text
        self._show_elided()

    def _show_elided(self) -> None:
        room = self.width() - _SPARE_PX
        super().setText(QFontMetrics(self.font()).elidedText(self._whole, self._mode, room))

    def minimumSizeHint(self) -> QSize:
        """Room for the ellipsis alone."""
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance("…"), metrics.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._show_elided()
