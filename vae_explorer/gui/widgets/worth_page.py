"""`WorthPage`: asks for an evaluation of a split, shows how far it is, and its figures in a table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from vae_explorer.gui.report_words import report_notes, report_rows
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.task_bar import TaskBar
from vae_explorer.gui.widgets.worth_table import WorthTable


class WorthPage(QWidget):
    """asked(str, int): evaluate this split with so many codes an image. cancelled(): end the evaluation."""

    asked = Signal(str, int)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID_PX // 2)
        column.addLayout(self._make_question())
        self._empty = QLabel(
            self.tr("Evaluate works out log p(x), the gap, active units and more, each with its error.")
        )
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setObjectName("worth_empty")
        self._table = WorthTable()
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._table)
        column.addLayout(self._stack, 1)

    def _make_question(self) -> QHBoxLayout:
        self._split = QComboBox()
        self._split.setObjectName("worth_split")
        self._split.setToolTip(self.tr("The images that the figures are means over."))
        self._samples = NumberField(64, minimum=1, maximum=100_000, is_integer=True, step=64)
        self._samples.setObjectName("worth_samples")
        self._samples.setFixedWidth(8 * GRID_PX)
        self._samples.set_help(self.tr("Codes drawn for each image: more make log p(x) tighter, and take longer."))
        self._evaluate = QPushButton(self.tr("Evaluate"))
        self._evaluate.setObjectName("worth_evaluate")
        self._help = self.tr("Work out what the model is worth, from a copy of its weights as they are.")
        self._evaluate.setToolTip(self._help)
        self._evaluate.clicked.connect(self._on_evaluate)
        self._task = TaskBar("assessing")
        self._task.cancelled.connect(self.cancelled)
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        for widget in (QLabel(self.tr("Images")), self._split, QLabel(self.tr("Codes")), self._samples, self._evaluate):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._task)
        self._heading = QLabel()
        self._heading.setObjectName("worth_heading")
        row.addWidget(self._heading)
        return row

    def set_splits(self, sizes: dict[str, int]) -> None:
        """Offer splits by name with their number of images; the first that has any is chosen."""
        self._split.clear()
        for name, size in sizes.items():
            if size:
                self._split.addItem(self.tr("{name} ({n})").format(name=name, n=f"{size:,}"), name)

    def set_obstacle(self, reason: str) -> None:
        """Say why nothing can be evaluated, '' where it can."""
        self._evaluate.setEnabled(not reason)
        self._evaluate.setToolTip(reason or self._help)

    def begin(self) -> None:
        """An evaluation is under way."""
        self._evaluate.setEnabled(False)
        self._heading.setText("")
        self._task.begin(self.tr("evaluating"))

    def set_progress(self, fraction: float) -> None:
        """Show the share of the images that is done."""
        self._task.set_progress(fraction)

    def end(self, report: dict[str, Any] | None, message: str = "") -> None:
        """The evaluation has ended with a report, or with a message why there is none."""
        self._task.end()
        self._evaluate.setEnabled(True)
        if report is not None:
            self._table.show_report(report_rows(report), report_notes(report))
            self._heading.setText(_heading(report))
            self._stack.setCurrentWidget(self._table)
        elif message:
            self._empty.setText(message)
            self._stack.setCurrentWidget(self._empty)

    def clear(self) -> None:
        """Forget the figures (another run)."""
        self._task.end()
        self._heading.setText("")
        self._table.show_report([], [])
        self._stack.setCurrentWidget(self._empty)

    def _on_evaluate(self) -> None:
        split = self._split.currentData()
        if split is not None:
            self.asked.emit(split, int(self._samples.value()))


def _heading(report: dict[str, Any]) -> str:
    """'180 images · K = 64 · step 15,000', what the figures were made from."""
    return " · ".join(
        text.format(n=f"{report[key]:,}")
        for key, text in (("n", "{n} images"), ("samples", "K = {n}"), ("step", "step {n}"))
        if report.get(key) is not None
    )
