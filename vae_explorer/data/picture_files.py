"""One picture in a PNG, JPEG, WebP, BMP or TIFF file: looked at by its header, then decoded within bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vae_explorer.data.fitting import Fit, fit_picture
from vae_explorer.data.memory import check_fits
from vae_explorer.data.reading import bad_file, short_reason
from vae_explorer.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
EXPECTED = "a PNG, JPEG, WebP, BMP or TIFF picture"
MAX_PIXELS = 89_478_485
"""Pillow's own bound: 256 MiB of RGB."""
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True)
class PictureInfo:
    """What the header of a picture says; width and height as it is shown, after its EXIF orientation."""

    path: Path
    width: int
    height: int
    is_colour: bool


def inspect_picture(path: Path) -> PictureInfo:
    """Return what the header says; DataError when the file is no picture or would unpack to too much."""
    with _opened(path) as picture:
        width, height = picture.size
        if picture.getexif().get(_ORIENTATION) in _TURNED:
            width, height = height, width
        return PictureInfo(path, width, height, _is_colour(picture))


def read_picture(path: Path, *, is_colour: bool, side: int | None, fit: Fit) -> NDArray[np.uint8]:
    """Return the picture, uint8 (1 or 3, H, W): upright, transparency laid on white, 16 bits brought to 8.

    Raises DataError when it is no picture, is cut short, or would unpack to too much.
    """
    with _opened(path) as picture:
        if side is not None:
            picture.draft(
                None, (2 * side, 2 * side)
            )  # JPEG decodes to a half, quarter or eighth at a fraction of the cost
        upright = _to_8_bits(ImageOps.exif_transpose(picture), path)
        flat = _without_alpha(upright).convert("RGB" if is_colour else "L")
        pixels = np.asarray(flat if side is None else fit_picture(flat, side, fit))
    return pixels.transpose(2, 0, 1) if is_colour else pixels[None]


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture, its pixels still packed; whatever Pillow raises on the way becomes one DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd metadata are no concern of the person who opens a folder
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if path.stat().st_size == 0:
                raise bad_file(path, "an empty file (0 bytes)", EXPECTED, "save it again")
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                check_fits(path, width * height * 4)
                yield picture
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise bad_file(
            path, "a picture of too many pixels for its file", f"at most {MAX_PIXELS:,} pixels", "save it smaller"
        ) from None
    except Image.UnidentifiedImageError:
        raise bad_file(path, "its content is no picture", EXPECTED, "save it again or leave it out") from None
    except OSError as error:
        raise bad_file(
            path, f"cannot be read ({short_reason(error)})", EXPECTED, "save it again or leave it out"
        ) from None
    except Exception as error:  # Pillow's decoders meet hostile bytes with errors of any kind
        raise bad_file(
            path, f"cannot be decoded ({short_reason(error)})", EXPECTED, "save it again or leave it out"
        ) from None


def _is_colour(picture: Image.Image) -> bool:
    if picture.mode in GREY_MODES:
        return False
    if picture.mode in ("P", "PA"):
        palette = np.array(picture.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return True


def _to_8_bits(picture: Image.Image, path: Path) -> Image.Image:
    """Bring 16-bit greys to 8 bits; Pillow's own conversion would clip them at 255."""
    if picture.mode == "F":
        raise bad_file(path, "pixels of 32-bit floats", "8 or 16 bits a channel", "save it as an 8-bit picture")
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture).astype(np.float64)
    if values.min() < 0 or values.max() > 65535:
        raise bad_file(path, "pixels of 32 bits", "8 or 16 bits a channel", "save it as an 8-bit picture")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _without_alpha(picture: Image.Image) -> Image.Image:
    """Lay a picture that is transparent in places on white, as paper would be."""
    if not picture.has_transparency_data:
        return picture
    layered = picture.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered).convert("RGB")
