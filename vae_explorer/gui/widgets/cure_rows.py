"""`CureRows`: one line a cure: its button, its value, and a way back."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QToolButton, QWidget

from vae_explorer.gui.cures import CURES, Cure
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.number_field import NumberField


class CureRows(QWidget):
    """The person decides the value; what is in force and what can be applied is told from outside.

    asked(str, float): apply this cure with this value. undo_asked(str): take the newest application of it back.
    """

    asked = Signal(str, float)
    undo_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._apply: dict[Cure, QPushButton] = {}
        self._fields: dict[Cure, NumberField] = {}
        self._undo: dict[Cure, QToolButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GRID_PX // 2)
        self._grid.setColumnStretch(0, 1)
        for row, cure in enumerate(CURES):
            self._add_row(row, cure)

    def _add_row(self, row: int, cure: Cure) -> None:
        name, unit, _ = self._words()[cure]
        button = QPushButton(name)
        button.setObjectName(f"cure_{cure}")
        button.clicked.connect(lambda: self.asked.emit(cure, self._fields[cure].value()))
        field = self._make_field(cure)
        field.setObjectName(f"cure_{cure}_value")
        field.setAccessibleName(f"{name}: {unit}")
        field.set_help(unit)
        field.setFixedWidth(9 * GRID_PX)
        undo = QToolButton()
        undo.setObjectName(f"cure_{cure}_undo")
        undo.setText(self.tr("Undo"))
        undo.clicked.connect(lambda: self.undo_asked.emit(cure))
        for column, widget in enumerate((button, field, undo)):
            self._grid.addWidget(widget, row, column)
        self._apply[cure], self._fields[cure], self._undo[cure] = button, field, undo

    @staticmethod
    def _make_field(cure: Cure) -> NumberField:
        if cure == "warmup":
            return NumberField(2000, minimum=1, maximum=1e9, is_integer=True, step=500)
        if cure == "free_bits":
            return NumberField(0.1, minimum=0.0, maximum=100.0, step=0.05)
        return NumberField(0.25, minimum=0.0, maximum=1000.0, step=0.05)

    def _words(self) -> dict[Cure, tuple[str, str, str]]:
        """Name, what the number is, and what the cure does."""
        return {
            "warmup": (
                self.tr("Warm-up"),
                self.tr("steps of the climb"),
                self.tr("Set beta to 0 and let it climb to its value again, so that codes pay before they cost."),
            ),
            "free_bits": (
                self.tr("Free bits"),
                self.tr("nats of each dimension"),
                self.tr("Let each dimension's KL, averaged over the batch, cost nothing up to so many nats."),
            ),
            "beta": (
                self.tr("Lower beta"),
                self.tr("weight of the KL"),
                self.tr("Weigh the KL less; below 1 what is trained is no bound any more."),
            ),
        }

    def show_state(self, cure: Cure, *, obstacle: str, can_undo: bool, now: str) -> None:
        """Say whether a cure can be applied (else why not) and undone; now: the value that is in force."""
        help_ = self._words()[cure][2]
        button, undo = self._apply[cure], self._undo[cure]
        button.setEnabled(not obstacle)
        self._fields[cure].setEnabled(not obstacle)
        text = self.tr("{help} From the next update on, with a mark on the curves. Now: {now}.")
        button.setToolTip(obstacle or text.format(help=help_, now=now))
        button.setAccessibleDescription(button.toolTip())
        undo.setEnabled(can_undo and not obstacle)
        undo.setToolTip(self.tr("Restore the value before."))

    def set_value(self, cure: Cure, value: float) -> None:
        """Suggest a value."""
        self._fields[cure].set_value(value)
