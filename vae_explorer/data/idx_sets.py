"""Data sets of IDX files: a folder with its own training and test files, or a bare pair of images and labels."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.idx import IdxHeader, read_header, read_values
from vae_explorer.data.image_data import Provenance
from vae_explorer.data.image_store import is_worth_mapping, map_values, new_images
from vae_explorer.data.known_sets import KnownSet, set_of_digest
from vae_explorer.data.raw_images import RawImages, Watcher
from vae_explorer.data.reading import bad_file, reading
from vae_explorer.data.sizes import check_side

_NAME = re.compile(r"(?P<stem>.*)(?P<kind>images|labels)(?P<tail>[-._]idx\d[-._]ubyte)(?P<gz>\.gz)?", re.IGNORECASE)
LARGEST_KNOWN_BYTES = 1 << 26
"""Files of published sets are smaller; larger ones need not be read through to be told apart from them."""
FOLDER_ADVICE = "keep one set in a folder, or name one of its image files"


@dataclass(frozen=True)
class IdxPair:
    """The headers of an image file and, where there is one, of its label file."""

    images: IdxHeader
    labels: IdxHeader | None

    @property
    def n_images(self) -> int:
        return self.images.shape[0]


def image_files_of(folder: Path) -> list[Path]:
    """Return the IDX image files of a folder, sorted; a file that also lies there as .gz counts once."""
    with reading(folder, "a folder of images"):
        files = sorted(path for path in folder.iterdir() if path.is_file() and _kind(path) == "images")
    names = {path.name for path in files}
    return [path for path in files if not (path.suffix == ".gz" and path.name.removesuffix(".gz") in names)]


def find_idx_folder(folder: Path) -> Path | None:
    """Return the folder that holds IDX image files: this one or its sub-folder 'raw' (torchvision's), else None."""
    for candidate in (folder, folder / "raw"):
        if candidate.is_dir() and image_files_of(candidate):
            return candidate
    return None


def is_idx_name(path: Path) -> bool:
    """Whether a file is named as the IDX files of MNIST are: ...images-idx3-ubyte, ...labels.idx1-ubyte.gz."""
    return _kind(path) is not None


def read_idx_folder(folder: Path, *, title: str, side: int | None, watcher: Watcher) -> RawImages:
    """Read the IDX set of a folder: train and test where both lie there, else its one pair."""
    parts: dict[str, list[Path]] = {"train": [], "test": [], "": []}
    for path in image_files_of(folder):
        parts[_split_of(path)].append(path)
    if any(len(files) > 1 for files in parts.values()) or (parts[""] and (parts["train"] or parts["test"])):
        names = ", ".join(path.name for files in parts.values() for path in files)
        raise bad_file(folder, f"several IDX sets ({names})", "one training and one test file", FOLDER_ADVICE)
    files = [path for split in ("train", "test", "") for path in parts[split]]
    return _read_pairs(files, title=title, path=folder, side=side, watcher=watcher)


def read_idx_file(path: Path, *, side: int | None, watcher: Watcher) -> RawImages:
    """Read a bare pair: an image file with the label file beside it (either may be named), or images alone."""
    if _kind(path) == "labels":
        images = _partner(path, "images")
        if images is None:
            raise bad_file(path, "labels alone", "an IDX file of images beside them", "put the two side by side")
        path = images
    return _read_pairs([path], title=path.name.split(".")[0], path=path, side=side, watcher=watcher)


def _read_pairs(files: list[Path], *, title: str, path: Path, side: int | None, watcher: Watcher) -> RawImages:
    """Read one pair, or a training and a test pair, into one array; nothing is allocated before all headers agree."""
    pairs = [_pair(file) for file in files]
    first = pairs[0].images
    for pair in pairs:
        height, width = pair.images.shape[1:]
        check_side(pair.images.path, height, width, side)
        if pair.images.shape[1:] != first.shape[1:]:
            found, expected = (" x ".join(map(str, header.shape[1:])) for header in (pair.images, first))
            raise bad_file(
                pair.images.path, f"images of {found}", f"{expected} as in {first.path.name}", "use files of one set"
            )
    images = _images(pairs, path, watcher)
    known = _known_set(first.path)
    labels, understood = _labels(pairs, watcher)
    return RawImages(
        images=images, max_value=255, labels=labels, class_names=_class_names(known, labels),
        n_own_train=pairs[0].n_images if len(pairs) == 2 else None,
        provenance=Provenance(
            source="idx", title=known.title if known else title, path=str(path.absolute()), understood=understood
        ),
    )  # fmt: skip


def _images(pairs: list[IdxPair], path: Path, watcher: Watcher) -> NDArray[np.uint8]:
    """Return uint8 (N, 1, H, W): a large plain file is mapped, all else is read into one array."""
    first = pairs[0].images
    shape = (sum(pair.n_images for pair in pairs), 1, *first.shape[1:])
    if len(pairs) == 1 and not first.is_packed and is_worth_mapping(math.prod(shape)):
        return map_values(first.path, shape=shape, dtype=np.dtype(np.uint8), offset=first.n_header_bytes)
    images = new_images(shape, path)
    start = 0
    for pair in pairs:
        read_values(pair.images, images[start : start + pair.n_images], watcher)
        start += pair.n_images
    return images


def _pair(images_path: Path) -> IdxPair:
    images = read_header(images_path, n_dims=3)
    labels_path = _partner(images_path, "labels")
    if labels_path is None:
        return IdxPair(images, None)
    labels = read_header(labels_path, n_dims=1)
    if labels.shape[0] != images.shape[0]:
        raise bad_file(
            labels_path,
            f"{labels.shape[0]:,} labels for {images.shape[0]:,} images",
            "one label an image",
            "fetch both files again, or move the labels away to go without",
        )
    return IdxPair(images, labels)


def _labels(pairs: list[IdxPair], watcher: Watcher) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the labels of all pairs, -1 for a pair without, or None when no pair has any; and what was understood."""
    counts = [f"{pair.images.path.name}: {pair.n_images:,} images" for pair in pairs]
    missing = [f"{pair.images.path.name} has no label file beside it" for pair in pairs if pair.labels is None]
    if len(missing) == len(pairs):
        return None, (*counts, *missing)
    parts = []
    for pair in pairs:
        values = np.empty(pair.n_images, np.uint8)
        if pair.labels is not None:
            read_values(pair.labels, values, watcher)
        parts.append(values.astype(np.int64) if pair.labels is not None else np.full(pair.n_images, -1, np.int64))
    return np.concatenate(parts), (*counts, *missing)


def _class_names(known: KnownSet | None, labels: NDArray[np.int64] | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    highest = int(labels.max())
    if known is not None and highest < len(known.class_names):
        return known.class_names
    return tuple(str(label) for label in range(highest + 1))


def _kind(path: Path) -> str | None:
    match = _NAME.fullmatch(path.name)
    return match["kind"].lower() if match else None


def _split_of(path: Path) -> str:
    stem = path.name.lower()
    if "train" in stem:
        return "train"
    return "test" if "t10k" in stem or "test" in stem else ""


def _partner(path: Path, kind: str) -> Path | None:
    """Return the label file of an image file or the other way round, plain before .gz; None when there is none."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    n_dims = {"images": "3", "labels": "1"}[kind]
    plain = f"{match['stem']}{kind}{re.sub(r'[0-9]', n_dims, match['tail'], count=1)}"
    for name in (plain, f"{plain}.gz"):
        if (path.parent / name).is_file():
            return path.parent / name
    return None


def _known_set(path: Path) -> KnownSet | None:
    with reading(path, "a readable file"), path.open("rb") as file:
        if path.stat().st_size > LARGEST_KNOWN_BYTES:
            return None
        return set_of_digest(hashlib.file_digest(file, "sha256").hexdigest())
