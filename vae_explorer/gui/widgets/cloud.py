"""A cloud of up to some million coloured points as one image that is painted only where something has changed.

Memory: 17 bytes a shown point beside what is handed in (its two numbers, its mark, its place among the colours and in
the index), and 4 more while some are not shown. What is painted at rest is what painting all points in order gives.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from vae_explorer.gui.widgets.cloud_colours import PointColours, premultiplied
from vae_explorer.gui.widgets.cloud_discs import MOST_DISCS, draw_discs
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.pixel_view import PixelView, cell_view, counts
from vae_explorer.latent.point_index import PointIndex
from vae_explorer.latent.point_raster import disc_reach, marks_of, rasterise
from vae_explorer.latent.value_scale import LEVELS, ValueScale

Floats = NDArray[np.float32]
Style = Literal["points", "density"]
DENSITY_ALPHA = 0.94
SIZES = (-4, 6)
"""Smallest and largest step of the points' size."""
SIZE_A_STEP = 1.25
SKIPPED = 16


def point_radius_px(n_points: int, size_step: int = 0) -> float:
    """Return the radius of a point: the more there are the smaller they get; `size_step`: larger by quarters."""
    radius = float(np.clip(4.3 - 0.75 * math.log10(max(n_points, 30) / 30.0), 1.35, 4.3))
    return float(np.clip(radius * SIZE_A_STEP**size_step, 0.6, 12.0))


class CloudRaster:
    """Points with labels or levels, and the newest image of them.

    style: discs, or how many points lie in each cell of a point's size. scale: of these counts, once painted.
    """

    def __init__(self) -> None:
        self._points = np.zeros((0, 2), dtype=np.float32)
        self._labels: NDArray[np.int64] | None = None
        self._levels: NDArray[np.uint8] | None = None
        self._hidden: frozenset[int] = frozenset()
        self._colours = PointColours(["#888888"], "#ffffff")
        self._ramp = np.zeros(LEVELS + 1, dtype=np.uint32)
        self._style: Style = "points"
        self._size_step = 0
        self._x = self._y = np.zeros(0, dtype=np.float32)
        self._marks: NDArray[np.int32] | None = None
        self._places: NDArray[np.uint8] | None = None
        self._shown: NDArray[np.int32] | None = None
        self._index: PointIndex | None = None
        self._key: tuple[object, ...] | None = None
        self._image = QImage()
        self._pixels: NDArray[np.uint32] | None = None
        self._pixels_view: PixelView | None = None
        self.scale: ValueScale | None = None
        self.cell_px = 1
        self.n_painted = 0
        """How many images were made so far; tests hold that nothing is painted twice."""

    # ---- what it shows --------------------------------------------------------------------------------------------

    def set_points(self, points: Floats, labels: NDArray[np.int64] | None) -> None:
        """Take points (n, 2) and their labels (n,), None where the data has none; they are not copied."""
        self._points, self._labels, self._levels = np.asarray(points, dtype=np.float32), labels, None
        self._choose()

    def set_look(self, colours: PointColours, levels: NDArray[np.uint8] | None) -> None:
        """Colour the points (n,) by levels from 1 to the number of colours, or by their labels."""
        self._colours, self._levels = colours, levels
        self._choose_colours()

    def set_hidden(self, labels: frozenset[int]) -> None:
        """Leave out the points of these labels; they can be neither seen nor picked."""
        self._hidden = labels
        self._choose()

    def set_colours(self, colours: PointColours) -> None:
        """Take the colours of the labels, or of the levels."""
        self._colours = colours
        self._choose_colours()

    def set_ramp(self, colours: PointColours) -> None:
        """Take the colours of the levels of density."""
        self._ramp = np.array([0, *(premultiplied(disc, DENSITY_ALPHA) for disc in colours.discs[:LEVELS])], np.uint32)
        self._forget_image()

    def set_style(self, style: Style) -> None:
        """Show points or their density."""
        self._style = style
        self._forget_image()

    def set_size_step(self, step: int) -> None:
        """Make points larger or smaller, by steps of a quarter."""
        self._size_step = min(max(step, SIZES[0]), SIZES[1])
        self._forget_image()

    @property
    def style(self) -> Style:
        """What is painted."""
        return self._style

    @property
    def size_step(self) -> int:
        """By how many steps points are larger than by themselves."""
        return self._size_step

    @property
    def points(self) -> Floats:
        """All points (n, 2), hidden ones too."""
        return self._points

    @property
    def n_shown(self) -> int:
        """How many points are finite and not hidden."""
        return len(self._x)

    @property
    def nbytes(self) -> int:
        """Bytes held for the points, without those handed in and without the image."""
        parts = (self._marks, self._places, self._shown, self._index)
        return self._x.nbytes + self._y.nbytes + sum(part.nbytes for part in parts if part is not None)

    @property
    def radius_px(self) -> float:
        """Radius of a point."""
        return point_radius_px(len(self._points), self._size_step)

    def colour_of(self, place: int) -> QColor | None:
        """Return the colour of the point of a place in `points`; None where it is not shown."""
        shown = place if self._shown is None else int(np.searchsorted(self._shown, place))
        if shown >= len(self._x) or (self._shown is not None and self._shown[shown] != place):
            return None
        return self._colours.discs[int(self._coloured()[0][shown]) - 1]

    # ---- what it answers ------------------------------------------------------------------------------------------

    def image(self, frame: ViewFrame, ratio: float) -> QImage:
        """Return the points on `frame` as a transparent image of its size times the device pixel ratio."""
        key = (frame, ratio)
        if key != self._key:
            self._key = key
            self._image = self._paint(frame, ratio)
            self._image.setDevicePixelRatio(ratio)
            self.n_painted += 1
        return self._image

    def pick(self, frame: ViewFrame, at: tuple[float, float], radius: float) -> int | None:
        """Return the place in `points` of the visible point nearest to pixel `at` within `radius`, else None."""
        found = self._indexed().nearest(frame.to_view(*at), frame.scale, radius)
        return found if found is None or self._shown is None else int(self._shown[found])

    def prepare(self) -> None:
        """Do now what the next pick, or a view that is zoomed in, would wait for: 1,000,000 points take some 30 ms."""
        self._indexed()

    # ---- painting -------------------------------------------------------------------------------------------------

    def _paint(self, frame: ViewFrame, ratio: float) -> QImage:
        size = max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio))
        if self._style == "density":
            return self._paint_density(frame, ratio, size)
        view, radius = PixelView.over(frame.x_range, frame.y_range, size), self.radius_px * ratio
        few = self._few_in(view, disc_reach(radius))
        if few is not None:
            self._pixels_view = None
            parts = self._x[few], self._y[few], self._coloured()[0][few]
            return draw_discs(*parts, view=view, radius=radius, colours=self._colours)
        self._paint_discs(view, radius)
        assert self._pixels is not None
        return _shared_image(self._pixels)

    def _few_in(self, view: PixelView, margin: int) -> NDArray[np.int32] | None:
        """Return the points whose disc may be seen, in order, where they are few enough to be drawn one by one."""
        left, top = -margin, -margin
        x_range, y_range = view.part(left, top, view.size[0] + 2 * margin, view.size[1] + 2 * margin).ranges()
        ids = self._candidates(x_range, y_range)
        x, y = (self._x, self._y) if ids is None else (self._x[ids], self._y[ids])
        # Mostly some of them are too many already.
        for step in (SKIPPED, 1):
            is_seen = _is_within(x[::step], x_range) & _is_within(y[::step], y_range)
            if np.count_nonzero(is_seen) > MOST_DISCS:
                return None
        seen = np.flatnonzero(is_seen).astype(np.int32)
        return seen if ids is None else ids[seen]

    def _paint_discs(self, view: PixelView, radius: float) -> None:
        """Paint the window; where it was moved by whole pixels, paint what has come into it."""
        old, old_view = self._pixels, self._pixels_view
        self._pixels = np.empty(view.size[::-1], dtype=np.uint32)
        self._pixels_view = view
        width, height = view.size
        if old is None or old_view is None or not view.is_move_of(old_view):
            self._paint_part(view, radius, 0, 0, width, height)
            return
        dx, dy = view.origin[0] - old_view.origin[0], view.origin[1] - old_view.origin[1]
        if 2 * abs(dx) >= width or 2 * abs(dy) >= height:
            self._paint_part(view, radius, 0, 0, width, height)
            return
        kept_x, kept_y = (max(0, -dx), min(width, width - dx)), (max(0, -dy), min(height, height - dy))
        self._pixels[slice(*kept_y), slice(*kept_x)] = old[
            kept_y[0] + dy : kept_y[1] + dy, kept_x[0] + dx : kept_x[1] + dx
        ]
        for first, last in ((0, kept_y[0]), (kept_y[1], height)):
            self._paint_part(view, radius, 0, first, width, last - first)
        for first, last in ((0, kept_x[0]), (kept_x[1], width)):
            self._paint_part(view, radius, first, kept_y[0], last - first, kept_y[1] - kept_y[0])

    def _paint_part(self, view: PixelView, radius: float, left: int, top: int, width: int, height: int) -> None:
        if width <= 0 or height <= 0:
            return
        assert self._pixels is not None
        part, margin = view.part(left, top, width, height), disc_reach(radius)
        around = part.part(-margin, -margin, width + 2 * margin, height + 2 * margin)
        ids = self._candidates(*around.ranges())
        arrays = (self._x, self._y, self._coloured()[1])
        if ids is not None:
            arrays = (arrays[0][ids], arrays[1][ids], arrays[2][ids])
        painted = rasterise(*arrays, view=part, radius=radius, table=self._colours.table)
        self._pixels[top : top + height, left : left + width] = painted

    def _candidates(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> NDArray[np.int32] | None:
        """Return the points of a box and some around it, in order, where these are much fewer than all, else None."""
        return None if self._index is None else self._index.within(x_range, y_range)

    def _paint_density(self, frame: ViewFrame, ratio: float, size: tuple[int, int]) -> QImage:
        cell = max(1, round(2 * self.radius_px * ratio))
        view, hidden = cell_view((frame.x_range, frame.y_range), size, cell)
        ids = self._candidates(*view.ranges())
        x, y = (self._x, self._y) if ids is None else (self._x[ids], self._y[ids])
        found = counts(x, y, view)
        most = int(found.max(initial=0))
        self.scale, self.cell_px = (ValueScale(1.0, float(max(most, 2)), is_log=True) if most else None), cell
        colours = np.zeros(found.shape, dtype=np.uint32)
        if self.scale is not None:
            levels = self.scale.levels(found.ravel()).reshape(found.shape)
            colours = np.where(found > 0, self._ramp.take(levels), np.uint32(0))
        large = np.repeat(np.repeat(colours, cell, axis=0), cell, axis=1)
        self._pixels = np.ascontiguousarray(large[hidden[1] :, hidden[0] :][: size[1], : size[0]])
        self._pixels_view = None
        return _shared_image(self._pixels)

    # ---- what is derived ------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        is_shown = np.isfinite(self._points).all(axis=1) if not _is_all_finite(self._points) else None
        if self._labels is not None and self._hidden:
            is_visible = ~np.isin(self._labels, list(self._hidden))
            is_shown = is_visible if is_shown is None else is_shown & is_visible
        self._shown = None if is_shown is None else np.flatnonzero(is_shown).astype(np.int32)
        points = self._points if self._shown is None else self._points[self._shown]
        self._x, self._y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
        self._index = None
        self._choose_colours()

    def _choose_colours(self) -> None:
        self._places = self._marks = None
        self._forget_image()

    def _forget_image(self) -> None:
        self._key = self._pixels_view = None

    def _coloured(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Return the shown points' places among the colours, and their marks: made when they are wanted."""
        if self._places is None or self._marks is None:
            places = self._colours.places(self._labels, len(self._points)) if self._levels is None else self._levels
            self._places = places if self._shown is None else places[self._shown]
            self._marks = marks_of(self._places)
        return self._places, self._marks

    def _indexed(self) -> PointIndex:
        if self._index is None:
            self._index = PointIndex(self._x, self._y)
        return self._index


def _is_within(values: Floats, span: tuple[float, float]) -> NDArray[np.bool_]:
    return (values >= span[0]) & (values <= span[1])


def _is_all_finite(points: Floats) -> bool:
    # A sum is finite unless one of its parts is not, or it is beyond float32: then each is looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(points.sum()))


def _shared_image(pixels: NDArray[np.uint32]) -> QImage:
    """Return an image that shares the memory of pixels (height, width): both are to be kept together."""
    height, width = pixels.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
