"""A window of whole pixels onto a plane, whose pixels stay where they are when the window moves over it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.intp]
Range = tuple[float, float]
Pair = tuple[int, int]

PHASES = 64
"""The lattice of pixels lies on multiples of 1 / 64 pixel, so that a move by whole pixels finds the same lattice."""
CHUNK = 1 << 15
"""Points that are worked on together: their numbers stay in the processor's cache."""


@dataclass(frozen=True)
class PixelView:
    """Pixel (column, row) of a point: floor(x * scale + phase) - origin, in float32; y grows upwards, rows downwards.

    scale: pixels a unit, that of y negative; phase: in [0, 1); origin: the first column and row; size: (width, height).
    """

    scale: tuple[float, float]
    phase: tuple[float, float]
    origin: Pair
    size: Pair

    @classmethod
    def over(cls, x_range: Range, y_range: Range, size: Pair) -> PixelView:
        """Return the window of `size` pixels over these ranges, to 1 / 128 of a pixel."""
        scales = [
            float(np.float32(size[0] / (x_range[1] - x_range[0]))),
            -float(np.float32(size[1] / (y_range[1] - y_range[0]))),
        ]
        firsts = [round(-start * scale * PHASES) for start, scale in zip((x_range[0], y_range[1]), scales, strict=True)]
        return cls(
            (scales[0], scales[1]),
            (firsts[0] % PHASES / PHASES, firsts[1] % PHASES / PHASES),
            (-(firsts[0] // PHASES), -(firsts[1] // PHASES)),
            size,
        )

    def part(self, left: int, top: int, width: int, height: int) -> PixelView:
        """Return the window onto some of its pixels, or onto pixels around it."""
        return replace(self, origin=(self.origin[0] + left, self.origin[1] + top), size=(width, height))

    def is_move_of(self, other: PixelView) -> bool:
        """Whether the two windows differ in their place alone, and have pixels of one lattice."""
        # Beyond that, a float32 does not tell pixels apart.
        is_sound = all(abs(first) < 2**23 for first in (*self.origin, *other.origin))
        return is_sound and (self.scale, self.phase, self.size) == (other.scale, other.phase, other.size)

    def ranges(self) -> tuple[Range, Range]:
        """Return ranges of x and y that hold every point of the window, and one pixel more on each side."""
        (sx, sy), (px, py), (left, top), (width, height) = self.scale, self.phase, self.origin, self.size
        x = (left - 1 - px) / sx, (left + width + 1 - px) / sx
        y = (top + height + 1 - py) / sy, (top - 1 - py) / sy
        # A float32 may lie a little beyond.
        return _wider(x), _wider(y)

    def places(self, x: Floats, y: Floats) -> Iterator[tuple[slice, Places]]:
        """Yield, for some points (n,) at a time, their place in an image with one pixel more on each side, raveled.

        What lies outside is at the place of the outer pixel that is nearest. x, y: finite.
        """
        width, height = self.size
        for start in range(0, len(x), CHUNK):
            some = slice(start, start + CHUNK)
            place = self._along(1, y[some], height)
            place *= width + 2
            place += self._along(0, x[some], width)
            yield some, place

    def _along(self, axis: int, values: Floats, size: int) -> Places:
        with np.errstate(over="ignore"):
            place = values * np.float32(self.scale[axis])
        place += np.float32(self.phase[axis])
        np.floor(place, out=place)
        place -= np.float32(self.origin[axis] - 1)
        return np.clip(place, 0.0, size + 1.0, out=place).astype(np.intp)


def _wider(span: Range) -> Range:
    slack = 1e-6 * max(abs(span[0]), abs(span[1]))
    return span[0] - slack, span[1] + slack


def counts(x: Floats, y: Floats, view: PixelView) -> NDArray[np.int64]:
    """Return how many of the points (n,) lie in each pixel, (height, width)."""
    width, height = view.size
    total = np.zeros((width + 2) * (height + 2), dtype=np.int64)
    for _, place in view.places(x, y):
        # A count of whole images costs as much as their pixels: only where points are many does that not matter.
        if len(place) * 4 > len(total):
            total += np.bincount(place, minlength=len(total))
        else:
            np.add.at(total, place, 1)
    return total.reshape(height + 2, width + 2)[1:-1, 1:-1]


def cell_view(view_ranges: tuple[Range, Range], size: Pair, cell: int) -> tuple[PixelView, Pair]:
    """Return a window of square cells of `cell` pixels that covers a window of `size` pixels, and where that begins.

    The cells stay where they are in the plane when the window moves. Second: pixels (0 .. cell - 1) of the first cell
    that lie left of and above the window.
    """
    (x0, x1), (y0, y1) = view_ranges
    scales = (float(np.float32(size[0] / (x1 - x0) / cell)), -float(np.float32(size[1] / (y1 - y0) / cell)))
    starts = x0 * scales[0], y1 * scales[1]
    firsts = math.floor(starts[0]), math.floor(starts[1])
    hidden = tuple(min(cell - 1, round((start - first) * cell)) for start, first in zip(starts, firsts, strict=True))
    cells = tuple(-(-(pixels + less) // cell) for pixels, less in zip(size, hidden, strict=True))
    return PixelView(scales, (0.0, 0.0), firsts, (cells[0], cells[1])), (hidden[0], hidden[1])
