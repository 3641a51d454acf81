"""Pictures as PNG bytes, the same for the same recipe, with the recipe inside; and recipes read back."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from vae_explorer.errors import DataError, UsageError
from vae_explorer.export.captions import Captions, captioned
from vae_explorer.export.recipe import MAX_RECIPE_BYTES, Recipe, decode_recipe, encode_recipe
from vae_explorer.latent.mosaic import mosaic, picture_scale

RECIPE_KEY = "vae-explorer-recipe"
"""Keyword of the PNG's iTXt chunk."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def compose(tiles: NDArray[Any], recipe: Recipe, captions: Captions | None = None) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) of tiles (rows, cols, C, h, w) in [0, 1] with the recipe's scale, gap and captions.

    UsageError when the picture would be too large to be meant.
    """
    h, w = tiles.shape[-2:]
    scale = picture_scale(h, w, recipe.scale)
    picture = mosaic(tiles, scale=scale, gap=recipe.gap)
    if not recipe.captions or captions is None:
        return picture
    return captioned(picture, captions, tile=(h * scale, w * scale), gap=recipe.gap)


def png_bytes(picture: NDArray[np.uint8], recipe: Recipe) -> bytes:
    """Return a PNG of a picture (H, W, 3) with the recipe in an iTXt chunk: no time, no path, no random part."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(RECIPE_KEY, encode_recipe(recipe).decode())
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", pnginfo=info, compress_level=6, optimize=False)
    return buffer.getvalue()


def read_recipe(path: Path | str) -> Recipe:
    """Return the recipe of an exported .png or of a .json file.

    UsageError for another suffix; DataError when the file is missing, damaged or carries no recipe.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".json"):
        raise UsageError(
            f"{path}: a recipe comes from a .png that was exported or from a .json, not {suffix or 'this'}."
        )
    try:
        with path.open("rb") as file:
            content = _recipe_chunk(file, path) if suffix == ".png" else file.read(MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a picture that was exported.") from None
    return decode_recipe(content, where=str(path))


def _recipe_chunk(file: BinaryIO, path: Path) -> bytes:
    """Read the chunks before the pixels by hand: a picture that is too large to unpack still tells its recipe."""
    if file.read(8) != _SIGNATURE:
        raise DataError(f"{path} is no PNG file; name a picture that was exported.")
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind != b"iTXt" or length > MAX_RECIPE_BYTES:
            file.seek(length + 4, io.SEEK_CUR)
            continue
        body, checksum = file.read(length), file.read(4)
        keyword, _, rest = body.partition(b"\0")
        if keyword != RECIPE_KEY.encode():
            continue
        if checksum != zlib.crc32(kind + body).to_bytes(4, "big") or rest[:2] != b"\0\0":
            raise DataError(f"{path} is damaged: the checksum of its recipe is wrong; export it again.")
        return rest[2:].split(b"\0", 2)[-1]
    raise DataError(f"{path} carries no recipe; name a picture that was exported by vae-explorer.")
