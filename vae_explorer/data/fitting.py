"""Brings a picture to a square of one side: its middle, padded, or stretched."""

from __future__ import annotations

from typing import Literal

from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
RESAMPLING = Image.Resampling.BICUBIC


def fit_picture(picture: Image.Image, side: int, fit: Fit) -> Image.Image:
    """Return the picture with `side` pixels a side: its middle square, padded with black, or stretched."""
    width, height = picture.size
    if fit == "crop":
        square = min(width, height)
        left, top = (width - square) / 2, (height - square) / 2
        return picture.resize((side, side), RESAMPLING, box=(left, top, left + square, top + square))
    if fit == "stretch":
        return picture.resize((side, side), RESAMPLING)
    longest = max(width, height)
    new_width, new_height = (max(1, round(size * side / longest)) for size in (width, height))
    canvas = Image.new(picture.mode, (side, side))
    small = picture.resize((new_width, new_height), RESAMPLING)
    canvas.paste(small, ((side - new_width) // 2, (side - new_height) // 2))
    return canvas
