"""A folder of pictures as a data set: class sub-folders give labels, files that cannot be read are listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import DataConfig
from vae_explorer.data.folder_listing import EXPECTED, FolderListing, list_folder
from vae_explorer.data.image_data import Provenance
from vae_explorer.data.image_store import new_images, parts_of
from vae_explorer.data.picture_files import PictureInfo, inspect_picture, read_picture
from vae_explorer.data.raw_images import RawImages, Watcher
from vae_explorer.data.reading import bad_file
from vae_explorer.data.sizes import check_side
from vae_explorer.errors import DataError


def read_folder(
    folder: Path, config: DataConfig, watcher: Watcher, *, listing: FolderListing | None = None
) -> RawImages:
    """Read the pictures of a folder at the configured side, fit and colour.

    listing: reads these of the folder's files only. Raises DataError when no file can be read, when the pictures
    differ in size or are above 512 pixels a side and `data.side` is not set, or when there is no room for them.
    """
    listing = listing or list_folder(folder)
    skipped = list(listing.skipped)
    infos = _inspect(listing.pictures, skipped, watcher)
    if infos:
        _check_sizes(infos, config.side)
    is_colour = any(info.is_colour for info in infos) if config.colour == "auto" else config.colour == "colour"
    height, width = (
        (config.side, config.side) if config.side else (infos[0].height, infos[0].width) if infos else (0, 0)
    )
    shape = (len(infos), 3 if is_colour else 1, height, width)
    images = new_images(shape, folder)
    read: list[PictureInfo] = []
    for index, info in enumerate(infos):
        watcher.report(0.2 + 0.8 * index / len(infos), f"Reading {info.path.name}")
        try:
            images[len(read)] = read_picture(info.path, is_colour=is_colour, side=config.side, fit=config.fit)
        except DataError as error:
            skipped.append(str(error))
        else:
            read.append(info)
    if not read:
        raise bad_file(folder, f"no picture that can be read ({skipped[0]})", EXPECTED, "mend or replace the files")
    images = images[: len(read)]
    labels, class_names = _labels(folder, read)
    notes = _understood(read, class_names, skipped, is_colour, config)
    if config.colour == "auto" and is_colour and _is_all_grey(images):
        images = _first_channel(images, folder)
        notes.append("saved in colour but grey throughout: read as grey")
    return RawImages(
        images=images, max_value=255, labels=labels, class_names=class_names,
        provenance=Provenance(
            source="folder", title=folder.resolve().name, path=str(folder.absolute()), skipped=tuple(skipped),
            understood=tuple(notes),
        ),
    )  # fmt: skip


def _inspect(paths: Sequence[Path], skipped: list[str], watcher: Watcher) -> list[PictureInfo]:
    """Return what the headers say; files that are no pictures are added to `skipped`."""
    infos = []
    for index, path in enumerate(paths):
        watcher.report(0.2 * index / len(paths), f"Looking at {path.name}")
        try:
            infos.append(inspect_picture(path))
        except DataError as error:
            skipped.append(str(error))
    return infos


def _check_sizes(infos: list[PictureInfo], side: int | None) -> None:
    """Raise DataError for pictures that are too large, or of several sizes, where no side brings them to one."""
    first = infos[0]
    for info in infos:
        check_side(info.path, info.height, info.width, side)
        if side is None and (info.width, info.height) != (first.width, first.height):
            raise bad_file(
                info.path, f"{info.width} x {info.height} pixels",
                f"{first.width} x {first.height} as in {first.path.name}",
                "set data.side, such as data.side=64, to bring all to one size",
            )  # fmt: skip


def _labels(folder: Path, read: list[PictureInfo]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return class indices by the sub-folder next to the top, -1 for pictures beside the sub-folders, and the names."""
    parts = [info.path.relative_to(folder).parts for info in read]
    classes = [part[0] if len(part) > 1 else None for part in parts]
    names = sorted({name for name in classes if name is not None}, key=_natural)
    if not names:
        return None, ()
    index_of = {name: index for index, name in enumerate(names)}
    return np.array([-1 if name is None else index_of[name] for name in classes], np.int64), tuple(names)


def _is_all_grey(images: NDArray[np.uint8]) -> bool:
    """Whether red, green and blue are the same everywhere; ends at the first image that has a colour."""
    return all(bool((image == image[:1]).all()) for image in images)


def _first_channel(images: NDArray[np.uint8], folder: Path) -> NDArray[np.uint8]:
    first = new_images((len(images), 1, *images.shape[2:]), folder)
    for part in parts_of(images):
        first[part] = images[part, :1]
    return first


def _natural(name: str) -> tuple[int, int, str]:
    """Sort '2' before '10', numbers before words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def _understood(
    read: list[PictureInfo], class_names: tuple[str, ...], skipped: list[str], is_colour: bool, config: DataConfig
) -> list[str]:
    notes = [f"{len(read):,} pictures" + (f" in {len(class_names)} classes by sub-folder" if class_names else "")]
    if skipped:
        notes.append(f"{len(skipped):,} files were skipped")
    n_colour = sum(info.is_colour for info in read)
    if is_colour and n_colour < len(read):
        notes.append(f"{len(read) - n_colour:,} grey pictures were read in colour, as the others are")
    if not is_colour and n_colour:
        notes.append(f"{n_colour:,} pictures in colour were made grey")
    if config.side is not None:
        notes.append(f"brought to {config.side} x {config.side} pixels ({config.fit})")
    return notes
