"""Figures of points on a scale of few levels: where the scale begins and ends, and each figure's level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_explorer.latent.pixel_view import PixelView, counts

Floats = NDArray[np.float32]

LEVELS = 61
"""Levels of a scale; with the one for figures that are not known these are the colours that a raster can hold."""
ENDS = (0.01, 0.99)
"""Quantiles where a scale begins and ends: one odd image would else leave one colour for all the others."""
SAMPLE = 20_000
DENSITY_CELLS = (16, 128)
"""Fewest and most cells along each axis: about as many in all as there are points."""


@dataclass(frozen=True)
class ValueScale:
    """A scale from low to high, low < high; what lies beyond has the level of its end. is_log: low > 0, even in log."""

    low: float
    high: float
    is_log: bool = False

    def levels(self, values: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return each value's level (n,), 1 to LEVELS, and LEVELS + 1 for what is not finite."""
        low, high = self.low, self.high
        numbers = np.asarray(values, dtype=np.float32)
        is_known = np.isfinite(numbers)
        if self.is_log:
            low, high = float(np.log(low)), float(np.log(high))
            numbers = np.log(np.maximum(numbers, np.float32(self.low)))
        share = (np.where(is_known, numbers, np.float32(low)) - np.float32(low)) * np.float32(1.0 / (high - low))
        np.clip(share, 0.0, 1.0, out=share)
        share *= LEVELS - 1
        share += 1.5
        levels = share.astype(np.uint8)
        levels[~is_known] = LEVELS + 1
        return levels


def scale_of(values: NDArray[np.floating], *, is_log: bool = False) -> ValueScale | None:
    """Return the scale that shows all but the outermost of values (n,); None where none is finite (log: and > 0)."""
    some = values[:: max(1, len(values) // SAMPLE)]
    known = some[np.isfinite(some) & (some > 0 if is_log else True)]
    if not len(known):
        return None
    low, high = (float(end) for end in np.quantile(known, ENDS))
    if not high > low:
        low, high = (low, 2 * low) if is_log else (low - 0.5, low + 0.5)
    return ValueScale(low, high, is_log)


def point_density(x: Floats, y: Floats) -> Floats:
    """Return how dense the points x, y (n,), finite, lie around each of them, in points a square unit (float32).

    Counts of square-ish cells between the outermost quantiles of each axis, each blended with its neighbours by the
    binomial filter (1 2 1) / 4 twice. Beyond these cells it is 0.
    """
    if not len(x):
        return np.zeros(0, dtype=np.float32)
    spans = [_span(x), _span(y)]
    side = min(max(round(math.sqrt(len(x))), DENSITY_CELLS[0]), DENSITY_CELLS[1])
    view = PixelView.over(spans[0], spans[1], (side, side))
    cells = counts(x, y, view).astype(np.float32)
    for _ in range(2):
        cells = _blended(_blended(cells).T).T
    cells *= np.float32(abs(view.scale[0] * view.scale[1]))
    around = np.pad(cells, 1).ravel()
    result = np.empty(len(x), dtype=np.float32)
    for some, place in view.places(x, y):
        result[some] = around[place]
    return result


def _span(values: Floats) -> tuple[float, float]:
    some = values[:: max(1, len(values) // SAMPLE)]
    low, high = (float(end) for end in np.quantile(some, (0.0005, 0.9995)))
    pad = max(0.02 * (high - low), 1e-6 * max(abs(low), abs(high)), 1e-12)
    return low - pad, high + pad


def _blended(cells: Floats) -> Floats:
    """Return cells (rows, cols) blended along the columns, as if beyond the edge there were none."""
    result = cells * np.float32(0.5)
    result[:, 1:] += cells[:, :-1] * np.float32(0.25)
    result[:, :-1] += cells[:, 1:] * np.float32(0.25)
    return result
