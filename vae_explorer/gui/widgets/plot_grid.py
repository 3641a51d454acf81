"""`PlotGrid`: the grid lines of a plot, drawn by one item behind everything else."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from vae_explorer.gui.theme import current_theme

GRID_ALPHA = 0.6
"""Opacity of grid lines, of the theme's line colour: there when looked for, not seen otherwise."""


class PlotGrid(pg.GraphicsObject):
    """Lines at the labelled ticks of both axes, whole pixels wide.

    pyqtgraph's own grid (AxisItem, `showGrid`) replays a picture of translucent lines, about 12 ms a repaint of
    750 x 370 pixels on one slow core, and a map repaints with every move of the hand; these take 0.2 ms.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        super().__init__()
        self._plot = plot
        self._box = plot.getViewBox()
        self._known: dict[str, tuple[tuple[float, ...], list[float]]] = {}
        """By side, what the ticks were worked out from, and the ticks: that takes longer than all the lines."""
        self.setZValue(-100)
        self._box.addItem(self, ignoreBounds=True)
        self._box.sigRangeChanged.connect(self._on_range_changed)

    def _on_range_changed(self, *_: object) -> None:
        self.prepareGeometryChange()
        self.update()

    def _ticks(self, side: str) -> list[float]:
        axis = self._plot.getAxis(side)
        low, high = self._box.viewRange()[0 if side == "bottom" else 1]
        size = self._box.width() if side == "bottom" else self._box.height()
        place = (low, high, size)
        if side not in self._known or self._known[side][0] != place:
            levels = axis.tickValues(low, high, size) if size > 1 else []
            self._known[side] = (place, [float(value) for _, values in levels[:1] for value in values])
        return self._known[side][1]

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def boundingRect(self) -> QRectF:
        return QRectF(self._box.viewRect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        rect = self._box.viewRect()
        colour = QColor(current_theme().line)
        colour.setAlphaF(GRID_ALPHA)
        pen = QPen(colour, 1)
        pen.setCosmetic(True)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(pen)
        painter.drawLines(
            [QLineF(x, rect.top(), x, rect.bottom()) for x in self._ticks("bottom")]
            + [QLineF(rect.left(), y, rect.right(), y) for y in self._ticks("left")]
        )
