"""Keeps what is unpacked within the memory that there is: asked before anything is allocated."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from vae_explorer.errors import DataError

ASSUMED_FREE_BYTES = 4 * 2**30
"""Taken where the system does not tell."""


def free_memory_bytes() -> int:
    """Return the memory that can be used without swapping, in bytes; an estimate where the system does not tell."""
    if sys.platform == "win32":
        return _windows_free_bytes()
    free = _linux_free_bytes()
    if free is not None:
        return free
    try:
        # macOS has no count of free pages here; half of the machine's memory stands for it.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError):
        return ASSUMED_FREE_BYTES


def check_fits(where: str | Path, n_bytes: int) -> None:
    """Raise DataError when `n_bytes` of images are more than half of the free memory."""
    free = free_memory_bytes()
    if n_bytes > free // 2:
        raise DataError(
            f"{where}: {size_text(n_bytes)} once unpacked; expected at most half of the free memory "
            f"({size_text(free // 2)}); give fewer or smaller images, or free some memory."
        )


def size_text(n_bytes: int) -> str:
    """Return a number of bytes for people, such as 3.0 GiB."""
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes >= 2**30 else f"{n_bytes / 2**20:,.1f} MiB"


def _linux_free_bytes() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


def _windows_free_bytes() -> int:
    class MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("physical", "free", "page", "page_free", "own", "own_free", "x")),
        )

    status = MemoryStatus()
    status.length = ctypes.sizeof(status)
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return ASSUMED_FREE_BYTES
    return int(status.free)
