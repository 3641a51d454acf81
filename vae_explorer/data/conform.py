"""Brings arrays of images to the side and the number of channels that the configuration asks for."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import DataConfig
from vae_explorer.data.image_store import new_images
from vae_explorer.data.raw_images import RawImages, Watcher
from vae_explorer.data.sizes import check_side

LUMA = (0.299, 0.587, 0.114)
"""Grey of red, green and blue (ITU-R BT.601), which Pillow takes too."""
_SLICE = 1024


def conform(raw: RawImages, config: DataConfig, watcher: Watcher) -> RawImages:
    """Return the images with the channels and the side that the configuration asks for, and say what was done.

    Raises DataError for images above 512 pixels a side where no side is given, or that there is no room for.
    """
    where = raw.provenance.path or raw.provenance.title
    n_channels, height, width = raw.images.shape[1:]
    check_side(where, height, width, config.side)
    is_resized = config.side is not None and (height, width) != (config.side, config.side)
    n_wanted = {"auto": n_channels, "grey": 1, "colour": 3}[config.colour]
    if not is_resized and n_wanted == n_channels:
        return raw
    images, max_value, understood = raw.images, raw.max_value, []
    if n_wanted < n_channels:
        images = _to_grey(images, where)
        understood.append("colours were made grey")
    if is_resized and config.side is not None:
        images = _resize(images, max_value, config.side, config.fit, where=where, watcher=watcher)
        max_value = 255
        understood.append(f"resized from {width} x {height} to {config.side} x {config.side} pixels ({config.fit})")
    if n_wanted > images.shape[1]:
        images = _to_colour(images, where)
        understood.append("grey was repeated as red, green and blue")
    return raw.with_images(images, max_value, understood)


def _to_grey(images: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """(N, 3, H, W) to (N, 1, H, W), in slices, since floats take eight times the room."""
    grey = new_images((len(images), 1, *images.shape[2:]), where)
    for start in range(0, len(images), _SLICE):
        part = images[start : start + _SLICE].astype(np.float32)
        grey[start : start + _SLICE, 0] = np.rint(sum(w * part[:, c] for c, w in enumerate(LUMA)))
    return grey


def _to_colour(images: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    colour = new_images((len(images), 3, *images.shape[2:]), where)
    for start in range(0, len(images), _SLICE):
        colour[start : start + _SLICE] = images[start : start + _SLICE]
    return colour


def _resize(
    images: NDArray[np.uint8],
    max_value: int,
    side: int,
    fit: Literal["crop", "pad", "stretch"],
    *,
    where: str,
    watcher: Watcher,
) -> NDArray[np.uint8]:
    """(N, C, H, W) with values to max_value, to (N, C, side, side) with values to 255.

    Values are spread to 255 first: between the few levels of a small max_value nothing could be interpolated.
    """
    from PIL import Image

    from vae_explorer.data.fitting import fit_picture

    levels = np.rint(np.arange(256) * (255 / max_value)).clip(0, 255).astype(np.uint8)
    resized = new_images((*images.shape[:2], side, side), where)
    for index, image in enumerate(images):
        if index % _SLICE == 0:
            watcher.report(index / len(images), "Resizing images")
        for channel, plane in enumerate(image):
            resized[index, channel] = np.asarray(fit_picture(Image.fromarray(levels[plane]), side, fit))
    return resized
