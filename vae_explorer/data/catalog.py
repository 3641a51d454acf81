"""Every source of images by its name or path; all of them end here in one `ImageData`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import DataConfig
from vae_explorer.data.conform import conform
from vae_explorer.data.digits import read_digits
from vae_explorer.data.downloads import fetch, folder_of, is_present
from vae_explorer.data.image_data import ImageData, content_digest
from vae_explorer.data.known_sets import KNOWN_SETS, datasets_dir
from vae_explorer.data.path_source import list_pictures, read_path
from vae_explorer.data.raw_images import IsCancelled, Progress, RawImages, Watcher, spread_places
from vae_explorer.data.shapes import draw_shapes
from vae_explorer.data.splits import make_splits
from vae_explorer.errors import UsageError, nearest_hint


def is_path(name: str) -> bool:
    """Whether a data set is given as a path (a slash, a backslash or a suffix) and not by name."""
    return "/" in name or "\\" in name or name in (".", "..") or Path(name).suffix != ""


def dataset_names() -> list[str]:
    """Return the names that `open_data` knows: the embedded and published sets, then the folders of one's own."""
    return ["digits", "shapes", *KNOWN_SETS, *_own_sets()]


def describe_datasets() -> list[dict[str, Any]]:
    """Return a row for each of `dataset_names`, in order: name, title, images, shape, available, where, licence.

    available: whether it opens without the network; where: its folder, or how it comes about. images, shape and
    licence of a folder of one's own are None: it is not read for this.
    """
    rows: list[dict[str, Any]] = [
        {"name": "digits", "title": "Handwritten digits", "images": 1797, "shape": (1, 8, 8), "available": True,
         "where": "embedded", "licence": "CC BY 4.0, E. Alpaydin and C. Kaynak, UCI"},
        {"name": "shapes", "title": "Drawn shapes", "images": DataConfig().count, "shape": (1, 32, 32),
         "available": True, "where": "drawn when opened", "licence": "none needed"},
    ]  # fmt: skip
    for known in KNOWN_SETS.values():
        rows.append(
            {"name": known.name, "title": known.title, "images": 70_000, "shape": (1, 28, 28),
             "available": is_present(known), "where": str(folder_of(known)), "licence": known.licence}
        )  # fmt: skip
    for name in _own_sets():
        rows.append(
            {"name": name, "title": "a folder of your own", "images": None, "shape": None, "available": True,
             "where": str(datasets_dir() / name), "licence": None}
        )  # fmt: skip
    return rows


def open_data(
    config: DataConfig, *, progress: Progress | None = None, is_cancelled: IsCancelled | None = None
) -> ImageData:
    """Read the images of `config.name`, bring them to the configured shape and split them.

    progress: called with the share done, 0 to 1, and a text. Raises UsageError for an unknown name, DataError for a
    missing or bad file, DownloadError where a set can neither be found nor fetched, CancelledError soon after
    `is_cancelled` says so.
    """
    watcher = Watcher(progress, is_cancelled)
    raw = conform(_read(config, watcher), config, watcher)
    provenance = replace(raw.provenance, has_own_test_split=raw.n_own_train is not None)
    return ImageData(
        images=raw.images, max_value=raw.max_value, provenance=provenance,
        splits=make_splits(len(raw.images), config, n_own_train=raw.n_own_train),
        labels=raw.labels, class_names=raw.class_names, factors=raw.factors, factor_names=raw.factor_names,
        digest=content_digest(
            raw.images, raw.max_value, raw.labels, on_share=lambda share: watcher.report(share, "Checking images")
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """A first look at a data set. images: uint8 (n, C, H, W), values 0 to 255; n_found: how many there are in all."""

    images: NDArray[np.uint8]
    n_found: int
    understood: tuple[str, ...]
    skipped: tuple[str, ...]
    title: str


def preview_data(config: DataConfig, *, limit: int = 24) -> Preview:
    """Return up to `limit` images from all over the data set, at the configured side, fit and colour.

    Of a folder of pictures these files alone are opened, of a large .npy file these images alone; nothing is fetched.
    Raises as `open_data`.
    """
    if config.name in KNOWN_SETS and not is_present(KNOWN_SETS[config.name]):
        known = KNOWN_SETS[config.name]
        note = f"not on this computer yet: {known.n_download_bytes / 1e6:,.1f} MB will be fetched"
        return Preview(np.zeros((0, 1, 28, 28), np.uint8), 70_000, (note,), (), known.title)
    watcher = Watcher()
    listing = None
    if config.name not in ("digits", "shapes", *KNOWN_SETS):
        listing = list_pictures(source_path(config, watcher))
    if listing is None:
        raw = _read(config, watcher, limit=limit)
        n_found = raw.n_found or len(raw.images)
    else:
        raw = read_path(source_path(config, watcher), config, watcher, listing=listing.spread(limit))
        n_found = len(listing.pictures)
    raw = conform(replace(raw, images=raw.images[spread_places(len(raw.images), limit)]), config, watcher)
    images = np.rint(raw.images * (255 / raw.max_value)).astype(np.uint8)
    return Preview(images, n_found, raw.provenance.understood, raw.provenance.skipped, raw.provenance.title)


def _read(config: DataConfig, watcher: Watcher, *, limit: int | None = None) -> RawImages:
    name = config.name
    if name == "digits":
        return read_digits()
    if name == "shapes":
        return draw_shapes(config.count, seed=config.seed, has_hue=config.hue, watcher=watcher)
    return read_path(source_path(config, watcher), config, watcher, limit=limit)


def source_path(config: DataConfig, watcher: Watcher) -> Path:
    """Return the file or folder of a data set given by name or path, fetching a known set that is not there."""
    name = config.name
    if name in KNOWN_SETS:
        return fetch(KNOWN_SETS[name], watcher)
    if is_path(name):
        return Path(name).expanduser()
    if name in _own_sets():
        return datasets_dir() / name
    names = dataset_names()
    raise UsageError(
        f"Unknown data set {name!r}, expected one of {', '.join(names)}, or a path with a slash or a suffix."
        + nearest_hint(name, names)
    )


def _own_sets() -> list[str]:
    try:
        folders = [path.name for path in datasets_dir().iterdir() if path.is_dir()]
    except OSError:
        return []
    reserved = {"digits", "shapes", *KNOWN_SETS}
    return sorted(name for name in folders if name not in reserved and not name.startswith(".") and not is_path(name))
