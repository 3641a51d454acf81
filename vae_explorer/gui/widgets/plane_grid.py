"""The lattice of decoded pictures behind the map: where its cells lie, and its pictures laid out as one image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.mosaic import to_uint8

TILE_PX = (30, 60)
"""The side that a picture has on screen at least, for small and for large images."""
MAX_TILES = 900
"""More pictures than this are not asked for: cells get larger instead."""
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


def plane_grid(frame: ViewFrame, image_size: tuple[int, int], *, is_line: bool = False) -> PlaneGrid:
    """Return the cells that cover what `frame` shows, each of an image's shape (height, width).

    Cells lie on a lattice that is fixed in latent space and whose pitch goes by steps of sqrt 2, so that panning and
    small zooms leave pictures where they are.
    """
    height, width = image_size
    sx, sy = frame.scale
    side_px = float(np.clip(min(height, width), *TILE_PX))
    while True:
        pitch_x = _snapped(side_px * width / min(height, width) / sx)
        pitch_y = pitch_x * height / width * (sx / sy if is_line else 1.0)
        left, right = _cover(frame.x_range, pitch_x)
        low, high = (0, 1) if is_line else _cover(frame.y_range, pitch_y)
        if (right - left) * (high - low) <= MAX_TILES:
            break
        side_px *= math.sqrt(2)
    half_x, half_y = pitch_x / 2, pitch_y / 2
    return PlaneGrid(
        (left * pitch_x - half_x, right * pitch_x - half_x),
        (low * pitch_y - half_y, high * pitch_y - half_y),
        right - left,
        high - low,
    )


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


def plane_image(images: NDArray[np.float32], grid: PlaneGrid) -> QImage:
    """Return pictures (ny * nx, C, H, W) in [0, 1], row 0 on top, side by side without gaps."""
    _, channels, height, width = images.shape
    tiles = to_uint8(images).reshape(grid.ny, grid.nx, channels, height, width)
    sheet = np.ascontiguousarray(tiles.transpose(0, 3, 1, 4, 2)).reshape(grid.ny * height, grid.nx * width, channels)
    if channels == 1:
        form, bytes_a_line = QImage.Format.Format_Grayscale8, grid.nx * width
    else:
        form, bytes_a_line = QImage.Format.Format_RGB888, 3 * grid.nx * width
    return QImage(sheet.data, grid.nx * width, grid.ny * height, bytes_a_line, form).copy()


def _snapped(pitch: float) -> float:
    return float(2.0 ** (math.ceil(2.0 * math.log2(pitch) - 1e-9) / 2.0))


def _cover(span: tuple[float, float], pitch: float) -> tuple[int, int]:
    """Return the first cell and the one after the last whose cells, centred on multiples of pitch, cover a span."""
    return math.floor(span[0] / pitch + 0.5), math.floor(span[1] / pitch + 0.5) + 1
