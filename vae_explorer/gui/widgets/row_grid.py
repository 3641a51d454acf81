"""`RowGrid`: a scrolled grid of many equal rows whose widgets are made when they first come into sight."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


class RowGrid(QScrollArea):
    """Places a widget a key, in order, column after column where the width allows; 256 rows cost what is seen.

    row_shown(object): this key's widget came into sight (it may have been made just now) and should be brought up
    to date.
    """

    row_shown = Signal(object)

    def __init__(
        self,
        make_row: Callable[[int], QWidget],
        *,
        row_px: int,
        column_px: int,
        gap_px: int,
        parent: QWidget | None = None,
    ) -> None:
        """make_row: builds the widget of a key. column_px: least width of a column."""
        super().__init__(parent)
        self._make_row = make_row
        self._row_px, self._column_px, self._gap_px = row_px, column_px, gap_px
        self._keys: list[int] = []
        self._rows: dict[int, QWidget] = {}
        self._content = QWidget()
        self.setWidget(self._content)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(self._show_visible)

    def set_keys(self, keys: Sequence[int]) -> None:
        """Show these rows in this order; rows of keys that are gone are deleted, the others are moved."""
        for key in set(self._rows) - set(keys):
            self._rows.pop(key).deleteLater()
        self._keys = list(keys)
        self._arrange()

    @property
    def keys(self) -> list[int]:
        """The rows in order."""
        return list(self._keys)

    @property
    def rows(self) -> dict[int, QWidget]:
        """The widgets that were made so far, by key."""
        return self._rows

    def visible_keys(self) -> list[int]:
        """Return the rows in sight, and one line more, so that Tab always finds the next."""
        top = self.verticalScrollBar().value() // self._row_px
        lines = self.viewport().height() // self._row_px + 2
        per_column = self._lines()
        return [key for i, key in enumerate(self._keys) if top <= i % per_column < top + lines]

    def _columns(self) -> int:
        """As many as the width allows, but no more than it takes to see every row."""
        fitting = (self.viewport().width() + self._gap_px) // (self._column_px + self._gap_px)
        needed = -(-len(self._keys) * self._row_px // max(self.viewport().height(), self._row_px))
        return max(1, min(fitting, needed))

    def _lines(self) -> int:
        return max(1, -(-len(self._keys) // self._columns()))

    def _arrange(self) -> None:
        self._content.resize(self.viewport().width(), self._lines() * self._row_px)
        for key in self._rows:
            self._place(key)
        self._set_tab_order()
        self._show_visible()

    def _place(self, key: int) -> None:
        column, line = divmod(self._keys.index(key), self._lines())
        width = (self.viewport().width() - (self._columns() - 1) * self._gap_px) // self._columns()
        self._rows[key].setGeometry(column * (width + self._gap_px), line * self._row_px, width, self._row_px)

    def _show_visible(self) -> None:
        has_new = False
        for key in self.visible_keys():
            if key not in self._rows:
                self._rows[key] = self._make_row(key)
                self._rows[key].setParent(self._content)
                self._place(key)
                self._rows[key].show()
                has_new = True
            self.row_shown.emit(key)
        if has_new:
            self._set_tab_order()

    def _set_tab_order(self) -> None:
        """Tab goes along each row and then to the next; setTabOrder moves single widgets, so all are named in turn."""
        made = [self._rows[key] for key in self._keys if key in self._rows]
        for before, after in itertools.pairwise([child for row in made for child in _focusable(row)]):
            QWidget.setTabOrder(before, after)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()


def _focusable(widget: QWidget) -> list[QWidget]:
    return [child for child in widget.findChildren(QWidget) if child.focusPolicy() & Qt.FocusPolicy.TabFocus]
