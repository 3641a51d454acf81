"""Understands an array as images, by its axes and its range of values, and says what it understood."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_store import mapping_of, new_images
from vae_explorer.data.raw_images import Watcher
from vae_explorer.data.reading import bad_file

LAYOUTS = "N x H x W, N x H x W x C or N x C x H x W, where C is 1 or 3"
TOLERANCE = 1e-3
"""How far floats may lie outside 0..1: what rounding and resizing leave behind."""
_SLICE_VALUES = 1 << 20


def layout_of(shape: tuple[int, ...], where: str | Path) -> str:
    """Return 'N x H x W', 'N x H x W x C' or 'N x C x H x W'; DataError when the shape is none of them.

    Asked of a file's header, before the array is read.
    """
    found = "an array of " + (" x ".join(map(str, shape)) or "no dimensions")
    if len(shape) == 3 and 0 not in shape and shape[2] <= 4:
        found += ", one colour image or a list of points"
    elif len(shape) == 3 and 0 not in shape:
        return "N x H x W"
    elif len(shape) == 4 and 0 not in shape and shape[3] in (1, 3):
        return "N x H x W x C"
    elif len(shape) == 4 and 0 not in shape and shape[1] in (1, 3):
        return "N x C x H x W"
    raise bad_file(where, found, LAYOUTS, "save the images in one of these layouts")


def to_planes(array: NDArray, layout: str) -> NDArray:
    """Return a view (N, C, H, W) of an array of this layout."""
    if layout == "N x H x W":
        return array[:, None]
    return array.transpose(0, 3, 1, 2) if layout == "N x H x W x C" else array


def to_bytes(planes: NDArray, where: str | Path, watcher: Watcher) -> tuple[NDArray[np.uint8], int, str]:
    """Return uint8 (N, C, H, W), max_value and the range that was understood; DataError for values that are no grey.

    Booleans, and arrays of nothing but 0 and 1, become 0 and 1 with max_value 1; whole numbers must lie in 0..255;
    floats are read as 0..1, or as 0..255 where one is above 1. Bytes in a mapped file stay there; whatever else is
    larger than memory is converted into a scratch file.
    """
    if planes.dtype == np.bool_:
        # Compared, not viewed: a file may hold other bytes than 0 and 1 under this type.
        images = _converted(planes, lambda values: values.view(np.uint8) != 0, where, watcher)
        return images, 1, "true and false were read as 1 and 0"
    if planes.dtype.kind not in "uif":
        raise bad_file(where, f"values of type {planes.dtype}", "whole numbers or floats", "save the images as uint8")
    low, high = _range(planes, where, watcher)
    if low < -TOLERANCE or high > 255 + TOLERANCE:
        raise bad_file(
            where, f"values from {low:.6g} to {high:.6g}", "0 to 1 or 0 to 255", "rescale them before saving"
        )
    if 0 < high <= 1 and _is_binary(planes):
        return _as_bytes(planes, where, watcher), 1, "nothing but 0 and 1: read as black and white"
    if planes.dtype.kind in "ui":
        note = f"whole numbers from {low:.0f} to {high:.0f} were read on the scale 0 to 255"
        return _as_bytes(planes, where, watcher), 255, note
    factor = 255.0 if high <= 1 + TOLERANCE else 1.0
    note = f"floats from {low:.4g} to {high:.4g} were read as 0 to {255 / factor:.0f} and rounded to 256 levels"
    images = _converted(planes, lambda values: np.rint(values.astype(np.float64) * factor).clip(0, 255), where, watcher)
    return images, 255, note


def _slices(planes: NDArray) -> list[slice]:
    """Cut the first axis so that a slice has about a million values: bounded room for temporaries."""
    step = max(1, _SLICE_VALUES // max(1, planes[0].size))
    return [slice(start, start + step) for start in range(0, len(planes), step)]


def _range(planes: NDArray, where: str | Path, watcher: Watcher) -> tuple[float, float]:
    """Return the least and the largest value; DataError when one is NaN or infinite."""
    low, high = np.inf, -np.inf
    for part in _slices(planes):
        watcher.report(part.start / len(planes), "Checking values")
        values = planes[part]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            index = part.start + int(np.argmin(np.isfinite(values).all(axis=(1, 2, 3))))
            raise bad_file(
                where,
                f"image {index} holds NaN or infinity",
                "finite values",
                "leave it out or mend it, then save again",
            )
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _is_binary(planes: NDArray) -> bool:
    return all(bool(((planes[part] == 0) | (planes[part] == 1)).all()) for part in _slices(planes))


def _as_bytes(planes: NDArray, where: str | Path, watcher: Watcher) -> NDArray[np.uint8]:
    # In a mapped file the values of an image need only lie together, channels last; memory is brought into one order.
    is_together = planes.strides[0] == planes[0].nbytes and mapping_of(planes) is not None
    is_in_place = planes.dtype == np.uint8 and (planes.flags.c_contiguous or is_together)
    return planes if is_in_place else _converted(planes, lambda values: values, where, watcher)


def _converted(
    planes: NDArray, convert: Callable[[NDArray], NDArray], where: str | Path, watcher: Watcher
) -> NDArray[np.uint8]:
    """Convert a slice at a time, so that there is never more than the result and a few million values."""
    images = new_images(planes.shape, where)
    for part in _slices(planes):
        watcher.report(part.start / len(planes), "Converting images")
        images[part] = convert(planes[part])
    return images
