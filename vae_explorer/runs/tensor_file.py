"""Named arrays in a safetensors file, read only after every size in its header was checked against the file."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vae_explorer.atomic_files import replacing
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import RunError

AnyArray = NDArray[Any]

MAX_HEADER_BYTES = 32 << 20
"""A header larger than this is no header of ours: names and metadata of a model take some kilobytes."""

_DTYPES = {
    "BOOL": np.dtype("bool"), "U8": np.dtype("u1"), "I8": np.dtype("i1"), "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"), "I64": np.dtype("<i8"), "U16": np.dtype("<u2"), "U32": np.dtype("<u4"),
    "U64": np.dtype("<u8"), "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"),
}  # fmt: skip


@dataclass(frozen=True)
class TensorEntry:
    """Where one array lies: dtype, shape, and its bytes begin..end counted from the end of the header."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class TensorHeader:
    """A checked header: `entries` in the order of the file, `metadata` as written, `data_start` in bytes."""

    entries: tuple[TensorEntry, ...]
    metadata: dict[str, str]
    data_start: int


def write_tensors(path: Path, tensors: Mapping[str, AnyArray], *, metadata: Mapping[str, str]) -> None:
    """Write named arrays and strings atomically; OSError when the disk refuses."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # np.ascontiguousarray would make a scalar one-dimensional; order="C" keeps the shape.
    contiguous = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    with replacing(path) as part:
        part.touch()
        mode = part.stat().st_mode
        try:
            save_file(contiguous, part, metadata=dict(metadata))
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from None
        # WORKAROUND safetensors 0.8: save_file makes files that only their owner may read, whatever the umask says.
        part.chmod(mode)


def read_header(path: Path) -> TensorHeader:
    """Read and check the header alone; RunError when the file is missing, truncated, or says what it does not hold."""
    try:
        with path.open("rb") as file:
            return _checked_header(file, path)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}).") from None


def read_tensors(path: Path, *, only: Container[str] | None = None) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Return arrays (writable, native memory) and metadata; RunError as `read_header`, or when memory is too small.

    only: names of those that are wanted, None for all; the bytes of others are not read."""
    try:
        with path.open("rb") as file:
            header = _checked_header(file, path)
            wanted = [entry for entry in header.entries if only is None or entry.name in only]
            _check_memory(wanted, path)
            arrays = {entry.name: _read_entry(file, entry, header.data_start) for entry in wanted}
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}).") from None
    except EOFError:
        raise RunError(f"{path} became shorter while it was read; read it again when nobody writes it.") from None
    return arrays, header.metadata


def _read_entry(file: BinaryIO, entry: TensorEntry, data_start: int) -> AnyArray:
    array = np.empty(entry.shape, dtype=entry.dtype)
    file.seek(data_start + entry.begin)
    if entry.end > entry.begin and file.readinto(array.reshape(-1).view(np.uint8).data) != entry.end - entry.begin:  # type: ignore[attr-defined]
        raise EOFError
    return array


def _checked_header(file: BinaryIO, path: Path) -> TensorHeader:
    file.seek(0, 2)
    file_size = file.tell()
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if file_size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, file_size - 8):
        raise _damaged(path, f"it has {file_size:,} bytes and announces a header of {length:,}")
    try:
        content = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise _damaged(path, "its header is not JSON") from None
    if not isinstance(content, dict):
        raise _damaged(path, "its header is not a table of arrays")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its metadata are not strings")
    entries = sorted((_entry(name, raw, path) for name, raw in content.items()), key=lambda entry: entry.begin)
    _check_cover(entries, file_size - 8 - length, path)
    return TensorHeader(entries=tuple(entries), metadata=metadata, data_start=8 + length)


def _entry(name: str, raw: Any, path: Path) -> TensorEntry:
    try:
        dtype = _DTYPES[raw["dtype"]]
        shape = tuple(raw["shape"])
        begin, end = raw["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, f"the entry {name[:80]!r} of its header is not that of an array") from None
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)) or len(shape) > 32:
        raise _damaged(path, f"the sizes of {name[:80]!r} are not whole numbers from 0")
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise _damaged(path, f"{name[:80]!r} claims a shape that does not fit its {end - begin:,} bytes")
    return TensorEntry(name=name, dtype=dtype, shape=shape, begin=begin, end=end)


def _check_cover(entries: list[TensorEntry], n_bytes: int, path: Path) -> None:
    """Arrays must lie one after the other and fill the file: then no array can claim memory that no byte backs."""
    position = 0
    for entry in entries:
        if entry.begin != position:
            raise _damaged(path, f"{entry.name[:80]!r} does not begin where the array before it ends")
        position = entry.end
    if position != n_bytes:
        raise _damaged(path, f"its header describes {position:,} bytes of arrays and {n_bytes:,} follow it")


def _check_memory(entries: list[TensorEntry], path: Path) -> None:
    """A sparse file can back any size with nothing: ask for the memory before taking it."""
    needed = sum(entry.end - entry.begin for entry in entries)
    free = free_memory_bytes()
    if needed > free:
        raise RunError(
            f"{path} holds {needed / 2**30:,.1f} GiB and {free / 2**30:,.1f} GiB of memory are free; "
            "free some, or use a machine with more."
        )


def _damaged(path: Path, found: str) -> RunError:
    return RunError(f"{path} is damaged or no safetensors file: {found}; use another checkpoint or copy of the run.")
