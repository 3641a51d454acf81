"""Where images lie: in memory while that is plenty, else in a file that the system brings in page by page.

A file that is cut short while it is mapped ends the program by a signal that nothing can catch, when the pages behind
its end are read; `check_whole` asks before each run, and what is cut later cannot be told in time.
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data import memory
from vae_explorer.data.memory import size_text
from vae_explorer.data.reading import bad_file, reading, short_reason
from vae_explorer.errors import DataError

CACHE_DIR_VARIABLE = "VAE_EXPLORER_CACHE"
"""Names the folder of scratch files instead of the platform's own."""
MAPPED_PART = 8
"""A file whose bytes are images already is mapped where it takes more than the 8th part of the free memory."""
_DISK_SHARE = 0.9
"""What of the free disk a scratch file may take."""
_PART_BYTES = 1 << 24


def is_worth_mapping(n_bytes: int) -> bool:
    """Whether values of a file should stay there: they take more than a MAPPED_PART th of the free memory."""
    return n_bytes > memory.free_memory_bytes() // MAPPED_PART


def map_values(path: Path, *, shape: tuple[int, ...], dtype: np.dtype, offset: int) -> NDArray[Any]:
    """Return the values that lie in a file from byte `offset` on, read-only; DataError when it is too short.

    They stay what they are when the file is replaced or removed, not when it is written over.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    with reading(path, "a file as long as its header says"), path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), offset + n_bytes, access=mmap.ACCESS_READ)
    return np.ndarray(shape, dtype, buffer=mapping, offset=offset)


def new_images(shape: tuple[int, ...], where: str | Path) -> NDArray[np.uint8]:
    """Return zeros, uint8, to be written: in memory where they take at most half of what is free, else in a scratch
    file, which ends with the program. DataError names `where` when the disk has no room for that either."""
    n_bytes = math.prod(shape)
    if n_bytes <= memory.free_memory_bytes() // 2:
        return np.zeros(shape, np.uint8)
    return np.ndarray(shape, np.uint8, buffer=_scratch(n_bytes, where))


def mapping_of(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the mapped file that holds the values of an array, None for one in memory."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) else None


def check_whole(array: NDArray[Any], where: str | Path) -> None:
    """Raise DataError when the file that holds the values has become shorter since it was mapped."""
    mapping = mapping_of(array)
    if mapping is None:
        return
    found, expected = mapping.size(), len(mapping)
    if found < expected:
        raise bad_file(
            where, f"the file was cut to {found:,} bytes while it was open", f"{expected:,}",
            "restore it and open it again",
        )  # fmt: skip


def parts_of(array: NDArray[Any]) -> Iterator[slice]:
    """Cut the first axis so that a part has about 16 MiB: bounded room for copies."""
    step = max(1, _PART_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def rest(array: NDArray[Any]) -> None:
    """Let go of the pages of a mapped file that was read through; from now on it is read here and there."""
    mapping = mapping_of(array)
    if mapping is None or not hasattr(mapping, "madvise"):
        return
    # A hint only: what a system does not know is left out.
    for name in ("MADV_DONTNEED", "MADV_RANDOM"):
        if hasattr(mmap, name):
            with suppress(OSError):
                mapping.madvise(getattr(mmap, name))


def scratch_dir() -> Path:
    """Return the folder of scratch files; it need not exist."""
    named = os.environ.get(CACHE_DIR_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("vae-explorer", appauthor=False)) / "images"


def _scratch(n_bytes: int, where: str | Path) -> mmap.mmap:
    """A file without a name, so that nothing is left of it whatever ends the program."""
    folder = scratch_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        room = int(shutil.disk_usage(folder).free * _DISK_SHARE)
        if n_bytes > room:
            half = size_text(memory.free_memory_bytes() // 2)
            raise DataError(
                f"{where}: {size_text(n_bytes)} once unpacked; expected at most half of the free memory ({half}) or "
                f"what {folder} has room for ({size_text(room)}); give fewer or smaller images, or name a folder on a "
                f"larger disk by {CACHE_DIR_VARIABLE}."
            )
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), n_bytes)
            return mmap.mmap(file.fileno(), n_bytes)
    except OSError as error:
        raise DataError(
            f"{where}: {size_text(n_bytes)} do not fit into memory and {folder} cannot hold them "
            f"({short_reason(error)}); make room there, or name another folder by {CACHE_DIR_VARIABLE}."
        ) from None


def _reserve(handle: int, n_bytes: int) -> None:
    """Take the room on the disk now: a disk that is full later would end the program by a signal."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, n_bytes)
    else:
        os.truncate(handle, n_bytes)
