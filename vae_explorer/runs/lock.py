"""The lock of a run folder: one writer at a time, and whoever is refused learns who holds it.

The operating system's own file lock is the truth on this machine: it ends with its process, so that a crashed
writer never blocks. The holder's name in the file is for people, and for other machines where such locks do not reach.
Whoever only looks learns the same by `writer`, and writes nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from vae_explorer.errors import RunError

LOCK_NAME = ".lock"
MAX_LOCK_BYTES = 10_000


class LockHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes into a run: host name, process id, time of taking (ISO 8601)."""

    host: str
    pid: int
    since: str


class RunLock:
    """The lock of one run folder; also a context manager that releases on leaving."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> RunLock:
        """Take the lock (a no-op while held); RunError names the holder, OSError when the file cannot be written."""
        if self.is_held:
            return self
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            is_free, is_certain = _try_lock(handle)
            holder = _read_holder(handle)
            if not is_free or (holder is not None and (holder.host != socket.gethostname() or not is_certain)):
                raise RunError(self._refusal(holder, is_alive=not is_free))
            _write_holder(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return self

    def release(self) -> None:
        """Give the lock back if it is held. The empty file stays: removing it could race with the next taker."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
        os.close(handle)

    def writer(self) -> LockHolder | None:
        """Return who writes into the folder now, None where nobody does; asking needs no right to write.

        A holder on another machine is believed as long as its name stands there: whether it lives cannot be told.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY)
        except OSError:
            return None
        try:
            holder = _read_holder(handle)
            if holder is None or self.is_held:
                return None
            # Asked only where a name stands: who takes the lock at this very moment would be refused.
            is_free, is_certain = _try_lock(handle, is_shared=True)
            return holder if not is_free or not is_certain or holder.host != socket.gethostname() else None
        finally:
            os.close(handle)

    def _refusal(self, holder: LockHolder | None, *, is_alive: bool) -> str:
        if holder is None:
            return f"{self.path.parent} is being written by another program; wait for it, or train into another folder."
        who = f"process {holder.pid} on {holder.host} since {holder.since}"
        if is_alive:
            return f"{self.path.parent} is being written by {who}; end that one first, or train into another folder."
        return f"{self.path.parent} is held by {who}; if that one has ended, remove {self.path}, else wait for it."

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(handle: int, *, is_shared: bool = False) -> tuple[bool, bool]:
    """Return (whether it is ours now, whether the file system can tell); is_shared: a lock that reading allows."""
    if sys.platform == "win32":
        import msvcrt

        with _at_far_byte(handle):
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except OSError:
                return False, True
            return True, True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False, True
    except OSError:
        # This file system has no locks: then only the name in the file can tell.
        return True, False
    return True, True


@contextlib.contextmanager
def _at_far_byte(handle: int) -> Iterator[None]:
    """Windows forbids others to read locked bytes: lock one far behind the holder's name."""
    os.lseek(handle, 1 << 30, os.SEEK_SET)
    try:
        yield
    finally:
        os.lseek(handle, 0, os.SEEK_SET)


def _read_holder(handle: int) -> LockHolder | None:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        return msgspec.json.decode(os.read(handle, MAX_LOCK_BYTES), type=LockHolder)
    except msgspec.DecodeError:
        return None


def _write_holder(handle: int) -> None:
    since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since})
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, text.encode())
