"""Writing a file so that it is either the old one or the new one, whatever happens half-way."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART_SUFFIX = ".part"
"""Ends the name of a file that is being written; a power cut can leave one, and nothing reads it."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it is synced to disk and takes the name of `path`.

    An exception inside the block removes the temporary file and leaves `path` as it was. OSError passes through.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        yield part
        sync_file(part)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace the content of a file as a whole; OSError when it cannot be written."""
    with replacing(path) as part:
        part.write_bytes(content)


def remove_parts(folder: Path) -> None:
    """Remove what writers that were cut off left in a folder that has no other writer now."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        with suppress(OSError):
            part.unlink()


def sync_file(path: Path) -> None:
    """Return once the bytes of a file are on the disk; OSError when it does not exist."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk; a no-op where a folder cannot be opened (Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems refuse to sync a folder; the file itself is synced by then.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
