"""`KlStrips`: the KL of each latent dimension over training as one strip a dimension, and as bars at the step read."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.plot_style import tick_font

Floats = NDArray[np.float64]
BAR_SHARE = 0.24
"""Of the width, for the bars and their numbers."""
MOST_ROW_PX = 34


class KlStrips(QWidget):
    """Time goes to the right, colour is the KL; the bars at the right show the row of the reading line.

    The pointer or the arrow keys move the reading line (left, right, Home, End) and the dimension (up, down);
    Escape reads the newest again. read(): what is read has changed; see `row` and `dimension`.
    """

    read = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._kl: Floats = np.empty((0, 0))
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._off: frozenset[int] = frozenset()
        self._row: int | None = None
        self._at: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("KL of each dimension over training; arrow keys read values"))

    # ---- what is shown --------------------------------------------------------------------------------------------

    def set_history(self, steps: NDArray[np.int64], kl: Floats, *, is_sorted: bool = False) -> None:
        """Show kl (n, d), nats, at steps (n,); is_sorted: the dimension with the largest newest KL first."""
        is_other = kl.shape[1:] != self._kl.shape[1:]
        self._steps, self._kl = steps, kl
        if is_other:
            self._row = self._at = None
        if self._row is not None:
            self._row = min(self._row, len(steps) - 1) if len(steps) else None
        n_dims = kl.shape[1]
        # A stable order of the newest values; a live run would shuffle its strips otherwise.
        newest = kl[-max(1, len(kl) // 20) :].mean(axis=0) if len(kl) else np.zeros(n_dims)
        self._order = np.argsort(-newest, kind="stable") if is_sorted else np.arange(n_dims)
        self.update()

    def set_off(self, dimensions: frozenset[int]) -> None:
        """Grey out the names of dimensions that carry nothing."""
        if dimensions != self._off:
            self._off = dimensions
            self.update()

    @property
    def row(self) -> int | None:
        """The row of the history that is read, the newest unless the person looks elsewhere; None without any."""
        if not len(self._steps):
            return None
        return len(self._steps) - 1 if self._row is None else self._row

    @property
    def dimension(self) -> int | None:
        """The dimension under the pointer or chosen by key."""
        return None if self._at is None else int(self._order[self._at])

    # ---- places ---------------------------------------------------------------------------------------------------

    def _top_px(self) -> float:
        """Room above the strips, so that the first name is whole where strips are lower than a name."""
        return 2.0 + self.fontMetrics().height() / 4

    def _row_px(self) -> float:
        room = self.height() - self._top_px() - self.fontMetrics().height() - GRID_PX / 2
        return min(MOST_ROW_PX, room / max(1, len(self._order)))

    def _strips(self) -> QRectF:
        """Where the strips are: between the names and the bars."""
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance(latent_name(len(self._order))) + GRID_PX
        right = max(self.width() * BAR_SHARE, metrics.horizontalAdvance("0.000") + 5 * GRID_PX)
        return QRectF(left, self._top_px(), max(1.0, self.width() - left - right), self._row_px() * len(self._order))

    def _rows_by_pixel(self, width: int) -> NDArray[np.int64]:
        """The row of the history at each pixel of the strips: steps grow evenly from left to right."""
        wanted = np.linspace(self._steps[0], self._steps[-1], width)
        return np.clip(np.searchsorted(self._steps, wanted), 0, len(self._steps) - 1)

    def _x_of(self, row: int, strips: QRectF) -> float:
        first, last = int(self._steps[0]), int(self._steps[-1])
        share = (int(self._steps[row]) - first) / (last - first) if last > first else 1.0
        return strips.left() + share * (strips.width() - 1)

    # ---- painting -------------------------------------------------------------------------------------------------

    def _image(self, width: int, top: float) -> QImage:
        theme = current_theme()
        low, high = (_rgb(colour) for colour in (theme.surface, theme.kl))
        values: Floats = self._kl[self._rows_by_pixel(width)][:, self._order].T  # (d, width)
        # The root: whether a dimension is dead or nearly so matters more than how high the highest is.
        share = np.sqrt(np.clip(values / top, 0.0, 1.0))[..., None]
        colours = np.ascontiguousarray(np.rint(low + (high - low) * share).astype(np.uint8))
        return QImage(colours.data, width, len(values), 3 * width, QImage.Format.Format_RGB888).copy()

    def _paint_names_and_bars(self, painter: QPainter, strips: QRectF, top: float) -> None:
        theme, height = current_theme(), self._row_px()
        metrics = painter.fontMetrics()
        every = max(1, math.ceil(0.9 * metrics.height() / height)) if height > 0 else 1
        value_px = metrics.horizontalAdvance("0.000")
        bars_left = strips.right() + GRID_PX
        bars_px = max(1.0, self.width() - bars_left - value_px - GRID_PX)
        row = self.row
        assert row is not None
        for place, dimension in enumerate(self._order.tolist()):
            y, value = strips.top() + place * height, float(self._kl[row, dimension])
            colour = QColor(theme.muted if dimension in self._off else theme.kl)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            gap = 1.0 if height > 4 else 0.0
            painter.drawRect(QRectF(bars_left, y + gap, max(1.0, bars_px * min(1.0, value / top)), height - 2 * gap))
            if place % every == 0 or place == self._at:
                room = QRectF(0, y + height / 2 - metrics.height() / 2, strips.left() - GRID_PX / 2, metrics.height())
                painter.setPen(QColor(theme.muted if dimension in self._off else theme.text))
                if self._at is None or abs(place - self._at) >= every or place == self._at:
                    flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    painter.drawText(room, flags, latent_name(dimension))
                    value_room = QRectF(self.width() - value_px - 1, room.y(), value_px + 1, room.height())
                    painter.drawText(value_room, flags, f"{value:.2f}" if value < 99 else f"{value:.0f}")

    def _paint_axis(self, painter: QPainter, strips: QRectF) -> None:
        theme = current_theme()
        room = QRectF(strips.left(), strips.bottom(), strips.width(), painter.fontMetrics().height() + GRID_PX / 2)
        painter.setPen(QColor(theme.muted))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, f"{int(self._steps[0]):,}")
        last = self.tr("step {n}").format(n=f"{int(self._steps[-1]):,}")
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, last)
        bars = QRectF(strips.right() + GRID_PX, room.y(), self.width() - strips.right() - GRID_PX, room.height())
        painter.drawText(bars, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, self.tr("nats"))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(40 * GRID_PX, 18 * GRID_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(24 * GRID_PX, 10 * GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(tick_font())
        row = self.row
        if row is None:
            painter.end()
            return
        theme, strips = current_theme(), self._strips()
        top = max(float(self._kl.max()), 1e-3)
        painter.drawImage(strips, self._image(max(1, int(strips.width())), top))
        painter.setPen(QPen(QColor(theme.line), 1.0))
        painter.drawRect(strips.adjusted(-0.5, -0.5, 0.5, 0.5))
        self._paint_names_and_bars(painter, strips, top)
        self._paint_axis(painter, strips)
        if self._row is not None:
            painter.setPen(QPen(QColor(theme.text), 1.0))
            x = self._x_of(row, strips)
            painter.drawLine(QPointF(x, strips.top()), QPointF(x, strips.bottom()))
        if self._at is not None:
            painter.setPen(QPen(QColor(theme.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(
                QRectF(strips.left(), strips.top() + self._at * self._row_px(), strips.width(), self._row_px())
            )
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not len(self._steps):
            return
        strips, at = self._strips(), event.position()
        place = int((at.y() - strips.top()) // self._row_px())
        self._at = place if 0 <= place < len(self._order) else None
        if strips.left() <= at.x() <= strips.right():
            rows = self._rows_by_pixel(max(1, int(strips.width())))
            self._row = int(rows[min(int(at.x() - strips.left()), len(rows) - 1)])
        self._show_read()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._row = self._at = None
        self._show_read()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, row = Qt.Key(event.key()), self.row
        if row is None:
            super().keyPressEvent(event)
            return
        last, stride = len(self._steps) - 1, max(1, len(self._steps) // 100)
        rows = {Qt.Key.Key_Left: row - stride, Qt.Key.Key_Right: row + stride, Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        if key in rows:
            self._row = min(max(rows[key], 0), last)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            down = key == Qt.Key.Key_Down
            at = (0 if down else len(self._order) - 1) if self._at is None else self._at + (1 if down else -1)
            self._at = min(max(at, 0), len(self._order) - 1)
        elif key == Qt.Key.Key_Escape and (self._row is not None or self._at is not None):
            self._row = self._at = None
        else:
            super().keyPressEvent(event)
            return
        self._show_read()

    def _show_read(self) -> None:
        self.update()
        self.read.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()


def _rgb(name: str) -> Floats:
    colour = QColor(name)
    return np.array([colour.red(), colour.green(), colour.blue()], dtype=np.float64)
