"""The crosshair of the latent map: the place that is looked at, with its picture beside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath

from vae_explorer.gui.widgets.map_layers import MapLayer, Points, haloed
from vae_explorer.gui.widgets.picture import draw_framed, fitted_rect, is_pixelated
from vae_explorer.gui.widgets.plot_style import translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

INNER_PX, OUTER_PX = 6.5, 15.0
"""Of the ring and of the four arms. The middle stays free: the very place that is looked at must not be covered."""
THUMBNAIL_PX, GAP_PX = 64.0, 20.0
FRAME_PX = 4.0
SPARE_PX = 4.0
"""Around what is painted: the halo, and pixels that are covered in part."""


class CrosshairLayer(MapLayer):
    """A cross with a free middle, or (latent_dim 1) a line over the whole height.

    thumbnail: a picture beside it, or None. has_focus: whether it is in the accent colour.
    """

    follows_hand = True

    def __init__(self) -> None:
        super().__init__()
        self.thumbnail: QImage | None = None
        self.has_focus = False
        self._at: Points | None = None
        self._is_line = False

    def move_to(self, at: Points | None, *, is_line: bool) -> None:
        """Stand at coordinates (2,) of the map, or nowhere; `refresh` has it painted there.

        is_line: only the first is meant, and it is a line (latent_dim 1).
        """
        self._at, self._is_line = at, is_line

    def areas(self, frame: ViewFrame) -> list[QRectF]:
        """Return what it covers: the cross, and its picture."""
        place = self._place(frame)
        if place is None:
            return []
        room = self._room(place, frame)
        picture = [] if room is None else [room.adjusted(-FRAME_PX, -FRAME_PX, FRAME_PX, FRAME_PX)]
        boxes = [self._path(place, frame).boundingRect(), *picture]
        return [box.adjusted(-SPARE_PX, -SPARE_PX, SPARE_PX, SPARE_PX) for box in boxes]

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw it, with its picture."""
        place = self._place(frame)
        if place is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        colour = QColor(self.theme.accent if self.has_focus else self.theme.selection)
        path = self._path(place, frame)
        for pen in haloed(colour, translucent(self.theme.surface, 0.9), 2.0):
            painter.setPen(pen)
            painter.drawPath(path)
        room = self._room(place, frame)
        if self.thumbnail is not None and room is not None:
            self._paint_thumbnail(painter, self.thumbnail, room)

    # ---- where ------------------------------------------------------------------------------------------------------

    def _place(self, frame: ViewFrame) -> QPointF | None:
        """Where the middle is in the scene; on a line halfway up."""
        if self._at is None:
            return None
        x, y = frame.to_px(self._at).tolist()
        return QPointF(x, frame.top + frame.height / 2 if self._is_line else y)

    def _path(self, place: QPointF, frame: ViewFrame) -> QPainterPath:
        path = QPainterPath()
        x, y = place.x(), place.y()
        if self._is_line:
            path.moveTo(x, frame.top)
            path.lineTo(x, frame.top + frame.height)
            return path
        path.addEllipse(place, INNER_PX, INNER_PX)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            path.moveTo(x + INNER_PX * dx, y + INNER_PX * dy)
            path.lineTo(x + OUTER_PX * dx, y + OUTER_PX * dy)
        return path

    def _room(self, place: QPointF, frame: ViewFrame) -> QRectF | None:
        """Return where the picture goes, beside the place on a side that has room; None where that is out of sight."""
        x, y = place.x(), place.y()
        has_room_right = x + GAP_PX + THUMBNAIL_PX + FRAME_PX < frame.left + frame.width
        left = x + GAP_PX if has_room_right else x - GAP_PX - THUMBNAIL_PX
        has_room_above = y - GAP_PX - THUMBNAIL_PX - FRAME_PX > frame.top
        top = y - GAP_PX - THUMBNAIL_PX if has_room_above else y + GAP_PX
        room = QRectF(left, top, THUMBNAIL_PX, THUMBNAIL_PX)
        return room if room.intersects(QRectF(frame.left, frame.top, frame.width, frame.height)) else None

    def _paint_thumbnail(self, painter: QPainter, image: QImage, room: QRectF) -> None:
        where = fitted_rect(image, room)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(where.adjusted(-FRAME_PX, -FRAME_PX, FRAME_PX, FRAME_PX), QColor(self.theme.surface))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not is_pixelated(image))
        draw_framed(painter, image, where, is_generated=True, frame=QColor(self.theme.muted))
