"""The layers of the latent map, bottom to top: decoded plane, cloud of codes, and what is drawn over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from vae_explorer.gui.theme import LIGHT, Theme
from vae_explorer.gui.widgets.cloud import CloudRaster
from vae_explorer.gui.widgets.kept_picture import KeptPicture, Shown
from vae_explorer.gui.widgets.plot_style import tick_font, translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

Points = NDArray[np.float32]

END_RADIUS_PX = 9.0
"""Radius of the handles of A and B, and how near a press must be to take one."""


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

    def looks_like(self, other: Overlay) -> bool:
        """Whether rings and path are the very same objects as in another one."""
        return all(mine is its for mine, its in zip(self._still, other._still, strict=True))

    @property
    def is_empty(self) -> bool:
        """Whether there is neither."""
        return not self.rings and self.path is self.end_a is self.end_b is None

    @property
    def _still(self) -> tuple[object, ...]:
        return (self.is_line, self.end_a, self.end_b, self.path, self.rings)


class MapLayer(pg.GraphicsObject):
    """An item that covers the whole view and paints in pixels of the scene, so that sizes do not follow the zoom.

    follows_hand: whether what it shows moves with the hand, not by itself. postpone: says whether a change is painted
    later, together with others; is_waiting: whether one is, so that until then the picture of before is painted.
    """

    follows_hand = False

    def __init__(self) -> None:
        super().__init__()
        self.postpone: Callable[[MapLayer], bool] = lambda layer: False
        self.is_waiting = False
        self._frame: ViewFrame | None = None
        self._covered: list[QRectF] = []
        """Areas of the scene that may hold pixels of it, since it was painted there."""
        self.theme: Theme = LIGHT

    def set_frame(self, frame: ViewFrame) -> None:
        """Take the map's ranges and pixels; the layer repaints."""
        self.prepareGeometryChange()
        self._frame, self._covered = frame, []
        self.update()

    def refresh(self) -> None:
        """Have the layer painted again, since what it shows has changed: where it was and where it will be."""
        if self._frame is None or self.postpone(self):
            return
        areas = self.areas(self._frame)
        if areas is None:
            self.update()
            return
        for area in (*self._covered, *areas):
            self.update(_in_view(area, self._frame))
        self._covered = []

    def areas(self, frame: ViewFrame) -> list[QRectF] | None:
        """Return what of the scene it covers, None for all. To paint a tenth of the map takes a third of the time."""
        return None

    @property
    def is_blank(self) -> bool:
        """Whether painting would leave no pixel; asked before each, which takes a quarter of a millisecond a layer."""
        return False

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
        if frame is None or frame.width < 2 or frame.height < 2 or self.is_blank:
            return
        # Those of before stay: where something else is painted, this layer is painted in that place alone.
        self._covered += [area for area in self.areas(frame) or () if area not in self._covered]
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
        self._image = QImage()
        self._seen: tuple[ViewFrame, float] | None = None

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Make the newest image of the points."""
        self._image, self._seen = self.raster.image(frame, ratio), (frame, ratio)

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the newest image of the points."""
        if not self.is_waiting or self._seen != (frame, ratio):
            self.prepare(frame, ratio)
        painter.drawImage(QPointF(frame.left, frame.top), self._image)


class OverlayLayer(MapLayer):
    """Rings of the prior, path from A to B with its handles; q(z|x) and the crosshair have layers of their own."""

    follows_hand = True

    def __init__(self) -> None:
        super().__init__()
        self.overlay = Overlay()
        self._drawn = self._asked = self.overlay
        self._rings = KeptPicture()  # dashes along a smooth curve take 5 ms
        self._picture = KeptPicture()  # all together take 2 ms, and a click leaves them as they are

    def set_overlay(self, overlay: Overlay) -> None:
        """Take what is drawn; `refresh` has it painted. Only where it is not what was drawn before is it drawn anew."""
        self.overlay = overlay
        if not overlay.looks_like(self._drawn):
            self._drawn = overlay

    def refresh(self) -> None:
        """Have it painted again, if it would look another way."""
        if self._asked is not self._drawn:
            self._asked = self._drawn
            super().refresh()

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to draw."""
        return self._drawn.is_empty

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Draw what has changed."""
        self._picture.of(frame, ratio, self._shown, lambda onto: self._paint_all(onto, frame, ratio))

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw everything that is there."""
        self._picture.paint(painter, frame, ratio, self._shown, lambda onto: self._paint_all(onto, frame, ratio))

    @property
    def _shown(self) -> Shown:
        return (self.theme, self._drawn)

    def _paint_all(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        overlay = self._drawn
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        outlines = b"".join(outline.tobytes() for outline in overlay.rings)
        shown = (self.theme, overlay.is_line, outlines)
        self._rings.paint(painter, frame, ratio, shown, lambda onto: self._paint_rings(onto, frame))
        self._paint_path(painter, frame)
        for letter, end, colour in (("A", overlay.end_a, self.theme.end_a), ("B", overlay.end_b, self.theme.end_b)):
            if end is not None:
                self._paint_end(painter, QPointF(*frame.to_px(end).tolist()), letter, QColor(colour))

    def _paint_rings(self, painter: QPainter, frame: ViewFrame) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for sigma, outline in enumerate(self._drawn.rings, start=1):
            px = frame.to_px(outline).astype(np.float64)
            draw, tag = self._ring(px, frame)
            for pen in haloed(translucent(self.theme.text, 0.5), translucent(self.theme.surface, 0.5), 1.0):
                if pen.widthF() == 1.0:
                    pen.setDashPattern([5.0, 4.0])
                painter.setPen(pen)
                draw(painter)
            self._paint_tag(painter, tag, f"{sigma}σ")

    def _ring(self, px: NDArray[np.float64], frame: ViewFrame) -> tuple[Callable[[QPainter], None], QPointF]:
        """Return what draws a ring, given its outline, and where its name goes; on a line it is a pair of lines."""
        if self._drawn.is_line:
            low, high = frame.top + frame.height, frame.top
            lines = [QLineF(x, low, x, high) for x in px[:, 0].tolist()]
            return lambda painter: painter.drawLines(lines), QPointF(lines[0].x1(), frame.top + 12)
        # As an ellipse: dashes along a polygon of so many corners take twice as long.
        (left, top), (right, bottom) = px.min(axis=0).tolist(), px.max(axis=0).tolist()
        box = QRectF(left, top, right - left, bottom - top)
        return lambda painter: painter.drawEllipse(box), QPointF(*px[0].tolist())

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
        if self._drawn.path is None:
            return
        polygon = polygon_of(frame.to_px(self._drawn.path))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in haloed(QColor(self.theme.end_a), translucent(self.theme.surface, 0.85), 1.75):
            painter.setPen(pen)
            painter.drawPolyline(polygon)

    def _paint_end(self, painter: QPainter, at: QPointF, letter: str, colour: QColor) -> None:
        painter.setPen(QPen(QColor(self.theme.surface), 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(at, END_RADIUS_PX, END_RADIUS_PX)
        painter.setPen(QColor(self.theme.surface))
        box = QRectF(at.x() - END_RADIUS_PX, at.y() - END_RADIUS_PX, 2 * END_RADIUS_PX, 2 * END_RADIUS_PX)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)


def polygon_of(px: Points) -> QPolygonF:
    """Return pixels (n, 2) of the scene as a polygon."""
    polygon: QPolygonF = pg.functions.arrayToQPolygonF(*px.T.astype(np.float64))
    return polygon


def haloed(colour: QColor, halo: QColor, width_px: float) -> tuple[QPen, QPen]:
    """Return the pens of a line that is seen on any ground: a wider one of the ground's colour, then its own."""
    wide, line = QPen(halo, width_px + 2.5), QPen(colour, width_px)
    for pen in (wide, line):
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return wide, line


def _in_view(area: QRectF, frame: ViewFrame) -> QRectF:
    """Return a rectangle of the scene in coordinates of the map."""
    left, high = frame.to_view(area.left(), area.top())
    right, low = frame.to_view(area.right(), area.bottom())
    return QRectF(left, low, right - left, high - low)
