"""`TheatreMap`: some thousand points, each in a colour of its own, and the ellipses of a mixture moving over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.cloud import point_radius_px
from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.plot_style import apply_plot_theme, prepare_plot, set_axis_label, tick_font, translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

Points = NDArray[np.float32]
Colours = NDArray[np.uint8]

SEEN_QUANTILES = (0.002, 0.998)
PADDING = 0.08
FINER = 2
"""Points are painted so many times finer than they are shown."""
SMALLER = 0.7
"""Points are smaller than on the large map."""
OPACITY = 0.9


@dataclass(frozen=True, eq=False)
class Component:
    """One Gaussian as it is drawn: outlines (n, 2) at 1 and 2 sigma, its mean (2,), its colour and its weight."""

    outlines: tuple[Points, Points]
    mean: Points
    colour: str
    weight: float


def blended(responsibilities: Points, colours: list[str]) -> Colours:
    """Return colours (n, 3): those of the components, mixed by responsibilities (n, K), in linear light."""
    named = [QColor(name) for name in colours]
    palette = np.array([(colour.redF(), colour.greenF(), colour.blueF()) for colour in named], dtype=np.float32)
    mixed = (responsibilities @ palette**2.2).clip(0.0, 1.0) ** (1 / 2.2)
    return np.rint(255.0 * mixed).astype(np.uint8)


class DotsLayer(MapLayer):
    """Points as one image. Colours here are mixtures, so that the map's cloud with its table of 62 will not do."""

    def __init__(self) -> None:
        super().__init__()
        self._points = np.zeros((0, 2), dtype=np.float32)
        self._argb = np.zeros(0, dtype=np.uint32)
        self._pixels = np.zeros((1, 1), dtype=np.uint32)

    def set_points(self, points: Points, colours: Colours) -> None:
        """Show points (n, 2) in colours (n, 3); later ones lie on top."""
        red, green, blue = colours.astype(np.uint32).T
        self._points, self._argb = points, np.uint32(255 << 24) | (red << 16) | (green << 8) | blue
        self.update()

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Set the pixels of each disc, one offset from its centre after the other, at twice the size against stairs."""
        fine = FINER * ratio
        width, height = max(1, round(frame.width * fine)), max(1, round(frame.height * fine))
        radius = SMALLER * point_radius_px(len(self._points)) * fine
        reach = math.ceil(radius)
        px = (frame.to_px(self._points) - np.array([frame.left, frame.top], dtype=np.float32)) * np.float32(fine)
        is_inside = (px >= 0.0).all(axis=1) & (px[:, 0] < width) & (px[:, 1] < height)  # NaN compares false
        columns, rows = (px[is_inside] + reach).astype(np.intp).T
        padded = np.zeros((height + 2 * reach, width + 2 * reach), dtype=np.uint32)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if math.hypot(dx, dy) <= radius:
                    padded[rows + dy, columns + dx] = self._argb[is_inside]
        # The image shares the array's memory: both are kept together.
        self._pixels = np.ascontiguousarray(padded[reach : reach + height, reach : reach + width])
        image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(fine)
        painter.setOpacity(OPACITY)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QPointF(frame.left, frame.top), image)
        painter.setOpacity(1.0)


class ComponentsLayer(MapLayer):
    """Ellipses at 1 and 2 sigma in their component's colour, and its weight as a label at the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.components: tuple[Component, ...] = ()

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw all ellipses, then all labels."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for component in self.components:
            self._paint_ellipses(painter, frame, component)
        for component in self.components:
            self._paint_weight(painter, frame, component)

    def _paint_ellipses(self, painter: QPainter, frame: ViewFrame, component: Component) -> None:
        for outline, width in zip(component.outlines, (2.0, 1.25), strict=True):
            polygon = _polygon(frame.to_px(outline))
            painter.setPen(QPen(translucent(self.theme.surface, 0.85), width + 2.0))
            painter.drawPolygon(polygon)
            painter.setPen(QPen(QColor(component.colour), width))
            painter.drawPolygon(polygon)

    def _paint_weight(self, painter: QPainter, frame: ViewFrame, component: Component) -> None:
        text, metrics = f"{component.weight:.2f}", painter.fontMetrics()
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 6, metrics.height())
        box.moveCenter(QPointF(*frame.to_px(component.mean).tolist()))
        painter.setPen(QPen(QColor(component.colour), 1.0))
        painter.setBrush(translucent(self.theme.surface, 0.85))
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


class TheatreMap(pg.PlotWidget):
    """A picture of points and components that follows its points; it is looked at, not worked with."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, enableMenu=False)
        item = self.getPlotItem()
        prepare_plot(item)
        self._box = item.getViewBox()
        self._box.setMouseEnabled(x=False, y=False)
        self._box.setAspectLocked(True)
        self._box.disableAutoRange()
        self.dots, self.components = DotsLayer(), ComponentsLayer()
        for depth, layer in enumerate((self.dots, self.components)):
            layer.setZValue(depth)
            self._box.addItem(layer, ignoreBounds=True)
        self._box.sigRangeChanged.connect(self._on_frame_changed)
        self._box.sigResized.connect(self._on_frame_changed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(160, 96)
        self.restyle()

    def set_points(self, points: Points, colours: Colours) -> None:
        """Show points (n, 2) in colours (n, 3)."""
        self.dots.set_points(points, colours)

    def set_components(self, components: tuple[Component, ...]) -> None:
        """Show these Gaussians over the points."""
        self.components.components = components
        self.components.update()

    def set_axis_names(self, x: str, y: str) -> None:
        """Name the axes."""
        set_axis_label(self.getPlotItem(), "bottom", x)
        set_axis_label(self.getPlotItem(), "left", y)

    def frame_points(self, points: Points) -> None:
        """Make all but the outermost of points (n, 2) visible."""
        if not len(points):
            points = np.array([[-3.0, -3.0], [3.0, 3.0]], dtype=np.float32)
        low, high = np.quantile(points, SEEN_QUANTILES, axis=0)
        pad = np.maximum((high - low) * PADDING, 0.1)
        low, high = low - pad, high + pad
        self._box.setRange(xRange=(low[0], high[0]), yRange=(low[1], high[1]), padding=0.0, disableAutoRange=True)

    def restyle(self) -> None:
        """Take the colours of the current theme; those of points and components are the caller's to renew."""
        theme = current_theme()
        apply_plot_theme(self, theme)
        for layer in (self.dots, self.components):
            layer.theme = theme
            layer.update()

    def _on_frame_changed(self, *_: object) -> None:
        rect = self._box.mapRectToScene(self._box.rect())
        (x0, x1), (y0, y1) = self._box.viewRange()
        frame = ViewFrame(rect.x(), rect.y(), max(rect.width(), 1.0), max(rect.height(), 1.0), (x0, x1), (y0, y1))
        for layer in (self.dots, self.components):
            layer.set_frame(frame)


def _polygon(px: Points) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in px.tolist()])
