"""Reading files of strangers: what cannot be opened is one sentence, and no more is read than was promised."""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.raw_images import Watcher
from vae_explorer.errors import DataError

CHUNK_BYTES = 1 << 20
MAX_REASON_CHARS = 120
_DAMAGED = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error,
    ValueError, LookupError, OverflowError,  # zipfile on hostile names, offsets and sizes
)  # fmt: skip
MAX_INFLATION = 1032
"""A byte of deflated data gives at most this many (zlib's documentation, 'Maximum Expansion Factor')."""


def bad_file(where: str | Path, found: str, expected: str, advice: str) -> DataError:
    """Return the one sentence for a file that cannot be used."""
    return DataError(f"{where}: {found}; expected {expected}; {advice}.")


def short_reason(error: BaseException) -> str:
    """Return what an error of others says, on one line and cut short: some quote whole files."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(text.split()).rstrip(".") or type(error).__name__
    return text if len(text) <= MAX_REASON_CHARS else text[:MAX_REASON_CHARS] + "..."


@contextmanager
def reading(where: str | Path, expected: str) -> Iterator[None]:
    """Turn what the operating system, gzip and zip say about a broken file into one DataError."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise bad_file(
            where, f"not a sound gzip file ({short_reason(error)})", expected, "fetch or pack it again"
        ) from None
    except _DAMAGED as error:
        raise bad_file(
            where, f"damaged or cut short ({short_reason(error)})", expected, "fetch or save it again"
        ) from None
    except (NotImplementedError, RuntimeError) as error:  # zipfile: unknown compression, a password
        raise bad_file(
            where, f"cannot be unpacked ({short_reason(error)})", expected, "save it again without a password"
        ) from None
    except OSError as error:
        advice = "check the path and its permissions"
        raise bad_file(where, f"cannot be read ({short_reason(error)})", expected, advice) from None


def read_into(stream: IO[bytes], out: NDArray[np.uint8], where: str | Path, watcher: Watcher) -> None:
    """Fill `out`, a contiguous array, from the stream, which must then be at its end; DataError when it is not.

    Nothing beyond the promised bytes is unpacked, however much a hostile file would yield.
    """
    view = out.reshape(-1).data
    n_read = 0
    while n_read < len(view):
        watcher.report(n_read / len(view), f"Reading {Path(where).name}")
        n_got = stream.readinto(view[n_read : n_read + CHUNK_BYTES])  # type: ignore[attr-defined]
        if not n_got:
            raise bad_file(
                where,
                f"ends after {n_read:,} bytes of images",
                f"{len(view):,} by its header",
                "fetch or save it again",
            )
        n_read += n_got
    if stream.read(1):
        raise bad_file(
            where,
            f"holds more than the {len(view):,} bytes that its header names",
            "just these",
            "fetch or save it again",
        )
