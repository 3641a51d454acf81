"""`TermLines`: a formula, and under it each of its terms with sign, number, error, a small curve and its meaning."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.gui.formula_page import Page, TermLine
from vae_explorer.gui.theme import GRID_PX, current_theme, use_tabular_digits
from vae_explorer.gui.widgets.curve_text import nats_text
from vae_explorer.gui.widgets.plot_style import term_colour, tick_font
from vae_explorer.gui.widgets.sparkline import Sparkline

SIGN, SYMBOL, VALUE, ERROR, CURVE = range(5)


class _Line:
    """The widgets of one term, two rows of the grid."""

    def __init__(self, grid: QGridLayout, row: int) -> None:
        self.sign, self.symbol, self.value, self.error, self.meaning = (QLabel() for _ in range(5))
        self.curve = Sparkline()
        for column, label in ((SIGN, self.sign), (SYMBOL, self.symbol), (VALUE, self.value), (ERROR, self.error)):
            grid.addWidget(label, 2 * row, column)
        grid.addWidget(self.curve, 2 * row, CURVE)
        grid.addWidget(self.meaning, 2 * row + 1, SYMBOL, 1, CURVE)
        self.symbol.setTextFormat(Qt.TextFormat.RichText)
        self.sign.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.meaning.setWordWrap(True)
        self.meaning.setContentsMargins(0, 0, 0, GRID_PX // 2)
        use_tabular_digits(self.value, is_bold=True)
        self.value.setObjectName(f"formula_value_{row}")
        self.symbol.setObjectName(f"formula_symbol_{row}")

    def show(self, line: TermLine) -> None:
        """Show a term."""
        theme = current_theme()
        colour = (QColor(theme.error) if line.colour == "error" else term_colour(line.colour, theme)).name()
        self.sign.setText(line.sign)
        self.symbol.setText(f'<span style="color:{colour}">{line.symbol}</span>')
        estimate = line.estimate
        self.value.setText(line.text or ("–" if estimate is None else nats_text(estimate.value)))
        self.value.setStyleSheet(f"color: {colour};")
        error = None if estimate is None or line.text else estimate.error
        self.error.setText("" if not error else f"± {_small(error)}")
        self.meaning.setText(line.meaning)
        self.curve.set_values(line.curve, term=line.colour, over=line.over)
        for label in (self.error, self.meaning):
            label.setFont(tick_font())
            label.setStyleSheet(f"color: {theme.muted};")
        for widget in self.widgets:
            widget.setVisible(True)

    def hide(self) -> None:
        """Take the term's room away."""
        for widget in self.widgets:
            widget.setVisible(False)

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """All that belongs to the line."""
        return (self.sign, self.symbol, self.value, self.error, self.curve, self.meaning)


class TermLines(QScrollArea):
    """Scrolls up and down where a page has more lines than there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Formula and its terms; arrow keys scroll"))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, GRID_PX // 2, 0)
        column.setSpacing(GRID_PX // 2)
        self._formula = QLabel()
        self._formula.setObjectName("formula_formula")
        self._formula.setTextFormat(Qt.TextFormat.RichText)
        self._formula.setWordWrap(True)
        self._note = QLabel()
        self._note.setObjectName("formula_note")
        self._note.setWordWrap(True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GRID_PX)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(CURVE, 1)
        column.addWidget(self._formula)
        column.addLayout(self._grid)
        column.addWidget(self._note)
        column.addStretch(1)
        self.setWidget(content)
        self._lines: list[_Line] = []
        self._page: Page | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_page(self, page: Page) -> None:
        """Show a page in the place of the one before."""
        self._page = page
        theme = current_theme()
        self._formula.setText(f'<span style="font-size:large">{page.formula}</span>')
        while len(self._lines) < len(page.lines):
            self._lines.append(_Line(self._grid, len(self._lines)))
        for at, line in enumerate(self._lines):
            if at < len(page.lines):
                line.show(page.lines[at])
            else:
                line.hide()
        self._note.setText(page.note)
        self._note.setVisible(bool(page.note))
        self._note.setFont(tick_font())
        self._note.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and getattr(self, "_page", None) is not None:
            assert self._page is not None
            self.show_page(self._page)


def _small(value: float) -> str:
    return f"{value:.2f}" if value >= 0.095 else f"{value:.1g}"
