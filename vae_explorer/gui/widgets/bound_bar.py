"""`BoundBar`: log p(x) as a stacked bar of the ELBO and both parts of the gap, to scale near its top."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.bound_reading import BoundReading
from vae_explorer.gui.widgets.plot_style import tick_font, translucent

GAP_SHARE = 0.72
"""Of the width: the ruler. What is left of it is ELBO, cut off, as it goes on for a hundred nats."""
MOST_BAR_PX, LEAST_BAR_PX, RULER_PX = 28.0, 12.0, 16.0
END_PX = 26.0
"""Free beside log p(x), for half of its error bar and of the ruler's last number."""
TOOTH_PX = 4.0


class BoundBar(QWidget):
    """From left to right: ELBO of the encoder's q, what a walk of q has won, what it could win, what no q wins."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bound_bar")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setToolTip(
            self.tr(
                "log p(x) in nats, the end of it to scale. Blue: ELBO; pale blue: won by improving q; filled: what a "
                "better q would win; hatched: what no diagonal Gaussian wins. Unfilled tint: a gap not yet split."
            )
        )
        self._reading: BoundReading | None = None

    def set_reading(self, reading: BoundReading | None) -> None:
        """Show one image's bound, or nothing."""
        self._reading = reading
        self.update()

    def place_of(self, value: float) -> float:
        """Return where a value in nats lies, in pixels from the left; what is off the ruler lies on the left edge."""
        reading, end = self._reading, self.width() - END_PX
        if reading is None:
            return end
        below = (reading.log_px - value) / ruler_span(reading.gap)
        return min(max(end - below * GAP_SHARE * end, 0.0), float(self.width()))

    def _segments(self, reading: BoundReading) -> list[tuple[float, float, QBrush]]:
        """Return (from, to, fill) of every part, nats; the first begins at the torn edge."""
        theme = current_theme()
        elbo, gap = QColor(theme.elbo), QColor(theme.gap)
        parts = [
            (-math.inf, reading.start, QBrush(elbo)),
            (reading.start, reading.elbo, QBrush(translucent(elbo, 0.5))),
        ]
        if reading.amortisation is None:
            parts.append((reading.elbo, reading.log_px, QBrush(translucent(gap, 0.4))))
            return parts
        best = reading.start + reading.amortisation
        parts.append((reading.elbo, best, QBrush(gap)))
        parts.append((best, reading.log_px, QBrush(gap, Qt.BrushStyle.BDiagPattern)))
        return parts

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(240, int(MOST_BAR_PX + RULER_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, int(LEAST_BAR_PX + RULER_PX))

    def paintEvent(self, event: QPaintEvent) -> None:
        reading = self._reading
        if reading is None or not math.isfinite(reading.gap):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height = min(MOST_BAR_PX, self.height() - RULER_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        for low, high, brush in self._segments(reading):
            left, right = self.place_of(low), self.place_of(high)
            if right > left:
                painter.setBrush(brush)
                painter.drawRect(QRectF(left, 0.0, right - left, height))
        self._paint_tear(painter, height)
        self._paint_end(painter, reading, height)
        self._paint_ruler(painter, reading, height)
        painter.end()

    def _paint_tear(self, painter: QPainter, height: float) -> None:
        n_teeth = max(2, round(height / (2 * TOOTH_PX)))
        tooth = height / n_teeth
        edge = [QPointF(TOOTH_PX * (row % 2), row * tooth) for row in range(n_teeth + 1)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().window())
        painter.drawPolygon(QPolygonF([QPointF(-1, 0), *edge, QPointF(-1, height)]))

    def _paint_end(self, painter: QPainter, reading: BoundReading, height: float) -> None:
        end = self.place_of(reading.log_px)
        painter.setPen(QPen(QColor(current_theme().text), 2.0))
        painter.drawLine(QPointF(end, 0.0), QPointF(end, height))
        if math.isfinite(reading.error):
            left, right = (self.place_of(reading.log_px + side * reading.error) for side in (-1, 1))
            if right - left > 3.0:
                painter.setPen(QPen(QColor(current_theme().text), 1.25))
                middle, beam = height / 2, height / 6
                painter.drawLines([
                    QLineF(left, middle, right, middle),
                    *(QLineF(x, middle - beam, x, middle + beam) for x in (left, right)),
                ])  # fmt: skip

    def _paint_ruler(self, painter: QPainter, reading: BoundReading, height: float) -> None:
        span = ruler_span(reading.gap)
        painter.setFont(tick_font())
        painter.setPen(QPen(QColor(current_theme().muted), 1.0))
        for share in (0.0, 0.5, 1.0):
            x = self.place_of(reading.log_px - share * span)
            painter.drawLine(QPointF(x, height), QPointF(x, height + 3))
            value = f"−{share * span:g}" if share else "0"
            text = self.tr("{value} nats").format(value=value) if share == 1.0 else value
            box = QRectF(x - 60, height + 2, 120, RULER_PX - 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)


def ruler_span(gap: float) -> float:
    """Return the length of the ruler in nats: 1, 2, 5, 10 ... and at least the gap, so that a small one looks small."""
    if not math.isfinite(gap) or gap <= 1.0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(gap))
    return next(factor * size for factor in (1.0, 2.0, 5.0, 10.0) if factor * size >= gap)
