"""`CurvePlot`: one term's training and held-out curves, the marks of changes by hand, and a cursor to read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QToolTip, QWidget

from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.curve_store import Floats, Split, Term, XAxis
from vae_explorer.gui.widgets.light_axis import LightAxis, light_axes
from vae_explorer.gui.widgets.plot_style import (
    apply_plot_theme,
    line_pen,
    prepare_plot,
    term_colour,
    tick_font,
    translucent,
)

TRAIN_PX, HELD_OUT_PX = 1.0, 2.0
LEFT_AXIS_PX = 44
"""The same for all, so that plots side by side are equally wide and do not jump when numbers grow a digit."""
APART_PX = 8
"""Least distance between the numbers of two places."""
NEAR_PX = 6
"""How near to a mark the pointer must be for its tooltip."""


class PlaceAxis(LightAxis):
    """Ticks of steps ('1,200', '12k', '1.5M'), epochs, or time with its unit ('30 s', '5 min', '1.5 h')."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.x_axis: XAxis = "step"

    def set_x_axis(self, x_axis: XAxis) -> None:
        """Count something else."""
        if x_axis != self.x_axis:
            self.x_axis = x_axis
            self.picture = None
            self.update()

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [place_text(value, self.x_axis, spacing=spacing) for value in values]

    def tickSpacing(self, minimum: float, maximum: float, size: float) -> list[tuple[float, float]]:
        unit = self._unit(maximum)
        levels: list[tuple[float, float]] = [
            (level * unit, offset) for level, offset in super().tickSpacing(minimum / unit, maximum / unit, size)
        ]
        if self.x_axis == "step":
            levels = [level for level in levels if level[0] >= 1] or [(1.0, 0.0)]
        return [(self._roomy(levels[0][0] / unit, minimum / unit, maximum / unit, size) * unit, levels[0][1])]

    def _unit(self, maximum: float) -> float:
        return next((s for s in (3600.0, 60.0) if maximum >= 2 * s), 1.0) if self.x_axis == "time" else 1.0

    def _roomy(self, spacing: float, minimum: float, maximum: float, size: float) -> float:
        """Return the first of 1, 2, 5, 10, ... times a power of ten, from `spacing` on, whose numbers keep apart."""
        metrics, unit, span = QFontMetricsF(tick_font()), self._unit(maximum), maximum - minimum
        while 2 * spacing <= span:
            last = math.floor(maximum / spacing) * spacing
            texts = [place_text(at * unit, self.x_axis, spacing=spacing * unit) for at in (last, last - spacing)]
            if spacing / span * size >= max(map(metrics.horizontalAdvance, texts)) + APART_PX:
                break
            mantissa = spacing / 10.0 ** math.floor(math.log10(1.001 * spacing))
            spacing *= 2.5 if 1.9 < mantissa < 2.1 else 2.0
        return spacing


def place_text(value: float, x_axis: XAxis, *, spacing: float = 1.0) -> str:
    """Return a place on the axis in words; `spacing` of the ticks decides how many digits are needed."""
    if x_axis == "time":
        seconds, unit = next(((s, u) for s, u in ((3600.0, "h"), (60.0, "min")) if abs(value) >= 2 * s), (1.0, "s"))
        return f"{value / seconds:.3g} {unit}"
    if x_axis == "epoch":
        return f"{value:g}" if spacing >= 1 else f"{value:.{max(0, math.ceil(-math.log10(spacing)))}f}"
    size, suffix = (1e6, "M") if spacing >= 1e5 else (1e3, "k")
    if abs(value) >= size and spacing >= size / 10:
        return f"{value / size:g}{suffix}"
    return f"{value:,.0f}"


class MarkLines(pg.GraphicsObject):
    """Dashed vertical lines over the whole height, with a small triangle at the top; one item, however many marks."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Floats = np.empty(0)
        self.colour = QColor("#888888")
        self.setZValue(-5)

    def set_places(self, places: Floats) -> None:
        """Show marks at these places (n,)."""
        self.places = places
        self.update()

    def boundingRect(self) -> QRectF:
        view = self.getViewBox()
        return QRectF() if view is None else QRectF(view.viewRect())

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        view, transform = self.boundingRect(), painter.transform()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self.colour, 1.0)
        pen.setDashPattern([3.0, 3.0])
        for x in self.places:
            if view.left() <= x <= view.right():
                ends = (transform.map(QPointF(x, y)) for y in (view.top(), view.bottom()))
                low, high = sorted(ends, key=QPointF.y, reverse=True)
                painter.setPen(pen)
                painter.drawLine(high, low)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self.colour)
                painter.drawConvexPolygon([high + QPointF(-4, 0), high + QPointF(4, 0), high + QPointF(0, 6)])


class CurvePlot(pg.PlotWidget):
    """A plot of one term, nats per image: training thin, held-out bold, both in the term's colour.

    hovered(float): the pointer is over this place of the x axis. left(): it went away.
    moved_by_hand(): the person has zoomed or panned, so the view should no longer follow the curves.
    fit_requested(): double click.
    """

    hovered = Signal(float)
    left = Signal()
    moved_by_hand = Signal()
    fit_requested = Signal()

    def __init__(self, term: Term, parent: QWidget | None = None) -> None:
        self.place_axis = PlaceAxis()
        super().__init__(parent, enableMenu=False, axisItems=light_axes() | {"bottom": self.place_axis})
        self.term = term
        self._mark_texts: list[str] = []
        self.setMinimumSize(96, 64)
        self.viewport().setMouseTracking(True)
        # Its ground covers what is behind it: else window, dock and panel were painted with each new point.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        item = self.getPlotItem()
        prepare_plot(item)
        # Without these, 20,000 antialiased points take 40 ms a curve; on the curves themselves addItem() undoes them.
        item.setDownsampling(auto=True, mode="mean")
        item.setClipToView(True)
        item.getAxis("left").setWidth(LEFT_AXIS_PX)
        self._raw, self._train, self._held_out = (self._add_curve(item, name) for name in ("raw", "train", "held_out"))
        self._overlays: dict[tuple[Term, Split], pg.PlotDataItem] = {}
        self._marks = MarkLines()
        item.addItem(self._marks, ignoreBounds=True)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._dots = pg.ScatterPlotItem(size=7, pxMode=True)
        for overlay in (self._cursor, self._dots):
            item.addItem(overlay, ignoreBounds=True)
            overlay.hide()
        item.getViewBox().sigRangeChangedManually.connect(self._on_moved_by_hand)
        self.restyle()

    @staticmethod
    def _add_curve(item: pg.PlotItem, name: str) -> pg.PlotDataItem:
        curve = pg.PlotDataItem(
            name=name, antialias=True, clipToView=True, autoDownsample=True, downsampleMethod="mean"
        )
        item.addItem(curve)
        return curve

    def set_curves(
        self, train: tuple[Floats, Floats], held_out: tuple[Floats, Floats], *, raw: tuple[Floats, Floats] | None = None
    ) -> None:
        """Show (x, y) of both splits; raw: the training curve before smoothing, drawn faint behind."""
        self._train.setData(*train, symbol=_symbol(train[0]))
        self._held_out.setData(*held_out, symbol=_symbol(held_out[0]))
        self._raw.setData(*(raw or (np.empty(0), np.empty(0))))

    def set_overlay(self, term: Term, split: Split, curve: tuple[Floats, Floats] | None) -> None:
        """Show another term's (x, y) dashed beside this one's, or take it away."""
        if (term, split) not in self._overlays:
            if curve is None:
                return
            self._overlays[term, split] = self._add_curve(self.getPlotItem(), f"{term} {split}")
            self._restyle_overlays()
        self._overlays[term, split].setData(*(curve or (np.empty(0), np.empty(0))))

    @property
    def overlays(self) -> dict[tuple[Term, Split], tuple[Floats, Floats]]:
        """x and y of each overlay, by term and split."""
        return {key: _dataset(curve) for key, curve in self._overlays.items()}

    def shown(self, name: str) -> tuple[Floats, Floats]:
        """Return x and y of the curve 'train', 'held_out' or 'raw' as handed over."""
        return _dataset({"train": self._train, "held_out": self._held_out, "raw": self._raw}[name])

    def set_marks(self, places: Floats, texts: list[str]) -> None:
        """Show vertical marks (n,) with a tooltip each."""
        self._mark_texts = texts
        self._marks.set_places(places)

    def set_cursor(self, x: float | None, values: Sequence[float] = ()) -> None:
        """Show the reading line at x with a dot at each value, or hide it."""
        self._cursor.setVisible(x is not None)
        self._dots.setVisible(x is not None)
        if x is not None:
            self._cursor.setValue(x)
            self._dots.setData([x] * len(values), list(values))

    def mark_text_near(self, x_px: float) -> str | None:
        """Return the words of the mark within a few pixels of a horizontal place of the widget."""
        if not len(self._marks.places):
            return None
        view = self.getPlotItem().getViewBox()
        distances = [abs(self.mapFromScene(view.mapViewToScene(QPointF(x, 0))).x() - x_px) for x in self._marks.places]
        nearest = int(np.argmin(distances))
        return self._mark_texts[nearest] if distances[nearest] <= NEAR_PX else None

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        colour = term_colour(self.term, theme)
        apply_plot_theme(self, theme)
        for curve, curve_colour, width in (
            (self._raw, translucent(colour, 0.3), TRAIN_PX),
            (self._train, colour, TRAIN_PX),
            (self._held_out, colour, HELD_OUT_PX),
        ):
            curve.setPen(line_pen(curve_colour, width))
            curve.setSymbolPen(None)
            curve.setSymbolBrush(curve_colour)
            curve.setSymbolSize(5 if curve is self._held_out else 3)
        self._restyle_overlays()
        self._cursor.setPen(line_pen(theme.muted, 1.0))
        self._dots.setPen(line_pen(theme.surface, 1.0))
        self._dots.setBrush(colour)
        self._marks.colour = QColor(theme.muted)
        self._marks.update()

    def _restyle_overlays(self) -> None:
        for (term, split), curve in self._overlays.items():
            width = HELD_OUT_PX if split == "held_out" else TRAIN_PX
            curve.setPen(line_pen(term_colour(term, current_theme()), width, is_dashed=True))

    def _on_moved_by_hand(self) -> None:
        self.moved_by_hand.emit()

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        place = self.getPlotItem().getViewBox().mapSceneToView(self.mapToScene(event.position().toPoint()))
        self.hovered.emit(float(place.x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.fit_requested.emit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.left.emit()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.mark_text_near(event.pos().x())
            if text is not None:
                QToolTip.showText(event.globalPos(), text, self)
                return True
        return bool(super().viewportEvent(event))


def _dataset(curve: pg.PlotDataItem) -> tuple[Floats, Floats]:
    x, y = curve.getOriginalDataset()
    return (np.empty(0), np.empty(0)) if x is None else (x, y)


def _symbol(x: Floats) -> str | None:
    """Single points show as dots: a line through one point is nothing."""
    return "o" if len(x) == 1 else None
