"""Data sets in .npy and .npz files: finds the images and the labels among the arrays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.array_files import ArrayHeader, read_array, read_headers
from vae_explorer.data.array_layout import layout_of, to_bytes, to_planes
from vae_explorer.data.image_data import Provenance
from vae_explorer.data.image_store import mapping_of
from vae_explorer.data.raw_images import RawImages, Watcher, spread_places
from vae_explorer.data.reading import bad_file
from vae_explorer.data.sizes import check_side

IMAGE_NAMES = ("images", "x", "data", "imgs", "image", "arr_0")
LABEL_NAMES = ("labels", "y", "label", "targets", "target", "arr_1")
MAX_CLASSES = 1000


def read_array_file(path: Path, *, side: int | None, watcher: Watcher, limit: int | None = None) -> RawImages:
    """Read the images of a .npy or .npz file, with labels, and with splits where it has x_train and x_test.

    limit: of a file that is mapped, looks at so many images from all over it alone, for a preview.
    """
    headers = {(header.name or "").lower(): header for header in read_headers(path)}
    if {"x_train", "x_test"} <= headers.keys():
        image_headers = [headers["x_train"], headers["x_test"]]
        label_headers = [headers[name] for name in ("y_train", "y_test") if name in headers]
    else:
        image_headers = [_find_images(path, headers)]
        label_headers = _find_labels(headers)
    parts = [_read_images(header, side, watcher, limit=limit) for header in image_headers]
    images, max_value, notes = _join(path, parts)
    labels, class_names = _read_labels(path, label_headers, [len(part[0]) for part in parts], watcher)
    if path.suffix.lower() == ".npz":
        names = " and ".join(header.name or "" for header in (*image_headers, *label_headers))
        notes = (f"arrays read: {names}", *notes)
    return RawImages(
        images=images, max_value=max_value, labels=labels, class_names=class_names,
        n_own_train=len(parts[0][0]) if len(parts) == 2 else None,
        n_found=sum(header.shape[0] for header in image_headers),
        provenance=Provenance(source="array", title=path.stem, path=str(path.absolute()), understood=notes),
    )  # fmt: skip


def _find_images(path: Path, headers: dict[str, ArrayHeader]) -> ArrayHeader:
    """Return the one array of three or four dimensions, or the one among several that is named for it."""
    if len(headers) == 1:
        return next(iter(headers.values()))
    found = {name: header for name, header in headers.items() if len(header.shape) in (3, 4)}
    for name in IMAGE_NAMES:
        if name in found:
            return found[name]
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(f"{name} {header.shape}" for name, header in list(headers.items())[:8])
    raise bad_file(path, f"the arrays {names}", "one array named images", "save it again with that name")


def _find_labels(headers: dict[str, ArrayHeader]) -> list[ArrayHeader]:
    return [headers[name] for name in LABEL_NAMES if name in headers and len(headers[name].shape) in (1, 2)][:1]


def _read_images(
    header: ArrayHeader, side: int | None, watcher: Watcher, *, limit: int | None
) -> tuple[NDArray[np.uint8], int, tuple[str, ...]]:
    """Return uint8 (N, C, H, W), max_value and what was understood; sizes are asked before anything is read."""
    layout = layout_of(header.shape, header.where)
    axes = {"N x H x W": (1, 2), "N x H x W x C": (1, 2), "N x C x H x W": (2, 3)}[layout]
    check_side(header.where, header.shape[axes[0]], header.shape[axes[1]], side)
    planes = to_planes(read_array(header, watcher), layout)
    if limit is not None and mapping_of(planes) is not None:
        planes = planes[spread_places(len(planes), limit)]
    images, max_value, values = to_bytes(planes, header.where, watcher)
    shape = " x ".join(map(str, header.shape))
    return images, max_value, (f"{shape} was read as {layout}", values)


def _join(
    path: Path, parts: list[tuple[NDArray[np.uint8], int, tuple[str, ...]]]
) -> tuple[NDArray[np.uint8], int, tuple[str, ...]]:
    first = parts[0]
    for images, max_value, _ in parts[1:]:
        if images.shape[1:] != first[0].shape[1:] or max_value != first[1]:
            found, expected = (" x ".join(map(str, shape[1:])) for shape in (images.shape, first[0].shape))
            raise bad_file(
                path, f"test images of {found} with values to {max_value}",
                f"{expected} with values to {first[1]} as in x_train", "save both alike",
            )  # fmt: skip
    if len(parts) == 1:
        return first
    notes = tuple(note for part in parts for note in part[2])
    return np.concatenate([part[0] for part in parts]), first[1], notes


def _read_labels(
    path: Path, headers: list[ArrayHeader], counts: list[int], watcher: Watcher
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return class indices and class names; DataError when there are not as many labels as images."""
    if not headers or len(headers) != len(counts):
        return None, ()
    parts = []
    for header, n_images in zip(headers, counts, strict=True):
        if math.prod(header.shape) != n_images:
            raise bad_file(
                header.where, f"{math.prod(header.shape):,} labels for {n_images:,} images", "one label an image",
                "save it again with as many labels, or without",
            )  # fmt: skip
        if header.dtype.kind not in "buifSU" and not header.dtype.hasobject:
            raise bad_file(header.where, f"labels of type {header.dtype}", "numbers or texts", "save them as int64")
        parts.append(read_array(header, watcher).reshape(-1))
    values, labels = np.unique(np.concatenate(parts), return_inverse=True)
    if len(values) > MAX_CLASSES or (values.dtype.kind == "f" and not np.isfinite(values).all()):
        raise bad_file(
            headers[0].where, f"{len(values):,} different labels", f"at most {MAX_CLASSES:,} finite ones",
            "save class labels, or none",
        )  # fmt: skip
    if values.dtype.kind == "i" and values[0] == -1:  # unknown, as in ImageData
        values, labels = values[1:], labels - 1
    names = tuple(f"{value:g}" if values.dtype.kind == "f" else _text(value) for value in values)
    return labels.astype(np.int64), names


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
