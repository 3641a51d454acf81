"""Every source of images by its name or path; all of them end here in one `ImageData`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vae_explorer.config import DataConfig
from vae_explorer.data.digits import read_digits
from vae_explorer.data.downloads import fetch
from vae_explorer.data.idx_sets import read_idx_folder
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.known_sets import KNOWN_SETS
from vae_explorer.data.raw_images import IsCancelled, Progress, RawImages, Watcher
from vae_explorer.data.shapes import draw_shapes
from vae_explorer.data.splits import make_splits
from vae_explorer.errors import UsageError, nearest_hint


def is_path(name: str) -> bool:
    """Whether a data set is given as a path (a slash, a backslash or a suffix) and not by name."""
    return "/" in name or "\\" in name or name in (".", "..") or Path(name).suffix != ""


def dataset_names() -> list[str]:
    """Return the names that `open_data` knows."""
    return ["digits", "shapes", *KNOWN_SETS]


def open_data(
    config: DataConfig, *, progress: Progress | None = None, is_cancelled: IsCancelled | None = None
) -> ImageData:
    """Read the images of `config.name`, bring them to the configured shape and split them.

    Raises UsageError for an unknown name, DataError for a missing or bad file, DownloadError where a set can neither
    be found nor fetched, CancelledError once `is_cancelled` says so.
    """
    raw = _read(config, Watcher(progress, is_cancelled))
    provenance = replace(raw.provenance, has_own_test_split=raw.n_own_train is not None)
    return ImageData(
        images=raw.images, max_value=raw.max_value, provenance=provenance,
        splits=make_splits(len(raw.images), config, n_own_train=raw.n_own_train),
        labels=raw.labels, class_names=raw.class_names, factors=raw.factors, factor_names=raw.factor_names,
    )  # fmt: skip


def _read(config: DataConfig, watcher: Watcher) -> RawImages:
    if config.name == "digits":
        return read_digits()
    if config.name == "shapes":
        return draw_shapes(config.count, seed=config.seed, has_hue=config.hue, watcher=watcher)
    if config.name in KNOWN_SETS:
        return read_idx_folder(fetch(KNOWN_SETS[config.name], watcher), side=config.side, watcher=watcher)
    if is_path(config.name):
        return read_idx_folder(Path(config.name), side=config.side, watcher=watcher)
    names = dataset_names()
    raise UsageError(
        f"Unknown data set {config.name!r}, expected one of {', '.join(names)}, or a path with a slash or a suffix."
        + nearest_hint(config.name, names)
    )
