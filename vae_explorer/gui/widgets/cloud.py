"""A cloud of up to some 100,000 coloured points as one raster: NumPy finds each pixel's point, Qt draws one image.

Cost: a scatter, two dilations of the image and one table look-up, so it grows with the pixels, hardly with the points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from vae_explorer.gui.widgets.view_frame import ViewFrame

Ids = NDArray[np.int32]
PLACE_BITS = 6
"""Bits for a colour's place beside a point's order in 31 bits: 62 colours, 33 million points."""


def point_radius_px(n_points: int) -> float:
    """Return the radius of a point: the more there are the smaller they get."""
    return float(np.clip(4.3 - 0.75 * math.log10(max(n_points, 30) / 30.0), 1.35, 4.3))


class PointColours:
    """The colours of points by label, ready for `rasterise`: disc, soft rim, and where one disc lies over another."""

    def __init__(self, colours: Sequence[str], ground: str, *, alpha: float = 1.0) -> None:
        """colours: one for each label from 0, then one for every other label; ground: what parts touching discs."""
        self.n_labels = len(colours) - 1
        self._table = np.zeros(3 * (len(colours) + 1), dtype=np.uint32)
        back = QColor(ground)
        for place, name in enumerate(colours, start=1):
            colour = QColor(name)
            self._table[3 * place] = premultiplied(colour, alpha)
            self._table[3 * place + 1] = premultiplied(colour, alpha * 0.45)
            self._table[3 * place + 2] = premultiplied(_mixed(colour, back, 0.5), alpha)

    def places(self, labels: NDArray[np.int64] | None, n_points: int) -> NDArray[np.uint8]:
        """Return each point's place in the table (n_points,); labels past the colours repeat them, -1 is the last."""
        if labels is None:
            return np.full(n_points, self.n_labels + 1, dtype=np.uint8)
        repeated = labels % max(self.n_labels, 1) + 1
        return np.where((labels < 0) | (self.n_labels == 0), self.n_labels + 1, repeated).astype(np.uint8)

    @property
    def table(self) -> NDArray[np.uint32]:
        """Premultiplied ARGB, three entries a place: disc, rim on the ground, rim on another disc."""
        return self._table


def premultiplied(colour: QColor, alpha: float) -> int:
    """Return a colour of an opacity from 0 to 1 as one number of QImage's premultiplied ARGB format."""
    level = round(255 * alpha)
    red, green, blue = (round(part * alpha) for part in (colour.red(), colour.green(), colour.blue()))
    return (level << 24) | (red << 16) | (green << 8) | blue


def rasterise(
    px: NDArray[np.float32], places: NDArray[np.uint8], *, size: tuple[int, int], radius: float, colours: PointColours
) -> NDArray[np.uint32]:
    """Paint points at pixels px (n, 2) into an image (height, width) of premultiplied ARGB; later points lie on top.

    size: (width, height). A point is a disc of `radius` pixels centred on the pixel that holds it, with a rim of
    half opacity against stairs. Points that are not finite or outside are left out.
    """
    width, height = size
    core_rows, full_rows = _disc_rows(radius)
    margin = len(full_rows) // 2
    padded_width = width + 2 * margin
    # The centre of pixel k is k + 0.5: the floor is the pixel that holds the point. NaN compares false.
    columns, rows = px[:, 0] + margin, px[:, 1] + margin
    is_inside = (columns >= 0) & (columns < padded_width) & (rows >= 0) & (rows < height + 2 * margin)
    kept = np.flatnonzero(is_inside)
    # A pixel holds the order of its point, and in the low bits the point's place in the table: no look-up a pixel.
    grid = np.zeros((height + 2 * margin, padded_width), dtype=np.int32)
    order = np.arange(1, len(kept) + 1, dtype=np.int32) << PLACE_BITS
    grid[rows[kept].astype(np.intp), columns[kept].astype(np.intp)] = order | places[kept]
    core = _dilated(grid, core_rows, size, margin)
    top = _dilated(grid, full_rows, size, margin)
    has_core = core > 0
    is_rim = core != top
    index = np.where(has_core, core, top)
    index &= (1 << PLACE_BITS) - 1
    index *= 3
    index += is_rim
    index += is_rim & has_core
    return colours.table.take(index)


def nearest_within(px: NDArray[np.float32], at: tuple[float, float], radius: float) -> int | None:
    """Return the index of the point of px (n, 2) nearest to `at` if it is at most `radius` pixels away, else None."""
    if not len(px):
        return None
    offset = px - np.array(at, dtype=np.float32)
    squared = np.einsum("ij,ij->i", offset, offset)
    squared[~np.isfinite(squared)] = np.inf
    best = int(np.argmin(squared))
    return best if squared[best] <= radius * radius else None


class CloudRaster:
    """Points with labels, and the newest image of them; it is painted anew only when something visible changed."""

    def __init__(self) -> None:
        self._points = np.zeros((0, 2), dtype=np.float32)
        self._labels: NDArray[np.int64] | None = None
        self._hidden: frozenset[int] = frozenset()
        self._colours = PointColours(["#888888"], "#ffffff")
        self._key: tuple[object, ...] | None = None
        self._image = QImage()
        self._pixels = np.zeros((1, 1), dtype=np.uint32)
        self._version = 0
        self._shown = np.zeros(0, dtype=np.intp)
        self._places = np.zeros(0, dtype=np.uint8)
        self.n_painted = 0
        """How many images were made so far; tests hold that nothing is painted twice."""

    def set_points(self, points: NDArray[np.float32], labels: NDArray[np.int64] | None) -> None:
        """Take points (n, 2) and their labels (n,), None where the data has none."""
        self._points, self._labels = np.asarray(points, dtype=np.float32), labels
        self._choose()

    def set_hidden(self, labels: frozenset[int]) -> None:
        """Leave out the points of these labels; they can be neither seen nor picked."""
        self._hidden = labels
        self._choose()

    def set_colours(self, colours: PointColours) -> None:
        """Take another set of colours."""
        self._colours = colours
        self._choose()

    @property
    def points(self) -> NDArray[np.float32]:
        """All points (n, 2), hidden ones too."""
        return self._points

    @property
    def n_shown(self) -> int:
        """How many points are not hidden."""
        return len(self._shown)

    def image(self, frame: ViewFrame, ratio: float) -> QImage:
        """Return the points on `frame` as a transparent image of its size times the device pixel ratio."""
        key = (frame, ratio, self._version)
        if key != self._key:
            self._key = key
            self._paint(frame, ratio)
        return self._image

    def pick(self, frame: ViewFrame, at: tuple[float, float], radius: float) -> int | None:
        """Return the place in `points` of the visible point nearest to pixel `at` within `radius`, else None."""
        found = nearest_within(frame.to_px(self._points[self._shown]), at, radius)
        return None if found is None else int(self._shown[found])

    def _choose(self) -> None:
        if self._labels is None or not self._hidden:
            self._shown = np.arange(len(self._points))
        else:
            self._shown = np.flatnonzero(~np.isin(self._labels, list(self._hidden)))
        self._places = self._colours.places(self._labels, len(self._points))
        self._version += 1

    def _paint(self, frame: ViewFrame, ratio: float) -> None:
        size = max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio))
        is_whole = len(self._shown) == len(self._points)
        points, places = self._points, self._places
        if not is_whole:
            points, places = points[self._shown], places[self._shown]
        px = (frame.to_px(points) - np.array([frame.left, frame.top], dtype=np.float32)) * np.float32(ratio)
        radius = point_radius_px(len(self._points)) * ratio
        # The image shares the array's memory: both are kept together.
        self._pixels = rasterise(px, places, size=size, radius=radius, colours=self._colours)
        self._image = QImage(self._pixels.data, *size, 4 * size[0], QImage.Format.Format_ARGB32_Premultiplied)
        self._image.setDevicePixelRatio(ratio)
        self.n_painted += 1


def _mixed(colour: QColor, other: QColor, share: float) -> QColor:
    parts = zip(colour.getRgb()[:3], other.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(a + (b - a) * share) for a, b in parts))


def _disc_rows(radius: float) -> tuple[list[int], list[int]]:
    """Return half widths of a disc's rows from top to bottom, -1 for an empty row: its core, and core with rim."""
    reach = math.ceil(radius + 0.35)
    offsets = np.arange(-reach, reach + 1)
    distance = np.hypot(*np.meshgrid(offsets, offsets))
    widths = []
    for limit in (radius, radius + 0.6):
        is_inside = distance <= limit
        widths.append([int(row.sum() - 1) // 2 if row.any() else -1 for row in is_inside])
    return widths[0], widths[1]


def _dilated(grid: Ids, half_widths: list[int], size: tuple[int, int], margin: int) -> Ids:
    """Return for each pixel the largest id within a disc around it; rows are widened first, then laid over each other.

    That takes about 4 maxima of whole images a pixel of radius, where trying each offset takes their square.
    """
    width, height = size
    widened: dict[int, Ids] = {}
    row = grid[:, margin : margin + width].copy()
    for half in range(max(half_widths) + 1):
        if half:
            for start in (margin - half, margin + half):
                np.maximum(row, grid[:, start : start + width], out=row)
        if half in half_widths:
            widened[half] = row.copy()
    result = np.zeros((height, width), dtype=np.int32)
    for place, half in enumerate(half_widths):
        if half >= 0:
            np.maximum(result, widened[half][place : place + height], out=result)
    return result
