"""`Figure`: one number with its name, in a colour that the term keeps everywhere, its digits of one width."""

from __future__ import annotations

import html
import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from vae_explorer.gui.theme import GRID_PX, use_tabular_digits
from vae_explorer.gui.widgets.still_room import StillRoom


class Figure(QWidget):
    """Shows 'name value'; a dash while there is no value. The width is that of the widest value expected."""

    def __init__(
        self, name: str, parent: QWidget | None = None, *, decimals: int = 2, widest: float = -8888.88
    ) -> None:
        super().__init__(parent)
        self._decimals = decimals
        self._name = QLabel(name)
        self._value = QLabel("–")
        use_tabular_digits(self._value, is_bold=True)
        self._value.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance(number_text(widest, decimals)))
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX // 2, 0, GRID_PX // 2, 0)
        row.setSpacing(GRID_PX // 2)
        row.addWidget(self._name)
        row.addWidget(StillRoom(self._value))
        self.setAccessibleName(name)

    @property
    def text(self) -> str:
        """The value as it is shown."""
        return self._value.text()

    def set_value(self, value: float | None) -> None:
        """Show a value; None and what is not finite are a dash."""
        self._value.setText("–" if value is None or not math.isfinite(value) else number_text(value, self._decimals))
        self.setAccessibleDescription(self._value.text())

    def set_colour(self, colour: str) -> None:
        """Give the name the colour of its term."""
        # No style sheet: a widget that has one no longer follows the application's size of text.
        self._name.setText(f'<span style="color: {colour}">{html.escape(self.accessibleName())}</span>')


def number_text(value: float, decimals: int) -> str:
    """Return '−1,234.50': thousands apart, a true minus sign as wide as a plus."""
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−")
