"""The files of a folder of pictures, by their names alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from vae_explorer.data.reading import bad_file

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
EXPECTED = "PNG, JPEG, WebP, BMP or TIFF pictures, in sub-folders by class or together"


@dataclass(frozen=True)
class FolderListing:
    """The files of a folder by their names alone: pictures in a fixed order, and the others with a reason."""

    pictures: tuple[Path, ...]
    skipped: tuple[str, ...]

    def spread(self, n_pictures: int) -> FolderListing:
        """Return the listing with up to `n_pictures` pictures from all over the folder."""
        count = len(self.pictures)
        indices = sorted({index * count // n_pictures for index in range(n_pictures)}) if count > n_pictures else None
        return self if indices is None else replace(self, pictures=tuple(self.pictures[index] for index in indices))


def list_folder(folder: Path) -> FolderListing:
    """Return the files of a folder and its sub-folders, sorted by path; DataError when none has a picture's suffix.

    Hidden files are passed over, links to folders not followed (they may lead round in a circle).
    """
    pictures: list[Path] = []
    skipped: list[str] = []

    def on_error(error: OSError) -> None:
        skipped.append(f"{error.filename}: cannot be opened ({error.strerror})")

    for parent, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(files):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
                pictures.append(path)
            else:
                skipped.append(f"{path}: not one of {' '.join(PICTURE_SUFFIXES)}")
    if not pictures:
        found = f"{len(skipped):,} files, none of them a picture" if skipped else "an empty folder"
        raise bad_file(folder, found, EXPECTED, "put pictures there or name another folder")
    return FolderListing(tuple(sorted(pictures, key=lambda path: path.relative_to(folder).as_posix())), tuple(skipped))
