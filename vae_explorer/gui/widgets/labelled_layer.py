"""Rings around the points of images whose label a model of classes has seen."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from vae_explorer.gui.widgets.map_layers import MapLayer, Points
from vae_explorer.gui.widgets.plot_style import translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

RADIUS_PX = 6.0
MOST_RINGS = 3000
"""Where more images have a label than this, hardly any has none: rings would say nothing, and hide the points."""


class LabelledLayer(MapLayer):
    """A ring at each of the points (n, 2), in coordinates of the map, dark on a light halo (or the other way round)."""

    def __init__(self) -> None:
        super().__init__()
        self.points: Points = np.zeros((0, 2), dtype=np.float32)

    def set_points(self, points: Points) -> None:
        """Ring these points; none where there are too many."""
        self.points = points if len(points) <= MOST_RINGS else points[:0]
        self.refresh()

    @property
    def is_blank(self) -> bool:
        """Whether there is no point to ring."""
        return not len(self.points)

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the rings."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        places = [QPointF(x, y) for x, y in frame.to_px(self.points).tolist() if np.isfinite(x + y)]
        for colour, width in ((translucent(self.theme.surface, 0.8), 3.0), (QColor(self.theme.text), 1.3)):
            painter.setPen(QPen(colour, width))
            for place in places:
                painter.drawEllipse(place, RADIUS_PX, RADIUS_PX)
