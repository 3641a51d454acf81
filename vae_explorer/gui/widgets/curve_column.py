"""`CurveColumn`: a term's heading with its two numbers, and its plot below."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.gui.theme import current_theme, tabular_font
from vae_explorer.gui.widgets.curve_plot import CurvePlot
from vae_explorer.gui.widgets.curve_store import Term
from vae_explorer.gui.widgets.curve_text import figure_text, term_help, term_name
from vae_explorer.gui.widgets.plot_style import term_colour
from vae_explorer.gui.widgets.still_room import StillRoom

WIDE_PX = 300
"""From this width on the heading spells the term and its splits out."""


class CurveColumn(QWidget):
    """One term: `plot`, under a line such as 'ELBO −152.3 −153.9' (training, then held-out in bold)."""

    def __init__(self, term: Term, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.term = term
        self.plot = CurvePlot(term, self)
        self._train: float | None = None
        self._held_out: float | None = None
        self.heading = QLabel()
        self.heading.setObjectName(f"curves_heading_{term}")
        self.heading.setFont(tabular_font(self.font()))
        self.heading.setTextFormat(Qt.TextFormat.RichText)
        self.heading.setToolTip(term_help(term))
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(StillRoom(self.heading))
        layout.addWidget(self.plot, 1)

    def show_values(self, train: float | None, held_out: float | None) -> None:
        """Show the figures of both splits in the heading, None where there is none."""
        if (train, held_out) != (self._train, self._held_out):
            self._train, self._held_out = train, held_out
            self._show_heading()

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        self.plot.restyle()
        self._show_heading()

    def _show_heading(self) -> None:
        is_wide = self.width() >= WIDE_PX
        colour, muted = term_colour(self.term, current_theme()).name(), current_theme().muted
        name = escape(term_name(self.term, is_short=not is_wide))
        parts = [f'<b style="color:{colour}">{name}</b>']
        figures = [(self.tr("train"), self._train, "span"), (self.tr("held-out"), self._held_out, "b")]
        if self._held_out is not None and not is_wide and not self._has_room_for(name, self._train, self._held_out):
            figures = figures[1:]  # four plots or more: both numbers would be cut
        for label, value, tag in figures:
            if value is not None:
                words = f'<span style="color:{muted}">{escape(label)}</span> ' if is_wide else ""
                parts.append(f"{words}<{tag}>{figure_text(self.term, value)}</{tag}>")
        self.heading.setText("&nbsp;&nbsp;".join(parts))

    def _has_room_for(self, name: str, *values: float | None) -> bool:
        font = self.heading.font()
        font.setBold(True)
        text = "  ".join([name, *(figure_text(self.term, value) for value in values)])
        return QFontMetricsF(font).horizontalAdvance(text) <= self.width()

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_heading()
