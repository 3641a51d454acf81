"""The layers of the latent map, bottom to top: decoded plane, cloud of codes, and what is drawn over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from vae_explorer.gui.theme import LIGHT, Theme
from vae_explorer.gui.widgets.cloud import CloudRaster
from vae_explorer.gui.widgets.kept_picture import KeptPicture
from vae_explorer.gui.widgets.picture import draw_framed, fitted_rect, is_pixelated
from vae_explorer.gui.widgets.plot_style import tick_font, translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

Points = NDArray[np.float32]

END_RADIUS_PX = 9.0
"""Radius of the handles of A and B, and how near a press must be to take one."""
THUMBNAIL_PX = 64.0


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is drawn over the points, in coordinates of the map.

    crosshair: (2,), the selected code. is_line: only its first coordinate is meant (latent_dim 1).
    end_a, end_b: (2,) or None; path: (n, 2) from A to B or None. ellipses: outlines (n, 2) of the selected
    image's q(z|x), smallest first; start: that of the encoder's q while another one is shown.
    rings: outlines (n, 2) of the prior at 1, 2, 3 sigma; on a line the two places x.
    """

    crosshair: Points | None = None
    is_line: bool = False
    end_a: Points | None = None
    end_b: Points | None = None
    path: Points | None = None
    ellipses: tuple[Points, ...] = ()
    start: Points | None = None
    rings: tuple[Points, ...] = ()


class MapLayer(pg.GraphicsObject):
    """An item that covers the whole view and paints in pixels of the scene, so that sizes do not follow the zoom.

    postpone: says whether a change is painted later, together with others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.postpone: Callable[[MapLayer], bool] = lambda layer: False
        self._frame: ViewFrame | None = None
        self.theme: Theme = LIGHT

    def set_frame(self, frame: ViewFrame) -> None:
        """Take the map's ranges and pixels; the layer repaints."""
        self.prepareGeometryChange()
        self._frame = frame
        self.update()

    def refresh(self) -> None:
        """Have the layer painted again, since what it shows has changed."""
        if not self.postpone(self):
            self.update()

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Make what painting would wait for, so that it is not all done in one go."""

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Paint in scene pixels; `ratio` is device pixels a scene pixel."""
        raise NotImplementedError

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def boundingRect(self) -> QRectF:
        if self._frame is None:
            return QRectF()
        (left, right), (low, high) = self._frame.x_range, self._frame.y_range
        return QRectF(left, low, right - left, high - low)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        frame = self._frame
        if frame is None or frame.width < 2 or frame.height < 2:
            return
        painter.save()
        to_scene, is_invertible = self.sceneTransform().inverted()
        if is_invertible:
            painter.setTransform(to_scene, True)
            painter.setClipRect(QRectF(frame.left, frame.top, frame.width, frame.height))
            self.paint_layer(painter, frame, painter.device().devicePixelRatioF())
        painter.restore()


class CloudLayer(MapLayer):
    """The codes of the images as one cached raster."""

    def __init__(self) -> None:
        super().__init__()
        self.raster = CloudRaster()

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Make the newest image of the points."""
        self.raster.image(frame, ratio)

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the newest image of the points."""
        painter.drawImage(QPointF(frame.left, frame.top), self.raster.image(frame, ratio))


class OverlayLayer(MapLayer):
    """Rings of the prior, ellipse of q(z|x), path from A to B with its handles, crosshair, picture at the crosshair."""

    def __init__(self) -> None:
        super().__init__()
        self.overlay = Overlay()
        self.thumbnail: QImage | None = None
        self.has_focus = False
        self._rings = KeptPicture()  # dashes along a smooth curve take 5 ms

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw everything that is there, the crosshair last."""
        overlay = self.overlay
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        outlines = b"".join(outline.tobytes() for outline in overlay.rings)
        rings = self._rings.of(
            frame, ratio, (self.theme, overlay.is_line, outlines), lambda onto: self._paint_rings(onto, frame)
        )
        painter.drawImage(QPointF(frame.left, frame.top), rings)
        self._paint_path(painter, frame)
        for place, outline in enumerate(overlay.ellipses):
            self._paint_ellipse(painter, frame, outline, is_inner=place == 0)
        if overlay.start is not None:
            self._paint_start(painter, frame, overlay.start)
        for letter, end, colour in (("A", overlay.end_a, self.theme.end_a), ("B", overlay.end_b, self.theme.end_b)):
            if end is not None:
                self._paint_end(painter, QPointF(*frame.to_px(end).tolist()), letter, QColor(colour))
        if overlay.crosshair is not None:
            self._paint_crosshair(painter, frame)

    def _paint_rings(self, painter: QPainter, frame: ViewFrame) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for sigma, outline in enumerate(self.overlay.rings, start=1):
            px = frame.to_px(outline)
            lines = [_polygon(px)]
            if self.overlay.is_line:
                low, high = frame.top + frame.height, frame.top
                lines = [QPolygonF([QPointF(x, low), QPointF(x, high)]) for x in px[:, 0].tolist()]
            for pen in _haloed(translucent(self.theme.text, 0.5), translucent(self.theme.surface, 0.5), 1.0):
                if pen.widthF() == 1.0:
                    pen.setDashPattern([5.0, 4.0])
                painter.setPen(pen)
                for line in lines:
                    painter.drawPolyline(line)
            tag = QPointF(lines[0].at(0).x(), frame.top + 12) if self.overlay.is_line else lines[0].at(0)
            self._paint_tag(painter, tag, f"{sigma}σ")

    def _paint_tag(self, painter: QPainter, at: QPointF, text: str) -> None:
        metrics = painter.fontMetrics()
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 6, metrics.height())
        box.moveCenter(at)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(translucent(self.theme.surface, 0.8))
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(QColor(self.theme.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_path(self, painter: QPainter, frame: ViewFrame) -> None:
        if self.overlay.path is None:
            return
        polygon = _polygon(frame.to_px(self.overlay.path))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in _haloed(QColor(self.theme.end_a), translucent(self.theme.surface, 0.85), 1.75):
            painter.setPen(pen)
            painter.drawPolyline(polygon)

    def _paint_ellipse(self, painter: QPainter, frame: ViewFrame, outline: Points, *, is_inner: bool) -> None:
        polygon = _polygon(frame.to_px(outline))
        accent = QColor(self.theme.accent)
        painter.setBrush(translucent(accent, 0.22) if is_inner else translucent(accent, 0.10))
        painter.setPen(QPen(translucent(self.theme.surface, 0.85), 3.5))
        painter.drawPolygon(polygon)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(accent, 1.75 if is_inner else 1.0))
        painter.drawPolygon(polygon)

    def _paint_start(self, painter: QPainter, frame: ViewFrame, outline: Points) -> None:
        polygon = _polygon(frame.to_px(outline))
        for pen in _haloed(QColor(self.theme.accent), translucent(self.theme.surface, 0.85), 1.25):
            if pen.widthF() == 1.25:
                pen.setDashPattern([4.0, 3.0])
            painter.setPen(pen)
            painter.drawPolygon(polygon)

    def _paint_end(self, painter: QPainter, at: QPointF, letter: str, colour: QColor) -> None:
        painter.setPen(QPen(QColor(self.theme.surface), 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(at, END_RADIUS_PX, END_RADIUS_PX)
        painter.setPen(QColor(self.theme.surface))
        box = QRectF(at.x() - END_RADIUS_PX, at.y() - END_RADIUS_PX, 2 * END_RADIUS_PX, 2 * END_RADIUS_PX)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)

    def _paint_crosshair(self, painter: QPainter, frame: ViewFrame) -> None:
        assert self.overlay.crosshair is not None
        x, y = frame.to_px(self.overlay.crosshair).tolist()
        path = QPainterPath()
        if self.overlay.is_line:
            path.moveTo(x, frame.top)
            path.lineTo(x, frame.top + frame.height)
        else:
            # The middle stays free: the very place that is looked at must not be covered.
            path.addEllipse(QPointF(x, y), 6.5, 6.5)
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                path.moveTo(x + 6.5 * dx, y + 6.5 * dy)
                path.lineTo(x + 15 * dx, y + 15 * dy)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        colour = QColor(self.theme.accent if self.has_focus else self.theme.selection)
        for pen in _haloed(colour, translucent(self.theme.surface, 0.9), 2.0):
            painter.setPen(pen)
            painter.drawPath(path)
        if self.thumbnail is not None:
            self._paint_thumbnail(painter, frame, x, frame.top + frame.height / 2 if self.overlay.is_line else y)

    def _paint_thumbnail(self, painter: QPainter, frame: ViewFrame, x: float, y: float) -> None:
        assert self.thumbnail is not None
        side, gap = THUMBNAIL_PX, 20.0
        has_room_right = x + gap + side + 4 < frame.left + frame.width
        left = x + gap if has_room_right else x - gap - side
        top = y - gap - side if y - gap - side - 4 > frame.top else y + gap
        room = QRectF(left, top, side, side)
        if not room.intersects(QRectF(frame.left, frame.top, frame.width, frame.height)):
            return
        where = fitted_rect(self.thumbnail, room)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(where.adjusted(-4, -4, 4, 4), QColor(self.theme.surface))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not is_pixelated(self.thumbnail))
        draw_framed(painter, self.thumbnail, where, is_generated=True, frame=QColor(self.theme.muted))


def _polygon(px: Points) -> QPolygonF:
    polygon: QPolygonF = pg.functions.arrayToQPolygonF(*px.T.astype(np.float64))
    return polygon


def _haloed(colour: QColor, halo: QColor, width_px: float) -> tuple[QPen, QPen]:
    """Return the pens of a line that is seen on any ground: a wider one of the ground's colour, then its own."""
    wide, line = QPen(halo, width_px + 2.5), QPen(colour, width_px)
    for pen in (wide, line):
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return wide, line
