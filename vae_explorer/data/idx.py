"""IDX files, plain or gzipped: the format of MNIST (yann.lecun.com/exdb/mnist, 'The IDX file format')."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.raw_images import Watcher
from vae_explorer.data.reading import MAX_INFLATION, bad_file, read_into, reading

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
EXPECTED = "an IDX file of unsigned bytes, plain or .gz"


@dataclass(frozen=True)
class IdxHeader:
    """What an IDX file says of itself. shape: its dimensions, (N, H, W) for images, (N,) for labels."""

    path: Path
    shape: tuple[int, ...]
    is_packed: bool

    @property
    def n_header_bytes(self) -> int:
        return 4 + 4 * len(self.shape)


def read_header(path: Path, *, n_dims: int) -> IdxHeader:
    """Return the header of an IDX file of unsigned bytes; DataError when it is none, or promises what cannot be.

    n_dims: 3 for images, 1 for labels.
    """
    with reading(path, EXPECTED):
        n_file_bytes = path.stat().st_size
        if n_file_bytes == 0:
            raise bad_file(path, "an empty file (0 bytes)", EXPECTED, "fetch it again")
        with path.open("rb") as file:
            is_packed = file.read(2) == GZIP_MAGIC
        with _open(path, is_packed) as stream:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0":
                raise bad_file(path, f"begins with {magic.hex(' ')}", EXPECTED + " (00 00 08 ..)", "name another file")
            if magic[2] != UNSIGNED_BYTE:
                raise bad_file(path, f"values of type 0x{magic[2]:02x}", "unsigned bytes (0x08)", "convert it to bytes")
            if magic[3] != n_dims:
                what = "images (N x H x W)" if n_dims == 3 else "labels (N)"
                raise bad_file(path, f"{magic[3]} dimensions", f"{n_dims} for {what}", "name the right file")
            sizes = stream.read(4 * n_dims)
    if len(sizes) < 4 * n_dims:
        raise bad_file(path, "ends within its header", EXPECTED, "fetch it again")
    header = IdxHeader(path, struct.unpack(f">{n_dims}I", sizes), is_packed)
    _check_promise(header, n_file_bytes)
    return header


def read_values(header: IdxHeader, out: NDArray[np.uint8], watcher: Watcher) -> None:
    """Fill `out`, contiguous, of as many values as the header names; DataError when the file holds fewer or more."""
    with reading(header.path, EXPECTED), _open(header.path, header.is_packed) as stream:
        stream.read(header.n_header_bytes)
        read_into(stream, out, header.path, watcher)


def _open(path: Path, is_packed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if is_packed else path.open("rb")


def _check_promise(header: IdxHeader, n_file_bytes: int) -> None:
    """Refuse a header whose dimensions the file cannot hold, before anything is allocated for them."""
    n_values = math.prod(header.shape)
    shape = " x ".join(f"{size:,}" for size in header.shape)
    if n_values == 0:
        raise bad_file(header.path, f"a header of {shape} values, which is nothing", "some images", "fetch it again")
    n_holds = n_file_bytes * MAX_INFLATION if header.is_packed else n_file_bytes - header.n_header_bytes
    if n_values > n_holds or (not header.is_packed and n_values != n_holds):
        at_most = "at most " if header.is_packed else ""
        raise bad_file(
            header.path,
            f"its header names {shape} values, the file holds {at_most}{n_holds:,}",
            "a file as long as its header says",
            "fetch it again, it is cut short or damaged",
        )
