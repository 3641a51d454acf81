"""Discs painted in order as an image of colours: each pixel is that of the topmost disc, whatever the number of points.

Cost: one write a point, two dilations of the image and one table look-up, so that it grows with the pixels first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vae_explorer.latent.pixel_view import Floats, PixelView

Ids = NDArray[np.int32]
Argb = NDArray[np.uint32]

PLACE_BITS = 6
"""Bits for a colour's place beside a point's order in 31 bits: 62 colours, 33 million points."""
BAND = 32
"""Rows that are coloured together, so that what is between the steps stays in the processor's cache."""
MOST_POINTS = 1 << (31 - PLACE_BITS)


def marks_of(places: NDArray[np.uint8]) -> Ids:
    """Return what is painted for points in order, (n,): their order, and in the low bits their place in the table.

    places: (n,), from 1 to 62. Raises ValueError for 33 million points or more.
    """
    if len(places) >= MOST_POINTS:
        raise ValueError(f"{len(places):,} points cannot be painted, expected fewer than {MOST_POINTS:,}")
    marks = np.arange(1, len(places) + 1, dtype=np.int32)
    marks <<= PLACE_BITS
    marks |= places
    return marks


def disc_reach(radius: float) -> int:
    """Return how far a disc's rim reaches from its middle, in whole pixels."""
    return math.ceil(radius + 0.35)


def rasterise(x: Floats, y: Floats, marks: Ids, *, view: PixelView, radius: float, table: Argb) -> Argb:
    """Paint points x, y (n,), finite, into the window's pixels (height, width); later ones lie on top.

    marks: rising, of `marks_of`. A point is a disc of `radius` pixels centred on the pixel that holds it, with a soft
    rim. table: premultiplied ARGB, three entries for each place: disc, rim on the ground, rim on another disc;
    its first entry is 0, that of a pixel without a point.
    """
    shapes = disc_rows(radius)
    margin = len(shapes[0]) // 2
    width, height = view.size
    around = view.part(-margin, -margin, width + 2 * margin, height + 2 * margin)
    # One pixel more on every side takes all that lies outside: no point is tested or left out.
    grid = np.zeros((height + 2 * margin + 2, width + 2 * margin + 2), dtype=np.int32)
    flat = grid.reshape(-1)
    for some, place in around.places(x, y):
        flat[place] = marks[some]
    image = np.zeros((height, width), dtype=np.uint32)
    for first in range(0, height, BAND):
        last = min(first + BAND, height)
        band = grid[first + 1 : last + 1 + 2 * margin, 1:-1]
        used = np.flatnonzero(band.any(axis=0))
        if len(used):
            left, right = max(0, int(used[0]) - 2 * margin), min(width, int(used[-1]) + 1)
            core, top = _dilated(band[:, left : right + 2 * margin], shapes, (right - left, last - first))
            image[first:last, left:right] = table.take(_entries(core, top), mode="clip")
    return image


def disc_rows(radius: float) -> tuple[list[int], list[int]]:
    """Return half widths of a disc's rows from top to bottom, -1 for an empty row: its core, and core with rim."""
    reach = disc_reach(radius)
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(*np.meshgrid(offsets, offsets))
    widths = []
    for limit in (radius, radius + 0.6):
        is_inside = distance <= limit
        widths.append([int(row.sum() - 1) // 2 if row.any() else -1 for row in is_inside])
    return widths[0], widths[1]


def _entries(core: Ids, top: Ids) -> NDArray[np.uint8]:
    """Return each pixel's entry of the table: that of its disc, or of a rim on the ground or on the disc below."""
    has_core = core > 0
    is_rim = core != top
    entries = np.where(has_core, core, top).astype(np.uint8)
    entries &= np.uint8((1 << PLACE_BITS) - 1)
    entries *= np.uint8(3)
    entries += is_rim
    is_rim &= has_core
    entries += is_rim
    return entries


def _dilated(grid: Ids, shapes: tuple[list[int], list[int]], size: tuple[int, int]) -> tuple[Ids, Ids]:
    """Return for each pixel the largest id within a disc around it, for two discs of as many rows.

    Rows are widened first, then laid over each other: that takes about 6 maxima of whole images a pixel of radius.
    """
    width, height = size
    margin = len(shapes[0]) // 2
    wanted = {half for shape in shapes for half in shape}
    row = grid[:, margin : margin + width]
    widened = {0: row}
    for half in range(1, max(wanted) + 1):
        left, right = (grid[:, start : start + width] for start in (margin - half, margin + half))
        # In place of the row before where that is not wanted; the first one is the grid itself.
        row = np.maximum(row, left, out=row if half > 1 and half - 1 not in wanted else None)
        np.maximum(row, right, out=row)
        widened[half] = row
    return _laid_over(widened, shapes[0], height), _laid_over(widened, shapes[1], height)


def _laid_over(widened: dict[int, Ids], half_widths: list[int], height: int) -> Ids:
    rows = [widened[half][place : place + height] for place, half in enumerate(half_widths) if half >= 0]
    result = rows[0].copy() if len(rows) == 1 else np.maximum(rows[0], rows[1])
    for row in rows[2:]:
        np.maximum(result, row, out=result)
    return result
