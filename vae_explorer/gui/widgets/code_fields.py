"""`CodeFields`: the numbers of a code as fields, one for each latent dimension that is offered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.number_field import NumberField

STEP = 0.05
"""What an arrow key in a field adds."""


class CodeFields(QWidget):
    """A row of labelled number fields.

    edited(object): the person has entered another number; float32 (n,), the others exact whatever digits are shown.
    """

    edited = Signal(object)

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        """prefix: of the fields' object names, such as 'map' for map_0, map_1."""
        super().__init__(parent)
        self._prefix = prefix
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID_PX // 2)
        self._labels: list[QLabel] = []
        self._fields: list[NumberField] = []
        self._values = np.zeros(0, dtype=np.float32)

    def set_names(self, names: Sequence[str], helps: Sequence[str]) -> None:
        """Offer fields of these names, each with its tooltip."""
        while len(self._fields) > len(names):
            for widget in (self._fields.pop(), self._labels.pop()):
                self._row.removeWidget(widget)
                widget.deleteLater()
        while len(self._fields) < len(names):
            field, label = NumberField(step=STEP), QLabel()
            field.setObjectName(f"{self._prefix}_{len(self._fields)}")
            field.setMaximumWidth(11 * GRID_PX)
            field.value_changed.connect(self._on_value_changed)
            label.setBuddy(field)
            self._labels.append(label)
            self._fields.append(field)
            self._row.addWidget(label)
            self._row.addWidget(field)
        self._values = np.zeros(len(names), dtype=np.float32)
        for label, field, name, help_text in zip(self._labels, self._fields, names, helps, strict=True):
            label.setText(name)
            field.set_help(help_text)
            field.setAccessibleName(name)

    def set_values(self, values: NDArray[np.floating]) -> None:
        """Show finite numbers (n,), without emitting."""
        self._values = np.array(values, dtype=np.float32)
        for field, value in zip(self._fields, values.tolist(), strict=True):
            # Four digits are read at a glance; the person may enter more.
            field.set_value(float(f"{value:.4g}"))

    @property
    def fields(self) -> list[NumberField]:
        """The fields, first dimension first."""
        return list(self._fields)

    def _on_value_changed(self, value: float) -> None:
        values = self._values.copy()
        values[self._fields.index(self.sender())] = value  # type: ignore[arg-type]
        self.edited.emit(values)
