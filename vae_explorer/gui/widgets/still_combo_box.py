"""`StillComboBox`: a choice that the wheel passes by, in a form that is scrolled under the pointer."""

from __future__ import annotations

from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox


class StillComboBox(QComboBox):
    """Changes by press and key alone: turned where a form happens to stop, the wheel would change a setting unseen."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # goes on to the form, which scrolls
