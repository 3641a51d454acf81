"""The checkpoints of a run: numbered safetensors files, replaced as a whole, the last three and the best kept."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_explorer.atomic_files import remove_parts
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.tensor_file import AnyArray, read_header, read_tensors, write_tensors

log = logging.getLogger(__name__)

KEPT_LAST = 3
_NAME = re.compile(r"step-(\d{9,15})\.safetensors")


@dataclass(frozen=True)
class CheckpointEntry:
    """One checkpoint: the step of its weights, its file, and whether it is the best by held-out elbo so far."""

    step: int
    path: Path
    is_best: bool


class CheckpointStore:
    """The folder of checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[CheckpointEntry]:
        """Return all checkpoints by step. The newest that was written as best is the best: no marker file to lose."""
        found = self._found()
        best = next((step for step, path in reversed(found) if _is_marked_best(path)), None)
        return [CheckpointEntry(step=step, path=path, is_best=step == best) for step, path in found]

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, ascending, by the names alone."""
        return [step for step, _ in self._found()]

    def marks(self) -> dict[int, tuple[int, int]]:
        """Return size and time of each checkpoint by its step, which tell whether it is the same; none is opened."""
        return {step: _size_and_time(path) for step, path in self._found()}

    def find(self, which: str | int) -> CheckpointEntry:
        """Return 'last', 'best' or the one of a step; UsageError names those that there are.

        Where none was marked best (nothing was held out, or none evaluated yet) 'best' is the last. RunError when the
        run has no checkpoint at all.
        """
        entries = self.entries()
        if not entries:
            raise RunError(f"{self.folder.parent} has no checkpoint yet; train it, or choose another run.")
        if which == "last":
            return entries[-1]
        if which == "best":
            return next((entry for entry in entries if entry.is_best), entries[-1])
        for entry in entries:
            if str(entry.step) == str(which):
                return entry
        steps = ", ".join(str(entry.step) for entry in entries)
        raise UsageError(
            f"{self.folder.parent} has no checkpoint {which!r}; there are last, best and the steps {steps}."
        )

    def find_sound(self) -> tuple[CheckpointEntry, str | None]:
        """Return the newest checkpoint that is not damaged, and a sentence when that is not the last.

        Headers alone are read: they say how long the file must be. RunError when there is none, or no sound one.
        """
        last = self.find("last")
        for entry in reversed(self.entries()):
            try:
                _state_of(entry, read_header(entry.path).metadata)
            except RunError as error:
                log.info("%s", error)
                continue
            if entry.step == last.step:
                return entry, None
            return entry, f"The checkpoint of step {last.step} is damaged; going on from that of step {entry.step}."
        raise RunError(f"All checkpoints of {self.folder.parent} are damaged; use another copy of the run.")

    def write(self, step: int, tensors: Mapping[str, AnyArray], meta: Mapping[str, Any], *, is_best: bool) -> Path:
        """Write one checkpoint, synced to disk, then drop what need not be kept; OSError when the disk refuses."""
        self.folder.mkdir(exist_ok=True)
        remove_parts(self.folder)
        path = self.folder / f"step-{step:09d}.safetensors"
        metadata = {"step": str(step), "is_best": json.dumps(is_best), "meta": json.dumps(dict(meta))}
        write_tensors(path, tensors, metadata=metadata)
        self._prune(step)
        return path

    def read(
        self, entry: CheckpointEntry, *, only: Container[str] | None = None
    ) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return (arrays, meta), of the arrays `only` those; RunError: damaged, or not what the file's name says."""
        tensors, metadata = read_tensors(entry.path, only=only)
        return tensors, _state_of(entry, metadata)

    def _found(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        return sorted(
            (int(match[1]), path)
            for path in self.folder.iterdir()
            if (match := _NAME.fullmatch(path.name)) and path.is_file()
        )

    def _prune(self, step: int) -> None:
        """Keep the last three up to `step` and the best of them.

        Later ones are of a past that was left when the run went on from an earlier checkpoint; they are
        dropped only now, when the first checkpoint of the new way is safe on the disk.
        """
        entries = self.entries()
        past = [entry for entry in entries if entry.step <= step]
        best = [entry for entry in past if _is_marked_best(entry.path)][-1:]
        kept = {entry.path for entry in past[-KEPT_LAST:] + best}
        for entry in entries:
            if entry.path not in kept:
                # Windows refuses while a reader has it open; the next checkpoint tries again.
                with suppress(OSError):
                    entry.path.unlink()


def _state_of(entry: CheckpointEntry, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        meta = json.loads(metadata["meta"])
        step = int(metadata["step"])
    except (KeyError, ValueError, RecursionError):
        raise RunError(f"{entry.path} is no checkpoint: its header lacks step and state; use another one.") from None
    if step != entry.step or not isinstance(meta, dict):
        raise RunError(f"{entry.path} is named step {entry.step} and holds step {step}; use another checkpoint.")
    return meta


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # dropped since it was listed
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _is_marked_best(path: Path) -> bool:
    try:
        return read_header(path).metadata.get("is_best") == "true"
    except RunError as error:
        log.debug("%s", error)  # whoever reads it is told; here it would be told at every look
        return False
