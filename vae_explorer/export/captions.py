"""Captions for pictures of tiles: a title, a word for each row and column, in Pillow's own font."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT_SIZE = 12
TITLE_SIZE = 14
_PAD = 6
_GROUND = (255, 255, 255)
_INK = (32, 32, 32)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Captions:
    """Words around a picture. rows, cols: one for each row and column of tiles, or none at all; title may be empty."""

    title: str = ""
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()


def captioned(picture: NDArray[np.uint8], captions: Captions, *, tile: tuple[int, int], gap: int) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) with words on a white margin above and to its left.

    tile: (height, width) of a tile in pixels of the picture; gap: pixels between tiles and around them. Words wider
    than their tile end in an ellipsis. Without any words the picture comes back as it is.
    """
    text_font, title_font = ImageFont.load_default(TEXT_SIZE), ImageFont.load_default(TITLE_SIZE)
    height, width = picture.shape[:2]
    left = max((_width(word, text_font) for word in captions.rows), default=0)
    left += 2 * _PAD if left else 0
    title_height = TITLE_SIZE + 2 * _PAD if captions.title else 0
    top = title_height + (TEXT_SIZE + _PAD if captions.cols else 0)
    if not (left or top):
        return picture
    canvas = Image.new("RGB", (left + width, top + height), _GROUND)
    canvas.paste(Image.fromarray(picture), (left, top))
    draw = ImageDraw.Draw(canvas)
    if captions.title:
        title = shortened(captions.title, left + width - 2 * _PAD, title_font)
        draw.text((_PAD, _PAD), title, fill=_INK, font=title_font)
    for col, word in enumerate(captions.cols):
        middle = left + gap + col * (tile[1] + gap) + tile[1] / 2
        draw.text((middle, top - _PAD / 2), shortened(word, tile[1], text_font), fill=_INK, font=text_font, anchor="ms")
    for row, word in enumerate(captions.rows):
        middle = top + gap + row * (tile[0] + gap) + tile[0] / 2
        draw.text((left - _PAD, middle), word, fill=_INK, font=text_font, anchor="rm")
    return np.asarray(canvas)


def shortened(text: str, width: float, font: _Font) -> str:
    """Return `text`, cut and ended by an ellipsis where it is wider than `width` pixels."""
    if _width(text, font) <= width:
        return text
    while text and _width(text + "…", font) > width:
        text = text[:-1]
    return text + "…" if text else ""


def _width(text: str, font: _Font) -> int:
    return int(np.ceil(font.getlength(text)))
