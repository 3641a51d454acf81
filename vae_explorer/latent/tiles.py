"""The tile pyramid of the map: which blocks of decoded pictures cover a view, on which level, and in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 4
"""Pictures a side of a tile; on a line SIDE * SIDE in a row. Larger tiles waste more pictures at the view's edges."""
PICTURES = SIDE * SIDE
LEAST_PX = (24, 60)
"""The smaller side that a picture has on screen at least, for small and for large images. Below it nothing more could
be made out, so there refining ends: on screen a picture is at least this large and less than twice as large."""
MOST_PICTURES = 1600
"""A view takes no more pictures than this: on a very large one they get larger instead, by a factor of 2."""
VIEW_BYTES = 1 << 24
"""Nor more than 16 MiB of them: a quarter of what is kept, so that what is in view is never pushed out."""
KEPT_PIXELS = 128 * 128
"""Larger pictures are kept reduced to so many pixels: on screen none of them is that large."""
GROUND_LEVELS = 2
"""So many levels up are the coarse tiles that are asked for first where nothing is there: a 16th of the pictures."""
FINER_LEVELS = 2
"""While a tile is missing, those of so many levels below stand in for it, or one of COARSER_LEVELS above."""
COARSER_LEVELS = 8
"""A part of a picture 256 times as large shows nothing."""

Extent = tuple[float, float, float, float]
Range = tuple[float, float]


class Tile(NamedTuple):
    """The address of a block of pictures: each level halves the pitch, and (ix, iy) counts tiles from the origin."""

    level: int
    ix: int
    iy: int


class Piece(NamedTuple):
    """What is drawn in the place of tile `cell`: `source` itself, the part of it that lies there, or nothing."""

    source: Tile | None
    cell: Tile


@dataclass(frozen=True)
class Sight:
    """What is in view: ranges of the map, and screen pixels a unit of it."""

    x_range: Range
    y_range: Range
    px_a_unit: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the view."""
        return sum(self.x_range) / 2, sum(self.y_range) / 2

    def grown(self, share: float) -> Sight:
        """Return the view with a margin of `share` of its size on every side."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        dx, dy = share * (x1 - x0), share * (y1 - y0)
        return Sight((x0 - dx, x1 + dx), (y0 - dy, y1 + dy), self.px_a_unit)


@dataclass(frozen=True)
class Pyramid:
    """Tiles for images (C, H, W), fixed in the map's coordinates: on level 0 a picture's smaller side is one unit.

    is_line: only x means a code (latent_dim 1); tiles stand side by side with iy 0, and their y is 0 to 1.
    """

    image_shape: tuple[int, int, int]
    is_line: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of pictures in a tile."""
        return (1, PICTURES) if self.is_line else (SIDE, SIDE)

    @property
    def kept_size(self) -> tuple[int, int]:
        """Height and width of a picture in a tile's image."""
        _, height, width = self.image_shape
        share = min(1.0, math.sqrt(KEPT_PIXELS / (height * width)))
        return max(1, round(share * height)), max(1, round(share * width))

    @property
    def most_pictures(self) -> int:
        """How many pictures a view takes at most."""
        # Around the origin every level needs four tiles.
        return max(min(MOST_PICTURES, VIEW_BYTES // (self.image_shape[0] * math.prod(self.kept_size))), 4 * PICTURES)

    def pitch(self, level: int) -> tuple[float, float]:
        """Return the width and height of a picture in units of the map."""
        _, height, width = self.image_shape
        unit = 2.0**-level / min(height, width)
        return unit * width, unit * height

    def span(self, level: int) -> tuple[float, float]:
        """Return the width and height of a tile."""
        (x, y), (rows, cols) = self.pitch(level), self.shape
        return cols * x, 1.0 if self.is_line else rows * y

    def extent(self, tile: Tile) -> Extent:
        """Return (x0, x1, y0, y1)."""
        width, height = self.span(tile.level)
        return tile.ix * width, (tile.ix + 1) * width, tile.iy * height, (tile.iy + 1) * height

    def centres(self, tiles: list[Tile]) -> NDArray[np.float64]:
        """Return the map coordinates (len(tiles) * PICTURES, 2) of the pictures' codes, row 0 of a tile on top."""
        rows, cols = self.shape
        pitch = np.array([self.pitch(tile.level) for tile in tiles]).reshape(-1, 2)
        x0, _, _, y1 = np.array([self.extent(tile) for tile in tiles]).reshape(-1, 4).T
        x = x0[:, None] + (np.arange(cols) + 0.5) * pitch[:, :1]
        y = np.zeros((len(tiles), 1)) if self.is_line else y1[:, None] - (np.arange(rows) + 0.5) * pitch[:, 1:]
        xy = np.empty((len(tiles), rows, cols, 2))
        xy[..., 0], xy[..., 1] = x[:, None, :], y[:, :, None]
        return xy.reshape(-1, 2)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the tiles of the next finer level that make up the same area."""
        level, ix, iy = tile.level + 1, 2 * tile.ix, 2 * tile.iy
        if self.is_line:
            return Tile(level, ix, 0), Tile(level, ix + 1, 0)
        return tuple(Tile(level, ix + right, iy + up) for up in (0, 1) for right in (0, 1))

    def ancestor(self, tile: Tile, levels: int) -> Tile:
        """Return the tile so many levels coarser that holds this one."""
        return Tile(tile.level - levels, tile.ix >> levels, tile.iy >> levels)

    def level(self, sight: Sight) -> int:
        """Return the finest level whose pictures are at least LEAST_PX large on screen and not too many."""
        least_px = float(np.clip(min(self.image_shape[1:]), *LEAST_PX))
        level = math.floor(math.log2(sight.px_a_unit / least_px) + 1e-9)
        while math.prod(map(len, self._spans(level, sight))) * PICTURES > self.most_pictures:
            level -= 1
        return level

    def cover(self, level: int, sight: Sight) -> list[Tile]:
        """Return the tiles of a level that meet the view, those nearest its centre first."""
        columns, rows = self._spans(level, sight)
        width, height = self.span(level)
        x, y = sight.centre
        at_x, at_y = x / width - 0.5, 0.0 if self.is_line else y / height - 0.5
        tiles = [Tile(level, ix, iy) for iy in rows for ix in columns]
        return sorted(tiles, key=lambda tile: ((tile.ix - at_x) * width) ** 2 + ((tile.iy - at_y) * height) ** 2)

    def _spans(self, level: int, sight: Sight) -> tuple[range, range]:
        width, height = self.span(level)
        return _places(sight.x_range, width), range(1) if self.is_line else _places(sight.y_range, height)


Has = Callable[[Tile], bool]


def needed(pyramid: Pyramid, sight: Sight, has: Has) -> list[Tile]:
    """Return the tiles that a view lacks, in the order of asking: coarse ones where nothing is there, then its own.

    Among those of a level the nearest to the centre come first.
    """
    own = [tile for tile in pyramid.cover(pyramid.level(sight), sight) if not has(tile)]
    return [*_ground(pyramid, [tile for tile in own if _is_bare(pyramid, tile, has)]), *own]


def whole(pyramid: Pyramid, sight: Sight) -> list[Tile]:
    """Return what a view needs of which nothing is there."""
    own = pyramid.cover(pyramid.level(sight), sight)
    return [*_ground(pyramid, own), *own]


def ahead(pyramid: Pyramid, sight: Sight, has: Has) -> list[Tile]:
    """Return the coarse tiles that are missing under the view and half a view around it, for when it is moved."""
    return [
        tile for tile in pyramid.cover(pyramid.level(sight) - GROUND_LEVELS, sight.grown(0.5)) if not has(tile)
    ]  # fmt: skip


def pieces(pyramid: Pyramid, sight: Sight, has: Has) -> Iterator[Piece]:
    """Yield what to draw: every place of the view once, from its own tile or from what stands in for it."""
    for tile in pyramid.cover(pyramid.level(sight), sight):
        if has(tile):
            yield Piece(tile, tile)
        else:
            yield from _stand_ins(pyramid, tile, has)


def _ground(pyramid: Pyramid, tiles: list[Tile]) -> list[Tile]:
    return list(dict.fromkeys(pyramid.ancestor(tile, GROUND_LEVELS) for tile in tiles))


def _coarser(pyramid: Pyramid, tile: Tile, has: Has) -> Tile | None:
    coarser = (pyramid.ancestor(tile, levels) for levels in range(1, COARSER_LEVELS + 1))
    return next((found for found in coarser if has(found)), None)


def _is_bare(pyramid: Pyramid, tile: Tile, has: Has) -> bool:
    """Whether a part of a missing tile has nothing that stands in for it."""
    if _coarser(pyramid, tile, has) is not None:
        return False
    return any(piece.source is None for piece in _finer(pyramid, tile, has, FINER_LEVELS))


def _stand_ins(pyramid: Pyramid, tile: Tile, has: Has) -> list[Piece]:
    """Cover a missing tile: all of it by finer ones, else by the nearest coarser one, else by what finer ones exist."""
    finer = _finer(pyramid, tile, has, FINER_LEVELS)
    if all(piece.source is not None for piece in finer):
        return finer
    source = _coarser(pyramid, tile, has)
    return finer if source is None else [Piece(source, tile)]


def _finer(pyramid: Pyramid, tile: Tile, has: Has, levels: int) -> list[Piece]:
    if has(tile):
        return [Piece(tile, tile)]
    if not levels:
        return [Piece(None, tile)]
    below = [piece for child in pyramid.children(tile) for piece in _finer(pyramid, child, has, levels - 1)]
    return below if any(piece.source is not None for piece in below) else [Piece(None, tile)]


def _places(span: Range, size: float) -> range:
    """Return the tiles of a size that meet a span; one at least."""
    first = math.floor(span[0] / size)
    return range(first, max(math.ceil(span[1] / size), first + 1))
