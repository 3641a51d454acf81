"""The metrics log: append-only JSON lines that can be read while they grow, a torn last line left out."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from vae_explorer.atomic_files import replacing, sync_file
from vae_explorer.runs.records import LogRecord, MarkRecord, MetricRecord

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1 << 20
"""A record of 256 latent dimensions takes 6 kB; a longer line than this is not one."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LogRecord)
_REQUIRED_FLOATS = {
    kind.__struct_config__.tag: [f.name for f in msgspec.structs.fields(kind) if f.type is float]
    for kind in (MetricRecord, MarkRecord)
}


class MetricsLog:
    """One metrics log file. A record is one line written at once: a reader sees whole lines, at most a torn last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_tail_whole = False

    def append(self, record: LogRecord) -> None:
        """Add one record; OSError when the disk refuses."""
        if not self._is_tail_whole:
            _cut_torn_tail(self.path)
        # A full disk may take a part of the line and then raise; the torn part is cut off before the next record.
        self._is_tail_whole = False
        with self.path.open("ab", buffering=0) as file:
            rest = memoryview(_encoder.encode(record) + b"\n")
            while rest:
                rest = rest[file.write(rest) :]
        self._is_tail_whole = True

    def records(self, *, up_to_step: int | None = None) -> Iterator[LogRecord]:
        """Yield the records in order, one line in memory at a time; a line that is no record is left out and logged."""
        for line in self._whole_lines():
            record = decode_record(line)
            if record is None:
                log.warning("%s: a line is no record and was left out: %.80r", self.path.name, line)
            elif up_to_step is None or record.step <= up_to_step:
                yield record

    def truncate(self, after_step: int) -> None:
        """Drop the records of later steps, atomically; OSError when the disk refuses."""
        if not self.path.exists():
            return
        with replacing(self.path) as part, part.open("wb") as file:
            for record in self.records(up_to_step=after_step):
                file.write(_encoder.encode(record) + b"\n")
        self._is_tail_whole = True

    def sync(self) -> None:
        """Return once what was appended is on the disk."""
        if self.path.exists():
            sync_file(self.path)

    def _whole_lines(self) -> Iterator[bytes]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            is_rest_of_long_line = False
            while line := file.readline(MAX_LINE_BYTES):
                is_whole = line.endswith(b"\n")
                if is_whole and not is_rest_of_long_line:
                    yield line
                is_rest_of_long_line = not is_whole


def decode_record(line: bytes) -> LogRecord | None:
    """Return the record of a line of the log, None for one that is no record."""
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        pass
    # JSON has no NaN: a figure that was not finite was written as null. Only such lines pay for a second look.
    try:
        raw: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        for name in _REQUIRED_FLOATS.get(raw.get("type"), ()):
            if name in raw and raw[name] is None:
                raw[name] = math.nan
        if raw.get("kl_per_dim") is not None:
            raw["kl_per_dim"] = [math.nan if value is None else value for value in raw["kl_per_dim"]]
        return msgspec.convert(raw, type=LogRecord)
    except (msgspec.DecodeError, TypeError):
        return None


def _cut_torn_tail(path: Path) -> None:
    """Cut what a power cut left of a last line, so that the next record does not grow onto it."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)
