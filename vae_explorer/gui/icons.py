"""The buttons' icons, drawn in the palette's text colour so that they are crisp and fit light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

from vae_explorer.gui.theme import Theme, current_theme

IconName = Literal["train", "pause", "step", "stop", "reset", "dice", "swap"]

UNIT = 16
"""Side of the square that the shapes below are drawn in."""


def make_icon(name: IconName, *, is_accent: bool = False) -> QIcon:
    """Return an icon for the current theme; ask again after a PaletteChange."""
    theme = current_theme()
    icon = QIcon()
    for mode, colour in (
        (QIcon.Mode.Normal, theme.accent if is_accent else theme.text),
        (QIcon.Mode.Disabled, _faint(theme)),
    ):
        for side in (16, 20, 24, 32, 48):
            icon.addPixmap(_pixmap(name, colour, side), mode)
    return icon


def _faint(theme: Theme) -> str:
    colour = QColor(theme.muted)
    colour.setAlphaF(0.5)
    return colour.name(QColor.NameFormat.HexArgb)


def _pixmap(name: IconName, colour: str, side: int) -> QPixmap:
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / UNIT, side / UNIT)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    SHAPES[name](painter)
    painter.end()
    return pixmap


def _train(painter: QPainter) -> None:
    painter.drawPolygon(QPolygonF([QPointF(4, 2.5), QPointF(13.5, 8), QPointF(4, 13.5)]))


def _pause(painter: QPainter) -> None:
    painter.drawRect(QRectF(4, 3, 3, 10))
    painter.drawRect(QRectF(9, 3, 3, 10))


def _step(painter: QPainter) -> None:
    painter.drawPolygon(QPolygonF([QPointF(3, 3), QPointF(10.5, 8), QPointF(3, 13)]))
    painter.drawRect(QRectF(11, 3, 2.5, 10))


def _stop(painter: QPainter) -> None:
    painter.drawRect(QRectF(3.5, 3.5, 9, 9))


def _reset(painter: QPainter) -> None:
    colour = painter.brush().color()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.8))
    painter.drawArc(QRectF(3, 3.5, 10, 10), 60 * 16, -300 * 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF([QPointF(8, 0.5), QPointF(8, 6.5), QPointF(3.5, 3.5)]))


def _dice(painter: QPainter) -> None:
    for x, y in ((5, 5), (11, 5), (8, 8), (5, 11), (11, 11)):
        painter.drawEllipse(QPointF(x, y), 1.3, 1.3)
    _start_lines(painter, 1.3)
    painter.drawRoundedRect(QRectF(1.5, 1.5, 13, 13), 3, 3)


def _swap(painter: QPainter) -> None:
    _start_lines(painter, 1.5)
    for y, tip, back in ((5.5, 13.5, -3), (10.5, 2.5, 3)):
        painter.drawLine(QPointF(2.5, y), QPointF(13.5, y))
        painter.drawPolyline(QPolygonF([QPointF(tip + back, y - 3), QPointF(tip, y), QPointF(tip + back, y + 3)]))


def _start_lines(painter: QPainter, width: float) -> None:
    painter.setPen(QPen(painter.brush().color(), width))
    painter.setBrush(Qt.BrushStyle.NoBrush)


SHAPES: dict[IconName, Callable[[QPainter], None]] = {
    "train": _train, "pause": _pause, "step": _step, "stop": _stop, "reset": _reset,
    "dice": _dice, "swap": _swap,
}  # fmt: skip
