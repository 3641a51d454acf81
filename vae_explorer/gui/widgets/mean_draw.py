"""`MeanDrawSwitch`: whether pictures show the mean of p(x|z) or a draw from it, and one more draw."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget


class MeanDrawSwitch(QWidget):
    """Two buttons of which one is down, and a third for another draw.

    drawing_changed(bool): the person wants draws (True) or means. redraw_asked(): another draw.
    """

    drawing_changed = Signal(bool)
    redraw_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self._mean = self._button(self.tr("Mean"), "show_mean", self.tr("Decoded pictures show the mean of p(x|z)."))
        self._draw = self._button(
            self.tr("A draw"), "show_draw", self.tr("Decoded pictures show a draw from p(x|z): each pixel is sampled.")
        )
        self._again = QToolButton(self)
        self._again.setText("↻")
        self._again.setObjectName("draw_again")
        self._again.setAutoRaise(True)
        self._again.setToolTip(self.tr("Take another draw."))
        self._again.setAccessibleName(self.tr("another draw"))
        self._group = QButtonGroup(self)
        for button in (self._mean, self._draw):
            self._group.addButton(button)
            row.addWidget(button)
        row.addWidget(self._again)
        self._draw.toggled.connect(self.drawing_changed)
        self._again.clicked.connect(self.redraw_asked)
        self.set_drawing(False)

    def set_drawing(self, is_drawing: bool) -> None:
        """Show which one is on, without emitting."""
        self._draw.blockSignals(True)
        (self._draw if is_drawing else self._mean).setChecked(True)
        self._draw.blockSignals(False)
        self._again.setEnabled(is_drawing)

    def _button(self, text: str, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setObjectName(name)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button
