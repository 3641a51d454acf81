"""`ViewFrame`: the straight map between coordinates of a plot and its pixels, frozen for one layout and zoom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ViewFrame:
    """A rectangle of pixels (left, top, width, height; y grows downwards) that shows ranges of x and y (y upwards)."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels a unit, along x and along y."""
        return (
            self.width / (self.x_range[1] - self.x_range[0]),
            self.height / (self.y_range[1] - self.y_range[0]),
        )

    def to_px(self, points: ArrayLike) -> NDArray[np.float32]:
        """Map coordinates (n, 2) to pixels (n, 2)."""
        xy = np.asarray(points, dtype=np.float32)
        sx, sy = self.scale
        px = np.empty(xy.shape, dtype=np.float32)
        np.multiply(xy[..., 0] - self.x_range[0], sx, out=px[..., 0])
        np.multiply(self.y_range[1] - xy[..., 1], sy, out=px[..., 1])
        return px + np.array([self.left, self.top], dtype=np.float32)

    def to_view(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Map one pixel position to coordinates."""
        sx, sy = self.scale
        return self.x_range[0] + (x_px - self.left) / sx, self.y_range[1] - (y_px - self.top) / sy

    def contains(self, x_px: float, y_px: float) -> bool:
        """Whether a pixel position lies in the rectangle."""
        return self.left <= x_px < self.left + self.width and self.top <= y_px < self.top + self.height
