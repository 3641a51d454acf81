"""A file or folder of the user's: finds out which kind of data set it is, and reads it."""

from __future__ import annotations

from pathlib import Path

from vae_explorer.config import DataConfig
from vae_explorer.data.array_sets import read_array_file
from vae_explorer.data.folder_listing import PICTURE_SUFFIXES, FolderListing, list_folder
from vae_explorer.data.idx_sets import find_idx_folder, is_idx_name, read_idx_file, read_idx_folder
from vae_explorer.data.raw_images import RawImages, Watcher
from vae_explorer.data.reading import bad_file, reading

EXPECTED = "a folder of images, IDX files, .npz or .npy"


def list_pictures(path: Path) -> FolderListing | None:
    """Return the files of a folder of pictures without opening them; None for every other kind of data set."""
    if not path.is_dir() or find_idx_folder(path) is not None:
        return None
    return list_folder(path)


def read_path(
    path: Path,
    config: DataConfig,
    watcher: Watcher,
    *,
    listing: FolderListing | None = None,
    limit: int | None = None,
) -> RawImages:
    """Read a folder of IDX files or of pictures, an .npz or .npy file, or a pair of IDX files named by one of them.

    listing: of a folder of pictures, reads these only; limit: of an array that is mapped, so many only. Raises
    DataError for what is missing, none of these, or bad; its sentence names the file and what to do.
    """
    with reading(path, EXPECTED):
        path.stat()
    if path.is_dir():
        idx_folder = find_idx_folder(path)
        if idx_folder is not None:
            return read_idx_folder(idx_folder, title=path.resolve().name, side=config.side, watcher=watcher)
        # Pillow takes 50 ms to import, which most data sets do without.
        from vae_explorer.data.image_folder import read_folder

        return read_folder(path, config, watcher, listing=listing)
    if not path.is_file():  # a pipe or a device, which could block or never end
        raise bad_file(path, "neither a file nor a folder", EXPECTED, "name another path")
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return read_array_file(path, side=config.side, watcher=watcher, limit=limit)
    if is_idx_name(path) or suffix in (".gz", ".idx", ""):
        return read_idx_file(path, side=config.side, watcher=watcher)
    if suffix in PICTURE_SUFFIXES:
        raise bad_file(path, "a single picture", "many images to learn from", "name the folder that holds them")
    raise bad_file(path, f"a file of the kind {suffix}", EXPECTED, "name one of these, or convert it")
