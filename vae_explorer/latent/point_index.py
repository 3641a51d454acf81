"""Points of a plane sorted into cells: those of a box, and the nearest to a place, without a look at all the others."""

from __future__ import annotations

from math import inf, nextafter

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Range = tuple[float, float]

SIDE = 256
"""Cells along each axis: their numbers fit in 16 bits, which NumPy sorts by radix (1,000,000 points: some 10 ms)."""
SAMPLE = 4096
OUTER = (0.005, 0.995)
"""Cells divide the room between these quantiles of a sample; what lies beyond is in the outermost ones."""
FIRST_RADIUS_PX = 4.0


class PointIndex:
    """An index of points x, y (n,), float32 and finite, that are not changed while it lives. It holds 4 bytes a point.

    Cost: some 30 ms for 1,000,000 points; a question looks at the points of the cells that it touches.
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        self._x, self._y = x, y
        self._columns, self._rows = _Cells(x), _Cells(y)
        keys = self._rows.of(y)
        keys *= np.uint16(SIDE)
        keys += self._columns.of(x)
        # A stable sort: within a cell the points keep their order.
        self._order: Ids = np.argsort(keys, kind="stable").astype(np.int32)
        counts = np.bincount(keys, minlength=SIDE * SIDE)
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    @property
    def nbytes(self) -> int:
        """Bytes that the index holds beside the points."""
        return int(self._order.nbytes + self._starts.nbytes)

    def within(self, x_range: Range, y_range: Range) -> Ids | None:
        """Return the places, ascending, of all points of a box and some around it; None: half of all or more."""
        ids = self._around(x_range, y_range)
        return None if ids is None else np.sort(ids)

    def nearest(self, at: tuple[float, float], scale: tuple[float, float], radius: float = inf) -> int | None:
        """Return the place of the point nearest to `at`, the first of several, or None if none is within `radius`.

        scale: pixels a unit, along x and along y; radius in pixels.
        """
        if not len(self._x):
            return None
        reach = min(FIRST_RADIUS_PX, radius)
        while True:
            dx, dy = reach / scale[0], reach / scale[1]
            ids = self._around((at[0] - dx, at[0] + dx), (at[1] - dy, at[1] + dy))
            best, away = self._nearest_of(ids, at, scale)
            if away <= reach or ids is None or reach >= radius:
                return best if away <= radius else None
            # A point that was seen by chance bounds how far the nearest can be.
            reach = min(2.0 * reach, nextafter(away, inf), radius)

    def _around(self, x_range: Range, y_range: Range) -> Ids | None:
        """Return the places of all points of the cells that a box touches; None: half of all or more."""
        left, right = (self._columns.of_one(value) for value in x_range)
        low, high = (self._rows.of_one(value) for value in y_range)
        rows = np.arange(low, high + 1) * SIDE
        begins, ends = self._starts[rows + left], self._starts[rows + right + 1]
        if 2 * int((ends - begins).sum()) >= len(self._x):
            return None
        return np.concatenate(
            [self._order[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        )

    def _nearest_of(self, ids: Ids | None, at: tuple[float, float], scale: tuple[float, float]) -> tuple[int, float]:
        """Return the place of the nearest of some points, or of all, and how far it is; -1 and inf where none is."""
        x, y = (self._x, self._y) if ids is None else (self._x[ids], self._y[ids])
        if not len(x):
            return -1, inf
        squared = squared_px(x, y, at, scale)
        best = int(np.argmin(squared))
        away = float(np.sqrt(squared[best]))
        return best if ids is None else int(ids[squared == squared[best]].min()), away


def squared_px(x: Floats, y: Floats, at: tuple[float, float], scale: tuple[float, float]) -> NDArray[np.float64]:
    """Return the squared distances of points to a place, in pixels; `scale`: pixels a unit along each axis."""
    dx = np.subtract(x, at[0], dtype=np.float64)
    dy = np.subtract(y, at[1], dtype=np.float64)
    dx *= scale[0]
    dy *= scale[1]
    dx *= dx
    dy *= dy
    dx += dy
    return dx


class _Cells:
    """Equal cells along one axis between two quantiles; whatever lies beyond belongs to the first or the last."""

    def __init__(self, values: Floats) -> None:
        some = values[:: max(1, len(values) // SAMPLE)]
        low, high = np.quantile(some, OUTER).astype(np.float32) if len(some) else (0.0, 1.0)
        self._low = np.float32(low)
        with np.errstate(over="ignore"):
            self._per_unit = np.float32(SIDE / max(float(high) - float(low), 1e-30))
        if not np.isfinite(self._per_unit):
            self._per_unit = np.float32(1e30)

    def of(self, values: Floats) -> NDArray[np.uint16]:
        """Return each value's cell, rising with the value."""
        with np.errstate(over="ignore"):
            place = values - self._low
            place *= self._per_unit
        return np.clip(place, 0.0, SIDE - 1.0, out=place).astype(np.uint16)

    def of_one(self, value: float) -> int:
        """Return the cell of one value, infinite ones too."""
        with np.errstate(over="ignore"):
            single = np.asarray([value]).astype(np.float32)
        return int(self.of(single)[0])
