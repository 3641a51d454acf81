"""`WorthTable`: what a model is worth, figure by figure: value, error, unit and meaning, and notes below."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLabel,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.gui.report_words import ReportRow
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.plot_style import tick_font

N_FIT = 4
"""The first columns are as wide as they need, the meaning takes the rest."""

NOTE_LINES = 4


class WorthTable(QWidget):
    """Can be read and copied cell by cell with the keyboard; empty until a report is there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = QTableWidget(0, N_FIT + 1)
        self._table.setObjectName("worth_table")
        self._table.setAccessibleName(self.tr("Figures of the evaluation"))
        headings = (self.tr("Figure"), self.tr("Value"), self.tr("Error"), self.tr("Unit"), self.tr("Meaning"))
        self._table.setHorizontalHeaderLabels(headings)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setShowGrid(False)
        self._table.setWordWrap(False)
        self._table.setTabKeyNavigation(False)
        self._table.verticalHeader().hide()
        header = self._table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(N_FIT):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(N_FIT, QHeaderView.ResizeMode.Stretch)
        self._notes = QLabel()
        self._notes.setObjectName("worth_notes")
        self._notes.setWordWrap(True)
        self._notes.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.setSpacing(GRID_PX // 2)
        self._notes_scroll = QScrollArea()
        self._notes_scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._notes_scroll.setWidgetResizable(True)
        self._notes_scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._notes_scroll.setWidget(self._notes)
        column_.addWidget(self._table, 1)
        column_.addWidget(self._notes_scroll)
        self.show_report([], [])
        self._restyle()

    def show_report(self, rows: list[ReportRow], notes: list[str]) -> None:
        """Show lines and what has to be said of them; nothing for no lines."""
        self._table.setRowCount(len(rows))
        for at, row in enumerate(rows):
            for column, text in enumerate((row.name, row.value, row.error, row.unit, row.meaning)):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{row.key}: {row.meaning}")
                if column == 1:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._table.setItem(at, column, item)
        self._notes.setText("\n".join(notes))
        self._notes_scroll.setVisible(bool(notes))
        self._fit_rows()

    def _fit_rows(self) -> None:
        height = self._table.fontMetrics().height() + GRID_PX // 2
        self._table.verticalHeader().setMinimumSectionSize(height)
        self._table.verticalHeader().setDefaultSectionSize(height)

    def _restyle(self) -> None:
        theme = current_theme()
        self._table.setFont(tick_font())
        self._table.horizontalHeader().setFont(tick_font())
        self._fit_rows()
        self._table.setStyleSheet(
            f"QTableWidget {{ background: {theme.surface}; border: 1px solid {theme.line}; }}"
            f"QHeaderView::section {{ background: {theme.window}; color: {theme.muted}; border: none;"
            " padding: 2px 4px; }"
        )
        self._notes.setFont(tick_font())
        # The table keeps most of the room; what has more lines is scrolled.
        self._notes_scroll.setFixedHeight(NOTE_LINES * self._notes.fontMetrics().lineSpacing() + 2)
        self._notes.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_notes"):
            self._restyle()
