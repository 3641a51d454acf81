"""`GlyphButton`: a small button with a drawn sign, the same on every system and in the colours of the theme."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QToolButton, QWidget

from vae_explorer.gui.theme import current_theme

Glyph = Literal["dice", "play", "pause", "swap"]

_SIDE = 16
_RATIO = 3
"""Drawn so many times larger, for screens with fine pixels."""


class GlyphButton(QToolButton):
    """A tool button that shows a sign; `name` is what a screen reader says and the tooltip's beginning."""

    def __init__(self, glyph: Glyph, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._glyph: Glyph = glyph
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setAccessibleName(name)
        self.setToolTip(name)
        self._show_glyph()

    def set_glyph(self, glyph: Glyph) -> None:
        """Show another sign."""
        if glyph != self._glyph:
            self._glyph = glyph
            self._show_glyph()

    @property
    def glyph(self) -> Glyph:
        """The sign that is shown."""
        return self._glyph

    def _show_glyph(self) -> None:
        theme = current_theme()
        icon = QIcon()
        icon.addPixmap(_drawn(self._glyph, QColor(theme.text)), QIcon.Mode.Normal)
        icon.addPixmap(_drawn(self._glyph, QColor(theme.line)), QIcon.Mode.Disabled)
        self.setIcon(icon)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_glyph()


def _drawn(glyph: Glyph, colour: QColor) -> QPixmap:
    pixmap = QPixmap(_SIDE * _RATIO, _SIDE * _RATIO)
    pixmap.setDevicePixelRatio(_RATIO)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    {"dice": _draw_dice, "play": _draw_play, "pause": _draw_pause, "swap": _draw_swap}[glyph](painter, colour)
    painter.end()
    return pixmap


def _draw_dice(painter: QPainter, colour: QColor) -> None:
    for x, y in ((5, 5), (11, 5), (8, 8), (5, 11), (11, 11)):
        painter.drawEllipse(QPointF(x, y), 1.3, 1.3)
    painter.setPen(QPen(colour, 1.3))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(1.5, 1.5, 13, 13), 3, 3)


def _draw_play(painter: QPainter, colour: QColor) -> None:
    painter.drawPolygon(QPolygonF([QPointF(4, 2.5), QPointF(13.5, 8), QPointF(4, 13.5)]))


def _draw_pause(painter: QPainter, colour: QColor) -> None:
    for x in (3.5, 9.0):
        painter.drawRect(QRectF(x, 3, 3.5, 10))


def _draw_swap(painter: QPainter, colour: QColor) -> None:
    painter.setPen(QPen(colour, 1.4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for y, tip, back in ((5.5, 13.5, -3), (10.5, 2.5, 3)):
        painter.drawLine(QPointF(2.5, y), QPointF(13.5, y))
        painter.drawPolyline(QPolygonF([QPointF(tip + back, y - 3), QPointF(tip, y), QPointF(tip + back, y + 3)]))
