"""Many small images as one picture: nearest-neighbour scaling, gaps, a ground."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.errors import UsageError

LEAST_SIDE = 28
"""Screen pixels below which an image is scaled up where nobody chose a scale."""

MAX_PIXELS = 1 << 27
"""134 million pixels, 400 MB: a larger picture is a slip of the hand."""


def to_uint8(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images in [0, 1] as 0 to 255, rounded to nearest; what lies outside is clipped, NaN is 0."""
    unit = np.clip(np.nan_to_num(np.asarray(images, dtype=np.float32), nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.rint(unit * 255.0).astype(np.uint8)


def picture_scale(height: int, width: int, scale: int | None = None) -> int:
    """Return `scale`, or the smallest whole number that makes an image at least 28 pixels a side."""
    return scale if scale is not None else max(1, math.ceil(LEAST_SIDE / min(height, width)))


def mosaic(
    tiles: NDArray[Any], *, scale: int = 1, gap: int = 2, ground: int | tuple[int, int, int] = 255
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) of tiles (rows, cols, C, h, w) in [0, 1], C 1 or 3.

    Each pixel becomes scale x scale; `gap` pixels of the ground lie between the tiles and around them. A tile of NaN
    alone is left empty. UsageError when the picture would be too large to be meant.
    """
    rows, cols, channels, h, w = tiles.shape
    if channels not in (1, 3):
        raise ValueError(f"tiles have {channels} channels, expected 1 or 3")
    tile_h, tile_w = h * scale, w * scale
    height, width = rows * (tile_h + gap) + gap, cols * (tile_w + gap) + gap
    if height * width > MAX_PIXELS:
        raise UsageError(
            f"The picture would have {width:,} x {height:,} pixels, more than {MAX_PIXELS:,} in all; "
            "choose fewer rows and columns or a smaller scale."
        )
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = np.asarray(ground, dtype=np.uint8)
    for row in range(rows):
        for col in range(cols):
            tile = tiles[row, col]
            if np.isnan(tile).all():
                continue
            pixels = to_uint8(tile).transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
            top, left = gap + row * (tile_h + gap), gap + col * (tile_w + gap)
            picture[top : top + tile_h, left : left + tile_w] = pixels
    return picture
