"""Lattices of decoded pictures: where the cells of a stored one lie, and pictures laid out as one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from vae_explorer.latent.mosaic import to_uint8

Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class PlaneGrid:
    """nx by ny equal cells over x_range and y_range of the map."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    nx: int
    ny: int

    @property
    def extent(self) -> Extent:
        """(x0, x1, y0, y1)."""
        return *self.x_range, *self.y_range


def grid_of(points: NDArray[np.float64]) -> PlaneGrid | None:
    """Return the grid whose cell centres are points (n, 2), rows from top to bottom; None when they are no lattice."""
    x, y = points[:, 0], points[:, 1]
    if len(points) < 2:
        return None
    pitch = float(np.abs(np.diff(points[:2], axis=0)).max())
    breaks = np.flatnonzero(np.abs(y - y[0]) > 0.25 * pitch)
    nx = int(breaks[0]) if len(breaks) else len(points)
    ny, rest = divmod(len(points), nx)
    if rest or nx < 2:
        return None
    half_x = (x[nx - 1] - x[0]) / (nx - 1) / 2
    half_y = half_x if ny == 1 else (y[0] - y[-1]) / (ny - 1) / 2
    rows = y.reshape(ny, nx), x.reshape(ny, nx)
    is_lattice = np.allclose(rows[0], rows[0][:, :1], atol=0.1 * pitch) and np.allclose(
        rows[1], rows[1][:1], atol=0.1 * pitch
    )
    if half_x <= 0 or half_y <= 0 or not is_lattice:
        return None
    return PlaneGrid(
        (float(x[0] - half_x), float(x[nx - 1] + half_x)), (float(y[-1] - half_y), float(y[0] + half_y)), nx, ny
    )


def plane_image(images: NDArray[np.float32] | NDArray[np.uint8], rows: int, cols: int) -> QImage:
    """Return pictures (rows * cols, C, H, W), uint8 or in [0, 1], row 0 on top, side by side without gaps."""
    _, channels, height, width = images.shape
    as_bytes = images if images.dtype == np.uint8 else to_uint8(images)
    pictures = as_bytes.reshape(rows, cols, channels, height, width)
    sheet = np.ascontiguousarray(pictures.transpose(0, 3, 1, 4, 2)).reshape(rows * height, cols * width, channels)
    form = QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    return QImage(sheet.data, cols * width, rows * height, channels * cols * width, form).copy()
