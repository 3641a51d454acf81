"""The points that are meant: that of the selected image, and the one under the pointer, drawn over all others."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from vae_explorer.gui.widgets.cloud import CloudRaster
from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.view_frame import ViewFrame

RING_PX = 1.75
SPARE_PX = 8.0
"""Around a disc: its ring, the halo, and pixels that are covered in part."""


class PointMarks(MapLayer):
    """A point in its own colour with a ring around it; selected, hovered: places in the raster's points, or None."""

    follows_hand = True

    def __init__(self, raster: CloudRaster) -> None:
        super().__init__()
        self._raster = raster
        self.selected: int | None = None
        self.hovered: int | None = None

    def mark(self, *, selected: int | None, hovered: int | None) -> None:
        """Mark these points."""
        if (selected, hovered) != (self.selected, self.hovered):
            self.selected, self.hovered = selected, hovered
            self.refresh()

    def areas(self, frame: ViewFrame) -> list[QRectF]:
        """Return the boxes around the marked points."""
        reach = self._raster.radius_px + SPARE_PX
        places = [place for place in (self.selected, self.hovered) if place is not None]
        centres = [frame.to_px(self._raster.points[place]).tolist() for place in places]
        return [QRectF(x - reach, y - reach, 2 * reach, 2 * reach) for x, y in centres if math.isfinite(x + y)]

    @property
    def is_blank(self) -> bool:
        """Whether no point is marked."""
        return self.selected is None and self.hovered is None

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the points, each on a halo of the ground."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hovered is not None and self.hovered != self.selected:
            self._paint(painter, frame, self.hovered, QColor(self.theme.text))
        if self.selected is not None:
            self._paint(painter, frame, self.selected, QColor(self.theme.accent))

    def _paint(self, painter: QPainter, frame: ViewFrame, place: int, ring: QColor) -> None:
        colour = self._raster.colour_of(place)
        if colour is None:
            return
        x, y = frame.to_px(self._raster.points[place]).tolist()
        radius = self._raster.radius_px + 1.0
        is_disc = self._raster.style == "points"
        painter.setPen(QPen(QColor(self.theme.surface), RING_PX + 2.0))
        painter.setBrush(colour if is_disc else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(x, y), radius + 1.0, radius + 1.0)
        painter.setPen(QPen(ring, RING_PX))
        painter.drawEllipse(QPointF(x, y), radius + 1.0, radius + 1.0)
