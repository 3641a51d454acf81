"""`StillRoom`: the room of one label whose text changes while a model trains, which leaves all around it in place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class StillRoom(QWidget):
    """Asks for another layout only where its label needs more room than it has.

    A label asks with every text, and the whole window is laid out anew: a millisecond or two, ten times a second.
    """

    def __init__(self, label: QLabel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = label
        label.setParent(self)
        self.setSizePolicy(label.sizePolicy())

    @property
    def _is_enough(self) -> bool:
        if self._label.wordWrap():  # its size hint would be found by laying the text out in several widths
            return self._label.heightForWidth(self.width()) <= self.height()
        if self.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored:
            return self._label.fontMetrics().height() <= self.height()
        needed = self._label.sizeHint()
        return needed.width() <= self.width() and needed.height() <= self.height()

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Take what the label asks for: nobody else hears of it, since there is no layout here."""
        if event.type() == QEvent.Type.LayoutRequest and not self._is_enough:
            self.updateGeometry()
        return super().event(event)

    def sizeHint(self) -> QSize:
        """Return the label's."""
        return self._label.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return the label's."""
        return self._label.minimumSizeHint().expandedTo(self._label.minimumSize())

    def hasHeightForWidth(self) -> bool:
        """Whether the label's text is broken into lines."""
        return self._label.hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        """Return the label's."""
        return self._label.heightForWidth(width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the label all of the room."""
        super().resizeEvent(event)
        self._label.setGeometry(self.rect())

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for what the label needs now: while it was hidden it asked nobody."""
        super().showEvent(event)
        self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:
        """Ask anew for text of another size."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()
