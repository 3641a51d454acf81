"""`Sparkline`: a small curve without axes, its last value marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.plot_style import line_pen, term_colour

MAX_POINTS = 200
MARGIN_PX = 3.0


class Sparkline(QWidget):
    """Draws values (n,) evenly from left to right, as high as they need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: NDArray[np.float64] = np.empty(0)
        self._term = "muted"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_values(self, values: NDArray[np.float64] | None, *, term: str, over: str = "") -> None:
        """Show values in a term's colour; `over` says in the tooltip what they run over. None shows nothing."""
        self._values = np.empty(0) if values is None else values[np.isfinite(values)]
        self._term = term
        self.setToolTip(over if len(self._values) > 1 else "")
        self.setAccessibleName(over)
        self.update()

    def _points(self) -> QPolygonF:
        values = self._values
        if len(values) > MAX_POINTS:
            values = values[np.linspace(0, len(values) - 1, MAX_POINTS).astype(int)]
        low, high = float(values.min()), float(values.max())
        span = high - low or 1.0
        x = np.linspace(MARGIN_PX, self.width() - 2 * MARGIN_PX, len(values))
        y = self.height() - MARGIN_PX - (values - low) / span * (self.height() - 2 * MARGIN_PX)
        return QPolygonF([QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)])

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(11 * GRID_PX, self.fontMetrics().height() + GRID_PX // 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(6 * GRID_PX, self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if len(self._values) < 2:
            return
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.line), 1.0))
        painter.drawLine(QPointF(0, self.height() - 0.5), QPointF(self.width(), self.height() - 0.5))
        points = self._points()
        colour = QColor(theme.error) if self._term == "error" else term_colour(self._term, theme)
        painter.setPen(line_pen(colour, 1.25))
        painter.drawPolyline(points)
        painter.setBrush(colour)
        painter.drawEllipse(points.last(), 2.0, 2.0)
        painter.end()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()
