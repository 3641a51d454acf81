"""The true posterior of one image on the latent map: its energy below the points, its density and mode above them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from vae_explorer.engine.messages import Inspected
from vae_explorer.gui.widgets.heat import density_image, energy_image, energy_lines, heat_colour
from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.plot_style import translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

Floats = NDArray[np.float32]

CURVE_SHARE = 0.32
"""Height of the highest density on a line (latent_dim 1), of the map's."""
STRIP_PX = 14.0
"""Height of the energy on a line."""
MODE_PX = 5.0
"""Half of the cross at the mode."""


class LatticeLayer(MapLayer):
    """A layer that draws one answer's lattice; `is_on`: whether it does."""

    def __init__(self) -> None:
        super().__init__()
        self.is_on = False
        self.shown: Inspected | None = None
        self._image: QImage | None = None

    def set_posterior(self, answer: Inspected | None) -> None:
        """Draw this answer, or none. Its picture is made when it is painted: while it trains most never are."""
        if answer is not self.shown:
            self.shown, self._image = answer, None
            self.refresh()

    @property
    def is_blank(self) -> bool:
        """Whether it is off, or knows no answer."""
        return not self.is_on or self.shown is None

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw what is shown, as a plane or as a line."""
        assert self.shown is not None
        if len(self.shown.mode) == 1:
            self._paint_line(painter, frame, self.shown)
        else:
            self._paint_plane(painter, frame, self.shown)

    def _paint_plane(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        self._image = self._image or self._make_image(shown)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(_room(frame, shown), self._image)

    def _make_image(self, shown: Inspected) -> QImage:
        raise NotImplementedError

    def _paint_line(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        raise NotImplementedError


class EnergyLayer(LatticeLayer):
    """Terraces of -log p(x, z) and the lines between them; on a line (latent_dim 1) a strip along the lower edge."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[QColor, NDArray[np.float64]]] | None = None

    def set_posterior(self, answer: Inspected | None) -> None:
        """Draw this answer, or none."""
        self._lines = self._lines if answer is self.shown else None
        super().set_posterior(answer)

    def _paint_plane(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        super()._paint_plane(painter, frame, shown)
        self._lines = energy_lines(shown.energy) if self._lines is None else self._lines
        room = _room(frame, shown)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, pieces in self._lines:
            ends = pieces * (room.width(), -room.height()) + (room.left(), room.bottom())
            lines = [QLineF(*piece) for piece in ends.reshape(-1, 4).tolist()]
            for pen in (QPen(translucent(self.theme.surface, 0.6), 3.0), QPen(colour, 1.25)):
                painter.setPen(pen)
                painter.drawLines(lines)

    def _make_image(self, shown: Inspected) -> QImage:
        return energy_image(shown.energy)

    def _paint_line(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        self._image = self._image or self._make_image(shown)
        room = _room(frame, shown)
        foot = frame.top + frame.height
        painter.drawImage(QRectF(room.left(), foot - STRIP_PX, room.width(), STRIP_PX), self._image)


class PosteriorLayer(LatticeLayer):
    """A heat map of p(z|x) and a cross at its mode; on a line (latent_dim 1) a curve, and q's beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._q: tuple[Floats, Floats] | None = None

    def set_q(self, loc: Floats | None, scale: Floats | None = None) -> None:
        """Draw another q (latent_dim,) than the answer's beside a curve; on a plane the map draws its ellipse."""
        self._q = None if loc is None or scale is None else (loc, scale)
        self.refresh()

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the density, and the mode on top."""
        super().paint_layer(painter, frame, ratio)
        if self.shown is not None and len(self.shown.mode) > 1:
            self._paint_mode(painter, QPointF(*frame.to_px(self.shown.mode).tolist()))

    def _make_image(self, shown: Inspected) -> QImage:
        return density_image(shown.log_density)

    def _paint_mode(self, painter: QPainter, at: QPointF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        a, b = QPointF(MODE_PX, MODE_PX), QPointF(MODE_PX, -MODE_PX)
        for colour, width in ((translucent(self.theme.surface, 0.9), 4.0), (QColor(self.theme.text), 1.75)):
            painter.setPen(QPen(colour, width))
            painter.drawLines([QLineF(at - a, at + a), QLineF(at - b, at + b)])

    def _paint_line(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        z = _centres(shown)
        x = frame.to_px(np.stack([z, np.zeros_like(z)], axis=1))[:, 0]
        # The foot leaves room for the strip of the energy, whether that is on or not: nothing jumps.
        foot, height = frame.top + frame.height - STRIP_PX, CURVE_SHARE * frame.height
        log_density = shown.log_density[0].astype(np.float64)
        top = float(np.nanmax(log_density))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(heat_colour(1.0), 1.75))
        painter.setBrush(translucent(heat_colour(0.5), 0.45))
        painter.drawPolygon(_curve(x, np.exp(log_density - top) * height, foot))
        loc, scale = (shown.loc, shown.scale) if self._q is None else self._q
        away = (z - float(loc[0])) / float(scale[0])
        log_q = -0.5 * away**2 - np.log(float(scale[0])) - 0.5 * np.log(2 * np.pi)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self.theme.accent), 1.75))
        painter.drawPolyline(_curve(x, np.exp(log_q - top) * height, foot))


def _room(frame: ViewFrame, shown: Inspected) -> QRectF:
    """Return where a picture of the lattice lies: a pixel for a cell, the extent from edge to edge."""
    left, right, low, high = shown.extent
    (x0, y0), (x1, y1) = frame.to_px([(left, high), (right, low)]).tolist()
    return QRectF(x0, y0, x1 - x0, y1 - y0)


def _centres(shown: Inspected) -> NDArray[np.float64]:
    """Return the middles (cols,) of the cells along x."""
    edges = np.linspace(shown.extent[0], shown.extent[1], shown.log_density.shape[1] + 1)
    middles: NDArray[np.float64] = (edges[1:] + edges[:-1]) / 2
    return middles


def _curve(x_px: Floats, heights_px: NDArray[np.float64], foot_px: float) -> QPolygonF:
    """Return a curve over `foot_px` as a polygon that is closed by its ends there."""
    places = zip(x_px.tolist(), np.nan_to_num(heights_px).tolist(), strict=True)
    inner = [QPointF(x, foot_px - height) for x, height in places]
    return QPolygonF([QPointF(float(x_px[0]), foot_px), *inner, QPointF(float(x_px[-1]), foot_px)])
