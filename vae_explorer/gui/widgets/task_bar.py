"""`TaskBar`: what is being loaded or exported, how far it is, and a way to cancel it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from vae_explorer.gui.theme import GRID_PX


class TaskBar(QWidget):
    """Hidden while nothing is under way. cancelled(): the person wants it to end."""

    cancelled = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._label = QLabel()
        self._label.setObjectName(f"{name}_text")
        self._label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedSize(16 * GRID_PX, GRID_PX)
        self._cancel = QToolButton()
        self._cancel.setObjectName(f"{name}_cancel")
        self._cancel.setText(self.tr("Cancel"))
        self._cancel.setToolTip(self.tr("End what is under way; nothing is left half written."))
        self._cancel.setAutoRaise(True)
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX, 0, 0, 0)
        row.setSpacing(GRID_PX)
        for widget in (self._label, self._progress, self._cancel):
            row.addWidget(widget)
        self.hide()

    def begin(self, what: str) -> None:
        """Show that something is under way whose length is not known yet."""
        self._label.setText(what)
        self._progress.setRange(0, 0)
        self._cancel.setEnabled(True)
        self.show()

    def set_progress(self, fraction: float, what: str = "") -> None:
        """Show the share that is done, 0 to 1, and what is being done if that is said."""
        if what:
            self._label.setText(what)
        self._progress.setRange(0, 1000)
        self._progress.setValue(round(1000 * fraction))
        self.show()

    def end(self) -> None:
        """Nothing is under way any more."""
        self._progress.setRange(0, 1)
        self.hide()
