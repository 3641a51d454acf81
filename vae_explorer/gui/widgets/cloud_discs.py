"""The few points of a view that is zoomed in, as discs at their very place, with smooth edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from vae_explorer.gui.widgets.cloud_colours import RIM_ALPHA, PointColours
from vae_explorer.latent.pixel_view import PixelView

Floats = NDArray[np.float32]

MOST_DISCS = 400
"""Up to so many points in view are drawn one by one: as many as take no longer than any number does, rasterised."""
RIM_PX = 0.6


def draw_discs(
    x: Floats, y: Floats, places: NDArray[np.uint8], *, view: PixelView, radius: float, colours: PointColours
) -> QImage:
    """Return points x, y (n,), finite, as a transparent image of the window; later ones lie on top.

    places: of `PointColours.places`. radius: of the discs without their soft rim, in pixels.
    """
    image = QImage(*view.size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pens = _pens(colours)
    columns = x * np.float64(view.scale[0]) + (view.phase[0] - view.origin[0])
    rows = y * np.float64(view.scale[1]) + (view.phase[1] - view.origin[1])
    size = radius + RIM_PX / 2
    for column, row, place in zip(columns.tolist(), rows.tolist(), places.tolist(), strict=True):
        rim, disc = pens[place - 1]
        painter.setPen(rim)
        painter.setBrush(disc)
        painter.drawEllipse(QPointF(column, row), size, size)
    painter.end()
    return image


def _pens(colours: PointColours) -> list[tuple[QPen, QColor]]:
    """Return rim and disc of each place: a rim half of the ground, so that discs that touch are told apart."""
    pens = []
    for colour in colours.discs:
        disc, rim = QColor(colour), QColor(colours.ground)
        disc.setAlphaF(colours.alpha)
        rim.setAlphaF(RIM_ALPHA)
        pens.append((QPen(rim, RIM_PX), disc))
    return pens
