"""`LogTail`: what has come to a metrics log that somebody else writes, since it was looked at last."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vae_explorer.runs.metrics_log import MAX_LINE_BYTES, decode_record
from vae_explorer.runs.records import LogRecord

MAX_READ_BYTES = 4 * MAX_LINE_BYTES


@dataclass(frozen=True)
class LogNews:
    """Records that were added. is_anew: what was given before does not hold any more, these begin the log."""

    records: tuple[LogRecord, ...] = ()
    is_anew: bool = False


class LogTail:
    """Reads a growing log by its path alone, so that it works on any file system; a torn last line waits for its rest.

    A log that was replaced, as it is when its run goes on from a checkpoint, is told by its last line: it is read anew
    unless that stands where it stood.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._last = b""

    def read(self) -> LogNews:
        """Return what is new; nothing while the file is not there. OSError when it cannot be read."""
        try:
            with self._path.open("rb") as file:
                is_anew = self._place > 0 and not self._stands(file)
                if is_anew:
                    self._place, self._last = 0, b""
                return LogNews(tuple(self._read_all(file)), is_anew)
        except FileNotFoundError:
            return LogNews()

    def _stands(self, file: BinaryIO) -> bool:
        if os.fstat(file.fileno()).st_size < self._place:
            return False
        file.seek(self._place - len(self._last))
        return file.read(len(self._last)) == self._last

    def _read_all(self, file: BinaryIO) -> list[LogRecord]:
        records: list[LogRecord] = []
        place, last = self._place, self._last
        file.seek(place)
        while part := file.read(MAX_READ_BYTES):
            whole = part[: part.rfind(b"\n") + 1]
            if not whole and len(part) < MAX_READ_BYTES:
                break  # a line that is being written
            whole = whole or part  # longer than any record: left out piece by piece
            lines = whole.splitlines(keepends=True)
            records += filter(None, map(decode_record, lines))
            place, last = place + len(whole), lines[-1]
            file.seek(place)
        self._place, self._last = place, last
        return records
