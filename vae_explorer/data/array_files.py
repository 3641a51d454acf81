"""NumPy's .npy and .npz files, read by their headers within bounded memory and never unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_store import is_worth_mapping, map_values
from vae_explorer.data.memory import check_fits
from vae_explorer.data.raw_images import Watcher
from vae_explorer.data.reading import MAX_INFLATION, bad_file, read_into, reading, short_reason

NPY_MAGIC = b"\x93NUMPY"
MAX_MEMBERS = 1000
MAX_HEADER_BYTES = 100_000
EXPECTED_NPY = "a .npy file of one array"
EXPECTED_NPZ = "an .npz archive of arrays"


@dataclass(frozen=True)
class ArrayHeader:
    """What a file, or a member of an archive, says of its array before it is read."""

    path: Path
    name: str | None
    """The member of the archive; None for a .npy file."""
    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    n_header_bytes: int

    @property
    def where(self) -> str:
        """The file, and the array in it, for messages."""
        return str(self.path) if self.name is None else f"{self.path} ({self.name})"

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_headers(path: Path) -> list[ArrayHeader]:
    """Return the headers of the array of a .npy or of all arrays of an .npz file, by its suffix.

    Raises DataError when the content is not what the suffix says, is cut short, or promises more than the file holds.
    """
    with reading(path, EXPECTED_NPY):
        n_file_bytes = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(6)
    if n_file_bytes == 0:
        raise bad_file(path, "an empty file (0 bytes)", "arrays of images", "save it again")
    is_archive = path.suffix.lower() == ".npz"
    content = "an .npy array" if magic == NPY_MAGIC else "a zip archive" if magic[:2] == b"PK" else "something else"
    wanted = "a zip archive" if is_archive else "an .npy array"
    if content != wanted:
        kind = EXPECTED_NPZ if is_archive else EXPECTED_NPY
        advice = "name a file of this kind" if content == "something else" else "rename it to the suffix of its content"
        raise bad_file(path, f"its content is {content}", kind, advice)
    return _archive_headers(path) if is_archive else [_npy_header(path, n_file_bytes)]


def read_array(header: ArrayHeader, watcher: Watcher) -> NDArray:
    """Read the array of a header, or map it where it is a large .npy file.

    DataError when it is an object array, cut short, or a member of an archive that is too large for the memory.
    """
    if header.dtype.hasobject:
        raise bad_file(
            header.where, "an array of Python objects (a pickle, which could run code)",
            "numbers", "save it with a dtype such as uint8",
        )  # fmt: skip
    if header.name is None and is_worth_mapping(header.n_bytes):
        size = (math.prod(header.shape),)
        flat = map_values(header.path, shape=size, dtype=header.dtype, offset=header.n_header_bytes)
    else:
        flat = _read_flat(header, watcher)
    return flat.reshape(header.shape[::-1]).T if header.is_fortran else flat.reshape(header.shape)


def _read_flat(header: ArrayHeader, watcher: Watcher) -> NDArray:
    check_fits(header.where, header.n_bytes)
    buffer = np.empty(header.n_bytes, np.uint8)
    with _opened(header) as stream:
        stream.read(header.n_header_bytes)
        read_into(stream, buffer, header.where, watcher)
    return buffer.view(header.dtype)


@contextmanager
def _opened(header: ArrayHeader) -> Iterator[IO[bytes]]:
    with reading(header.where, "a whole file"):
        if header.name is None:
            with header.path.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(header.path) as archive, archive.open(f"{header.name}.npy") as member:
                yield member


def _npy_header(path: Path, n_file_bytes: int) -> ArrayHeader:
    with reading(path, EXPECTED_NPY), path.open("rb") as file:
        header = _parse(path, None, file)
    _check_promise(header, n_file_bytes - header.n_header_bytes)
    return header


def _archive_headers(path: Path) -> list[ArrayHeader]:
    headers = []
    with reading(path, EXPECTED_NPZ), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if not members or len(members) > MAX_MEMBERS:
            raise bad_file(
                path, f"{len(members):,} arrays", f"1 to {MAX_MEMBERS}, one named images", "save it with numpy.savez"
            )
        for info in members:
            with archive.open(info) as member:
                header = _parse(path, info.filename.removesuffix(".npy"), member)
            if header.n_bytes > info.compress_size * MAX_INFLATION and info.compress_type == zipfile.ZIP_DEFLATED:
                raise _lying(header, info.compress_size * MAX_INFLATION)
            _check_promise(header, info.file_size - header.n_header_bytes)
            headers.append(header)
    return headers


def _check_promise(header: ArrayHeader, n_held_bytes: int) -> None:
    if not header.dtype.hasobject and header.n_bytes != n_held_bytes:
        raise _lying(header, n_held_bytes)


def _lying(header: ArrayHeader, n_held_bytes: int) -> Exception:
    shape = " x ".join(f"{size:,}" for size in header.shape)
    return bad_file(
        header.where,
        f"its header names {shape} values ({header.n_bytes:,} bytes), the file holds {n_held_bytes:,} bytes of them",
        "as many as the header says",
        "save it again, it is cut short or damaged",
    )


def _parse(path: Path, name: str | None, stream: IO[bytes]) -> ArrayHeader:
    """Parse the header by NumPy, which evaluates literals only; it reads at most 10,000 characters of it."""
    where = path if name is None else f"{path} ({name})"
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    counter = _CountingStream(stream)
    try:
        version = np.lib.format.read_magic(counter)  # type: ignore[arg-type]
        shape, is_fortran, dtype = read[version](counter)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise  # of the file, not of the header: `reading` says it
    except Exception as error:  # Python's parser meets hostile headers with errors of many kinds
        found = f"a header that cannot be read ({short_reason(error)})"
        raise bad_file(where, found, EXPECTED_NPY, "save it again") from None
    if any(size < 0 for size in shape) or dtype.itemsize == 0:
        raise bad_file(where, f"a header of {shape} values of {dtype}", EXPECTED_NPY, "save it again")
    return ArrayHeader(path, name, shape, dtype, is_fortran, counter.n_read)


class _CountingStream:
    """Counts what is read of a header, and refuses one that is longer than any: it may claim to be 4 GiB long."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.n_read = 0

    def read(self, n_bytes: int) -> bytes:
        if n_bytes > MAX_HEADER_BYTES:
            raise ValueError(f"it claims to be {n_bytes:,} bytes long")
        data = self._stream.read(n_bytes)
        self.n_read += len(data)
        return data
