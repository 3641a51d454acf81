"""The legend of the map's colours where they mean a figure: a bar from little to much in the corner, with its ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from vae_explorer.gui.widgets.cloud_colours import ramp
from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.plot_style import tick_font, translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.value_scale import LEVELS, ValueScale

BAR_PX = (132.0, 8.0)
MARGIN_PX, PAD_PX = 10.0, 7.0


@dataclass(frozen=True)
class ScaleLegend:
    """What a bar says. title: what is shown, with its unit; scale: its ends, None where nothing is known.

    unknown: a word beside a neutral disc for points whose figure is not known; '' where there are none.
    is_clipped: figures beyond the ends have the ends' colours.
    """

    title: str
    scale: ValueScale | None
    unknown: str = ""
    is_clipped: bool = True

    @property
    def ends(self) -> tuple[str, str]:
        """The numbers at the ends."""
        if self.scale is None:
            return "", ""
        low, high = _short(self.scale.low), _short(self.scale.high)
        return (f"≤ {low}", f"≥ {high}") if self.is_clipped else (low, high)


class ScaleLayer(MapLayer):
    """Draws what `legend` returns when it is painted: that of counts is known only once these are painted below it."""

    def __init__(self, legend: Callable[[], ScaleLegend | None]) -> None:
        super().__init__()
        self._legend = legend

    @property
    def is_blank(self) -> bool:
        """Whether the colours mean no figure."""
        return self._legend() is None

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the bar in the lower right corner."""
        legend = self._legend()
        assert legend is not None
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(tick_font())
        line = float(painter.fontMetrics().height())
        n_lines = 1 + (legend.scale is not None) + bool(legend.unknown)
        width = max(BAR_PX[0], float(painter.fontMetrics().horizontalAdvance(legend.title))) + 2 * PAD_PX
        height = n_lines * line + (BAR_PX[1] + 2 if legend.scale is not None else 0.0) + 2 * PAD_PX
        box = QRectF(
            frame.left + frame.width - width - MARGIN_PX, frame.top + frame.height - height - MARGIN_PX, width, height
        )
        painter.setPen(QColor(self.theme.line))
        painter.setBrush(translucent(self.theme.surface, 0.9))
        painter.drawRoundedRect(box, 4, 4)
        self._paint_lines(painter, box.adjusted(PAD_PX, PAD_PX, -PAD_PX, -PAD_PX), legend, line)

    def _paint_lines(self, painter: QPainter, room: QRectF, legend: ScaleLegend, line: float) -> None:
        row = QRectF(room.left(), room.top(), room.width(), line)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, legend.title)
        row.translate(0.0, line)
        if legend.scale is not None:
            bar = QRectF(room.left(), row.top(), room.width(), BAR_PX[1])
            painter.drawImage(bar, self._bar())
            row.translate(0.0, BAR_PX[1] + 2)
            painter.setPen(QColor(self.theme.muted))
            low, high = legend.ends
            painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, low)
            painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, high)
            row.translate(0.0, line)
        if legend.unknown:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.muted))
            painter.drawEllipse(QPointF(row.left() + 4, row.center().y()), 3.5, 3.5)
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(row.adjusted(13, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, legend.unknown)

    def _bar(self) -> QImage:
        image = QImage(LEVELS, 1, QImage.Format.Format_RGB32)
        for place, colour in enumerate(ramp(self.theme)):
            image.setPixelColor(place, 0, colour)
        return image


def _short(value: float) -> str:
    """Return a number in about three figures."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 0.01:
        text = f"{value:.1e}"
    else:
        text = f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")
