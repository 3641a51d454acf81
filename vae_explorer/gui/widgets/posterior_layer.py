"""`PosteriorLayer`: the true posterior of one image, its energy and its mode on the latent map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from vae_explorer.engine.messages import Inspected
from vae_explorer.gui.widgets.heat import density_image, energy_image, heat_colour
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


class PosteriorLayer(MapLayer):
    """A heat map of p(z|x), terraces of -log p(x, z), or both; on a line a curve, and q's beside it.

    is_density_on, is_energy_on: which of them are drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_density_on = self.is_energy_on = False
        self._shown: Inspected | None = None
        self._q: tuple[Floats, Floats] | None = None
        self._density: QImage | None = None
        self._energy: QImage | None = None

    @property
    def shown(self) -> Inspected | None:
        """What is drawn where it is on."""
        return self._shown

    def set_posterior(self, answer: Inspected | None) -> None:
        """Draw this posterior, or none."""
        if answer is not self._shown:
            # The pictures are made when they are painted: while it trains most are never looked at.
            self._shown, self._density, self._energy = answer, None, None
        self._q = None if answer is None else (answer.loc, answer.scale)
        self.update()

    def set_q(self, loc: Floats, scale: Floats) -> None:
        """Draw another q (latent_dim,) beside the posterior of a line; on a plane the map draws its ellipse."""
        self._q = (loc, scale)
        self.update()

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the energy, the density over it, and the mode on top."""
        if self._shown is None or not (self.is_density_on or self.is_energy_on):
            return
        if len(self._shown.mode) == 1:
            self._paint_line(painter, frame, self._shown)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        where = self._room(frame, self._shown)
        if self.is_energy_on:
            painter.drawImage(where, self._energy_picture(self._shown))
        if self.is_density_on:
            self._density = self._density or density_image(self._shown.log_density)
            painter.drawImage(where, self._density)
        self._paint_mode(painter, QPointF(*frame.to_px(self._shown.mode).tolist()))

    def _energy_picture(self, shown: Inspected) -> QImage:
        self._energy = self._energy or energy_image(shown.energy)
        return self._energy

    def _room(self, frame: ViewFrame, shown: Inspected) -> QRectF:
        """Return where the pictures lie: each of their pixels has its place of the lattice in the middle."""
        (left, right, low, high), (rows, cols) = shown.extent, shown.log_density.shape
        dx, dy = (right - left) / max(cols - 1, 1) / 2, (high - low) / max(rows - 1, 1) / 2
        corners = [(left - dx, high + dy), (right + dx, low - dy)]
        (x0, y0), (x1, y1) = frame.to_px(corners).tolist()
        return QRectF(x0, y0, x1 - x0, y1 - y0)

    def _paint_mode(self, painter: QPainter, at: QPointF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        a, b = QPointF(MODE_PX, MODE_PX), QPointF(MODE_PX, -MODE_PX)
        for colour, width in ((translucent(self.theme.surface, 0.9), 4.0), (QColor(self.theme.text), 1.75)):
            painter.setPen(QPen(colour, width))
            painter.drawLines([QLineF(at - a, at + a), QLineF(at - b, at + b)])

    # ---- latent_dim 1 ---------------------------------------------------------------------------------------------

    def _paint_line(self, painter: QPainter, frame: ViewFrame, shown: Inspected) -> None:
        z = np.linspace(shown.extent[0], shown.extent[1], shown.log_density.shape[1])
        x = frame.to_px(np.stack([z, np.zeros_like(z)], axis=1))[:, 0]
        foot = frame.top + frame.height
        if self.is_energy_on:
            painter.drawImage(
                QRectF(float(x[0]), foot - STRIP_PX, float(x[-1] - x[0]), STRIP_PX), self._energy_picture(shown)
            )
            foot -= STRIP_PX
        if not self.is_density_on:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        log_density = shown.log_density[0].astype(np.float64)
        top, height = float(np.nanmax(log_density)), CURVE_SHARE * frame.height
        polygon = _curve(x, np.exp(log_density - top) * height, foot)
        painter.setPen(QPen(heat_colour(1.0), 1.75))
        painter.setBrush(translucent(heat_colour(0.5), 0.45))
        painter.drawPolygon(polygon)
        if self._q is not None and self._q[1].any():
            (loc,), (scale,) = self._q[0].tolist(), self._q[1].tolist()
            log_q = -0.5 * ((z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self.theme.accent), 1.75))
            painter.drawPolyline(_curve(x, np.exp(np.minimum(log_q - top, 1.0)) * height, foot))


def _curve(x_px: Floats, heights_px: NDArray[np.float64], foot_px: float) -> QPolygonF:
    """Return a curve over `foot_px` as a polygon that is closed by its ends there."""
    places = zip(x_px.tolist(), np.nan_to_num(heights_px).tolist(), strict=True)
    inner = [QPointF(x, foot_px - height) for x, height in places]
    return QPolygonF([QPointF(float(x_px[0]), foot_px), *inner, QPointF(float(x_px[-1]), foot_px)])
