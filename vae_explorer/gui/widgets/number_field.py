"""`NumberField`: a line for one number that takes 0.25 and 0,25 in every locale and never opens a dialog."""

from __future__ import annotations

import math
import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLineEdit, QWidget

from vae_explorer.gui.theme import current_theme, use_tabular_digits

_SIGNS = str.maketrans({"−": "-", "–": "-", "٫": "."})


_GROUPED_WHOLE = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+|(?:\.\d{3})+)")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3}){2,}")


def parse_number(text: str, *, is_whole: bool = False) -> float | None:
    """Return the finite number that `text` says, or None.

    Of a whole number comma and point group the digits in threes (1,000 and 1.000 are 1000), a comma elsewhere is no
    number. Of any other number a comma separates decimals (0,25 is 0.25), and so 1,000 is 1; only several commas can
    be nothing but groups (1,000,000).
    """
    text = text.strip().translate(_SIGNS)
    if (_GROUPED_WHOLE if is_whole else _GROUPED).fullmatch(text):
        text = text.replace(",", "").replace(".", "")
    try:
        value = float(text if is_whole else text.replace(",", "."))
    except ValueError:
        return None
    is_number = math.isfinite(value) and "_" not in text and (value.is_integer() or not is_whole)
    return value if is_number else None


class NumberField(QLineEdit):
    """A number between `minimum` and `maximum`.

    A new value is taken on Enter, on leaving the field, and by the arrow keys (PageUp and PageDown take ten steps);
    Escape restores the last one. Text that is no such number is framed in the error colour, its tooltip says what
    is expected, and `value()` stays what it was.

    value_changed(float): the person has entered another value; never emitted by `set_value`.
    """

    value_changed = Signal(float)

    def __init__(
        self,
        value: float = 0.0,
        parent: QWidget | None = None,
        *,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        step: float = 0.1,
        factor: float | None = None,
        is_integer: bool = False,
    ) -> None:
        """step: what an arrow key adds; factor: what it multiplies by instead, for a learning rate and its like."""
        super().__init__(parent)
        self._minimum, self._maximum = minimum, maximum
        self._step, self._factor = (max(1.0, step) if is_integer else step), factor
        self._is_integer = is_integer
        self._help = ""
        self._is_valid = True
        use_tabular_digits(self)
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("-0.000000"))
        self.textEdited.connect(self._check)
        self.editingFinished.connect(self._commit)
        self._value = self._clip(value)
        self._show_value()

    def value(self) -> float:
        """Return the newest valid value."""
        return self._value

    def set_value(self, value: float) -> None:
        """Show a value without emitting; text that is being typed right now is left alone until it is entered."""
        self._value = self._clip(value)
        if not (self.hasFocus() and self.isModified()):
            self._show_value()

    def set_range(self, minimum: float, maximum: float) -> None:
        """Change the limits; the value is moved into them without emitting."""
        self._minimum, self._maximum = minimum, maximum
        self.set_value(self._value)

    def is_valid(self) -> bool:
        """Whether the text is a number in range."""
        return self._is_valid

    def set_help(self, text: str) -> None:
        """Set the tooltip of a valid field; an invalid one says what is expected."""
        self._help = text
        self._mark(self._is_valid)

    def step_by(self, steps: int) -> None:
        """Move by so many steps of an arrow key, as the person's doing."""
        moved = self._value * self._factor**steps if self._factor else self._value + steps * self._step
        if not self._factor and not self._is_integer:
            # Sums of 0.1 would show as 0.30000000000000004 when copied; a step has few digits.
            moved = round(moved, 12)
        self._take(self._clip(moved))

    def expectation(self) -> str:
        """Return what may be entered, as one sentence."""
        kind = self.tr("a whole number") if self._is_integer else self.tr("a number")
        if math.isfinite(self._minimum) and math.isfinite(self._maximum):
            return self.tr("Expected {kind} from {low} to {high}.").format(
                kind=kind, low=f"{self._minimum:g}", high=f"{self._maximum:g}"
            )
        if math.isfinite(self._minimum):
            return self.tr("Expected {kind} of at least {low}.").format(kind=kind, low=f"{self._minimum:g}")
        return self.tr("Expected {kind}, such as 0.25.").format(kind=kind)

    def _clip(self, value: float) -> float:
        clipped = min(max(value, self._minimum), self._maximum)
        return float(round(clipped)) if self._is_integer else float(clipped)

    def _read(self) -> float | None:
        value = parse_number(self.text(), is_whole=self._is_integer)
        return value if value is not None and self._minimum <= value <= self._maximum else None

    def _check(self) -> None:
        self._mark(self._read() is not None)

    def _commit(self) -> None:
        value = self._read()
        if value is None:
            self._mark(False)
        elif self.isModified():
            self._take(value)

    def _take(self, value: float) -> None:
        has_changed = value != self._value
        self._value = value
        self._show_value()
        if has_changed:
            self.value_changed.emit(value)

    def _show_value(self) -> None:
        text = str(int(self._value)) if self._is_integer else f"{self._value:.6g}"
        if text != self.text():
            self.setText(text)
        self.setModified(False)
        self._mark(True)

    def _mark(self, is_valid: bool) -> None:
        has_changed, self._is_valid = is_valid != self._is_valid, is_valid
        text = self._help if is_valid else self.expectation()
        if text != self.toolTip():
            self.setToolTip(text)
            self.setAccessibleDescription(text)
        if has_changed:
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step on the arrow and page keys, restore on Escape."""
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        key = Qt.Key(event.key())
        if key in steps:
            self.step_by(steps[key])
        elif key == Qt.Key.Key_Escape and (self.isModified() or not self._is_valid):
            self._show_value()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line, and the error frame over it."""
        super().paintEvent(event)
        if not self._is_valid:
            painter = QPainter(self)
            painter.setPen(QPen(QColor(current_theme().error), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
            painter.end()
