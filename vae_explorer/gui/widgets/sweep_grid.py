"""Small multiples of a sweep: one little latent map a model, all to one scale, chosen by keys or the mouse."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from vae_explorer.gui.sweep_words import ModelFigures
from vae_explorer.gui.theme import GRID_PX, Theme, current_theme
from vae_explorer.gui.widgets.plot_style import tick_font

Floats = NDArray[np.float32]

DOT_PX = 1.5
"""Radius of a point."""
PRIOR_SIGMAS = 2.0
"""Radius of the ring that shows where the prior is."""
LEAST_HALF = 3.0
"""The least half side of a map: all of the prior is seen."""
_OUTSIDE = 0.005
"""Share of the points that may lie beyond the common scale."""
_TWO_LINES_PX = 84
"""A tile at least so high has a second line of figures."""
_GAP_PX = GRID_PX // 2


class SweepGrid(QWidget):
    """Tiles in rows, as large as there is room for.

    selected_changed(int): the chosen tile is another one; opened(int): it is to be shown as the open run.
    """

    selected_changed = Signal(int)
    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sweep_grid")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 96)
        self._models: Sequence[ModelFigures] = ()
        self._points: list[Floats] = []
        self._labels: NDArray[np.int64] | None = None
        self._is_linked = True
        self._shown = -1
        self.selected = 0
        """Place of the chosen tile."""
        self.setAccessibleName(self.tr("Latent maps of the models of the sweep"))

    # ---- what is shown ----------------------------------------------------------------------------------------------

    def set_models(self, models: Sequence[ModelFigures]) -> None:
        """Show these models; the points of others are forgotten."""
        if len(models) != len(self._models):
            self._points = []
            self.selected = min(self.selected, max(0, len(models) - 1))
        self._models = models
        self._describe()
        self.update()

    def set_codes(self, loc: Floats | None, labels: NDArray[np.int64] | None) -> None:
        """Show mean codes (M, n, latent_dim), coloured by the labels (n,); None: none yet."""
        self._points = [] if loc is None else [plane_points(of_one) for of_one in loc]
        self._labels = labels
        self.update()

    def set_shown(self, place: int) -> None:
        """Mark the model that is the open run, and choose it."""
        self._shown = place
        self.select(place)
        self.update()

    def set_linked(self, is_linked: bool) -> None:
        """Draw all maps to one scale (True), or each to its own."""
        self._is_linked = is_linked
        self.update()

    def select(self, place: int) -> None:
        """Choose a tile."""
        place = max(0, min(place, len(self._models) - 1))
        if place != self.selected:
            self.selected = place
            self._describe()
            self.update()
            self.selected_changed.emit(place)

    def tile_rect(self, place: int) -> QRect:
        """Return where a tile lies."""
        n_columns, width, height = self._layout()
        row, column = divmod(place, n_columns)
        return QRect(column * (width + _GAP_PX), row * (height + _GAP_PX), width, height)

    def half_side(self, place: int) -> float:
        """Return half the side of a tile's map, in the units of the codes."""
        if self._is_linked:
            return max((_half_of(points) for points in self._points), default=LEAST_HALF)
        return _half_of(self._points[place]) if place < len(self._points) else LEAST_HALF

    def _layout(self) -> tuple[int, int, int]:
        """Columns, and the width and height of a tile: the arrangement with the largest maps."""
        n = max(1, len(self._models))
        best = (0.0, 1, 1, 1)
        for n_columns in range(1, n + 1):
            n_rows = math.ceil(n / n_columns)
            width = (self.width() - (n_columns - 1) * _GAP_PX) // n_columns
            height = (self.height() - (n_rows - 1) * _GAP_PX) // n_rows
            best = max(best, (min(width, height - self._head(height)), n_columns, max(1, width), max(1, height)))
        return best[1:]

    def _head(self, height: int) -> int:
        """Height of the lines above a map."""
        line = self.fontMetrics().height()
        return 2 * line if height >= _TWO_LINES_PX else line

    def _describe(self) -> None:
        self.setAccessibleDescription(self._models[self.selected].sentence if self._models else "")

    # ---- painting ---------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.surface))
        for place in range(len(self._models)):
            self._paint_tile(painter, place, theme)
        painter.end()

    def _paint_tile(self, painter: QPainter, place: int, theme: Theme) -> None:
        rect, model = self.tile_rect(place), self._models[place]
        head = self._head(rect.height())
        is_selected = place == self.selected
        self._paint_head(painter, rect, model, theme, is_shown=place == self._shown)
        frame = QRect(rect.left(), rect.top() + head, rect.width(), rect.height() - head)
        if place < len(self._points):
            self._paint_map(painter, frame, place, theme)
        colour = theme.accent if is_selected else theme.line
        painter.setPen(QPen(QColor(colour), 2 if is_selected and self.hasFocus() else 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(frame.adjusted(1, 1, -1, -1))

    def _paint_head(self, painter: QPainter, rect: QRect, model: ModelFigures, theme: Theme, *, is_shown: bool) -> None:
        line = QRect(rect.left() + 2, rect.top(), rect.width() - 4, self.fontMetrics().height())
        name = self._fitting_name(painter, model, line.width(), is_shown=is_shown)
        painter.setPen(QColor(theme.accent if is_shown else theme.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        taken = painter.fontMetrics().horizontalAdvance(name) + GRID_PX
        painter.setFont(tick_font())
        metrics = painter.fontMetrics()
        if taken + metrics.horizontalAdvance(model.bound) <= line.width():
            painter.setPen(QColor(theme.elbo))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, model.bound)
        if rect.height() >= _TWO_LINES_PX:
            painter.setPen(QColor(theme.error if model.left_at is not None else theme.muted))
            line.translate(0, self.fontMetrics().height())
            fitting = (text for text in model.parts if metrics.horizontalAdvance(text) <= line.width())
            text = next(fitting, metrics.elidedText(model.parts[-1], Qt.TextElideMode.ElideRight, line.width()))
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _fitting_name(self, painter: QPainter, model: ModelFigures, width: int, *, is_shown: bool) -> str:
        """Return the longest name that fits, and set the font for it: the large one where it does for all tiles."""
        bold = QFont(self.font())
        bold.setBold(True)
        painter.setFont(bold)
        if any(painter.fontMetrics().horizontalAdvance(other.name) > width for other in self._models):
            painter.setFont(tick_font())
        metrics = painter.fontMetrics()
        names = (f"{model.name} ◂", *model.names) if is_shown else model.names
        fitting = (name for name in names if metrics.horizontalAdvance(name) <= width)
        return next(fitting, metrics.elidedText(names[-1], Qt.TextElideMode.ElideRight, width))

    def _paint_map(self, painter: QPainter, frame: QRect, place: int, theme: Theme) -> None:
        scale = min(frame.width(), frame.height()) / (2 * self.half_side(place))
        centre = QPointF(frame.center())
        painter.save()
        painter.setClipRect(frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawEllipse(centre, PRIOR_SIGMAS * scale, PRIOR_SIGMAS * scale)
        ratio = self.devicePixelRatioF()
        image = _dots(self._points[place] * scale, self._labels, size=frame.size(), ratio=ratio, theme=theme)
        painter.drawImage(QRectF(frame), image)
        painter.restore()

    # ---- hands ------------------------------------------------------------------------------------------------------

    def _place_at(self, point: QPointF) -> int | None:
        hits = (place for place in range(len(self._models)) if self.tile_rect(place).contains(point.toPoint()))
        return next(hits, None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self.select(place)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows, Home and End choose a tile, Return shows it."""
        n_columns = self._layout()[0]
        steps = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -n_columns, Qt.Key.Key_Down: n_columns,
            Qt.Key.Key_Home: -len(self._models), Qt.Key.Key_End: len(self._models),
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key()))
        if not self._models:
            super().keyPressEvent(event)
        elif step is not None:
            target = self.selected + step
            is_inside = 0 <= target < len(self._models) or event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End)
            self.select(target if is_inside else self.selected)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(self.selected)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Tell the figures of the tile under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self._place_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), "" if place is None else self._models[place].sentence, self)
            return True
        return super().event(event)

    def sizeHint(self) -> QSize:
        return QSize(480, 240)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


def plane_points(loc: Floats) -> Floats:
    """Return the two dimensions of codes (n, d) that vary most, in their order; of one dimension a line."""
    if loc.shape[1] == 1:
        return np.column_stack([loc[:, 0], np.zeros(len(loc), dtype=np.float32)])
    axes = np.sort(np.argsort(loc.var(axis=0))[-2:])
    return np.ascontiguousarray(loc[:, axes])


def _half_of(points: Floats) -> float:
    """Half the side of a map that holds all but a few of the points, and the prior."""
    finite = np.abs(points[np.isfinite(points).all(axis=1)])
    return max(LEAST_HALF, float(np.quantile(finite, 1 - _OUTSIDE))) if finite.size else LEAST_HALF


def _dots(offsets: Floats, labels: NDArray[np.int64] | None, *, size: QSize, ratio: float, theme: Theme) -> QImage:
    """Return dots at offsets (n, 2) in pixels from the centre, y upwards, as a transparent image."""
    width, height = max(1, round(size.width() * ratio)), max(1, round(size.height() * ratio))
    reach = math.ceil(DOT_PX * ratio)
    columns = np.rint(offsets[:, 0] * ratio + width / 2)
    rows = np.rint(height / 2 - offsets[:, 1] * ratio)
    with np.errstate(invalid="ignore"):
        is_inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    colours = _colours_of(labels, len(offsets), theme)[is_inside]
    x, y = columns[is_inside].astype(np.int64) + reach, rows[is_inside].astype(np.int64) + reach
    pixels = np.zeros((height + 2 * reach, width + 2 * reach), dtype=np.uint32)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if math.hypot(dx, dy) <= DOT_PX * ratio:
                pixels[y + dy, x + dx] = colours
    shown = np.ascontiguousarray(pixels[reach:-reach, reach:-reach])
    return QImage(shown.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _colours_of(labels: NDArray[np.int64] | None, n: int, theme: Theme) -> NDArray[np.uint32]:
    if labels is None:
        return np.full(n, QColor(theme.accent).rgba(), dtype=np.uint32)
    table = np.array([QColor(colour).rgba() for colour in (*theme.classes, theme.muted)], dtype=np.uint32)
    return table[np.where(labels < 0, len(theme.classes), labels % len(theme.classes))]
