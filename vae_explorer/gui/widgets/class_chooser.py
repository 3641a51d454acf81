"""`ClassChooser`: under which class of M2 a code is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QWidget

_MOST_CHARS = 12


class ClassChooser(QComboBox):
    """'auto', then each class; hidden while there are none. chosen(object): a class (int), or None for auto."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("map_class")
        help_ = self.tr(
            "The class that codes are decoded as (M2). auto: the most probable class of the selected image; the mean "
            "over all classes where a code belongs to no image."
        )
        self.setToolTip(help_)
        self.setAccessibleName(help_)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.currentIndexChanged.connect(self._on_index)
        self.set_classes(())

    def set_classes(self, names: Sequence[str]) -> None:
        """Offer these classes, the choice going back to auto without emitting; none of them hides the box."""
        was_blocked = self.blockSignals(True)
        self.clear()
        self.addItem(self.tr("auto class"), None)
        for label, name in enumerate(names):
            self.addItem(name if len(name) <= _MOST_CHARS else name[: _MOST_CHARS - 1] + "…", label)
        self.blockSignals(was_blocked)
        self.setVisible(bool(names))

    def set_label(self, label: int | None) -> None:
        """Show a choice, without emitting."""
        was_blocked = self.blockSignals(True)
        self.setCurrentIndex(max(0, self.findData(label)))
        self.blockSignals(was_blocked)

    def _on_index(self) -> None:
        self.chosen.emit(self.currentData())
