"""`RunFolder`: one run on disk, its configuration, metrics log, checkpoints, stored view and timeline."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer import resource_files
from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import is_path
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import RunError, UsageError, VaeExplorerError
from vae_explorer.runs.checkpoints import CheckpointEntry, CheckpointStore
from vae_explorer.runs.lock import LockHolder, RunLock
from vae_explorer.runs.log_tail import LogTail
from vae_explorer.runs.manifest import FORMAT_VERSION, Manifest, program_versions, read_manifest, write_manifest
from vae_explorer.runs.metrics_log import MetricsLog
from vae_explorer.runs.records import LogRecord
from vae_explorer.runs.tensor_file import AnyArray
from vae_explorer.runs.timeline import Timeline, TimelineFrame
from vae_explorer.runs.view import StoredView, read_view, write_view


class RunFolder:
    """One run on disk. `create` begins one, `open` reads one; whoever writes takes the lock first.

    path: absolute; name: the folder's name; config, data_digest, data_title, device, created, versions, parent: as
    run.toml says; is_read_only: below the program's resources, or where this user may not write.
    Every method that writes raises RunError in one sentence when the run is read-only or the disk refuses.
    """

    def __init__(self, path: Path, manifest: Manifest, config: RunConfig) -> None:
        self.path = path
        self.name = path.name
        self.config = config
        self.data_digest = manifest.data_digest
        self.data_title = manifest.data_title
        self.device = manifest.device
        self.created = manifest.created
        self.versions = dict(manifest.versions)
        self.parent = manifest.parent
        self.is_read_only = _is_read_only(path)
        self._log = MetricsLog(path / "metrics.jsonl")
        self._checkpoints = CheckpointStore(path / "checkpoints")
        self._timeline = Timeline(path / "timeline")
        self._lock = RunLock(path)

    @property
    def seed(self) -> int:
        """The seed of weights, batches and noise."""
        return self.config.train.seed

    @classmethod
    def create(
        cls, path: Path | str, *, config: RunConfig, data: ImageData, device: str, parent: str | None = None
    ) -> RunFolder:
        """Begin a run in a new or empty folder; UsageError when it is not empty, RunError when the disk refuses.

        A data set given by a path is noted by its absolute path, so that the run can be repeated from anywhere.
        """
        folder = Path(path).expanduser().absolute()
        config = _with_absolute_data_path(config)
        manifest = Manifest(
            format=FORMAT_VERSION,
            created=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
            device=device,
            data_digest=data.digest,
            data_title=data.provenance.title,
            parent=parent,
            versions=program_versions(),
            config=config.to_dict(),
        )
        try:
            if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
                raise UsageError(f"{folder} exists and is not empty; name a new folder, or resume it if it is a run.")
            folder.mkdir(parents=True, exist_ok=True)
            write_manifest(folder, manifest)
        except OSError as error:
            raise RunError(f"The run {folder} cannot be created ({error.strerror}); name another folder.") from None
        return cls(folder, manifest, config)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Read a run's description; RunError when there is no run, or one that this program cannot read."""
        folder = Path(path).expanduser().absolute()
        return cls(folder, *read_manifest(folder))

    def check_data(self, data: ImageData) -> None:
        """RunError unless `data` are the images that the run was trained on."""
        if data.digest != self.data_digest:
            raise RunError(
                f"The run {self.name} was trained on {self.data_title} (digest {self.data_digest[:12]}), the images "
                f"given are {data.provenance.title} (digest {data.digest[:12]}); give the ones it was trained on."
            )

    # ---- metrics log ------------------------------------------------------------------------------------------------

    def append(self, record: LogRecord) -> None:
        """Add a record to the metrics log."""
        with self._writing("metrics log"):
            self._log.append(record)

    def iter_records(self, *, up_to_step: int | None = None) -> Iterator[LogRecord]:
        """Yield records in order, one line in memory at a time; a torn last line is left out."""
        return self._log.records(up_to_step=up_to_step)

    def read_records(self, up_to_step: int | None = None) -> list[LogRecord]:
        """Return the records up to and with a step, in order; a torn last line is left out."""
        return list(self.iter_records(up_to_step=up_to_step))

    def log_tail(self) -> LogTail:
        """Return a reader of the metrics log, from its beginning, that goes on where it ended."""
        return LogTail(self._log.path)

    def truncate_records(self, after_step: int) -> None:
        """Drop the records of steps after `after_step`, atomically: the run goes on from a checkpoint there."""
        with self._writing("metrics log"):
            self._log.truncate(after_step)

    # ---- checkpoints ------------------------------------------------------------------------------------------------

    def checkpoints(self) -> list[CheckpointEntry]:
        """Return all checkpoints by step."""
        return self._checkpoints.entries()

    def find_checkpoint(self, which: str | int = "last") -> CheckpointEntry:
        """Return 'last', 'best' or the one of a step; UsageError names those there are, RunError: none at all."""
        return self._checkpoints.find(which)

    def find_sound_checkpoint(self) -> tuple[CheckpointEntry, str | None]:
        """Return the newest checkpoint that is not damaged, and a sentence if that is not the last; RunError: none."""
        return self._checkpoints.find_sound()

    def checkpoint_marks(self) -> dict[int, tuple[int, int]]:
        """Return what tells by step whether a checkpoint is still the same: its size and its time."""
        return self._checkpoints.marks()

    def write_checkpoint(
        self, step: int, tensors: Mapping[str, AnyArray], meta: Mapping[str, Any], *, is_best: bool = False
    ) -> Path:
        """Write a checkpoint that a power cut cannot lose, then keep the last three and the best.

        meta: plain values that JSON can hold. Checkpoints of later steps, left by going on from an earlier one, go.
        """
        with self._writing("checkpoint"):
            self._log.sync()
            return self._checkpoints.write(step, tensors, meta, is_best=is_best)

    def read_checkpoint(
        self, entry: CheckpointEntry, *, only: Container[str] | None = None
    ) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return (arrays, meta) of a checkpoint, of the arrays `only` those named; RunError when it is damaged."""
        return self._checkpoints.read(entry, only=only)

    # ---- lock -------------------------------------------------------------------------------------------------------

    def lock(self) -> RunLock:
        """Become the one writer; use it with `with`, or end it by `unlock`. RunError names who holds it."""
        with self._writing("lock"):
            return self._lock.acquire()

    def unlock(self) -> None:
        """Give the lock back; a no-op when it is not held."""
        self._lock.release()

    def writer(self) -> LockHolder | None:
        """Return who else writes into the run now, None where nobody does."""
        return self._lock.writer()

    # ---- view and timeline ------------------------------------------------------------------------------------------

    def write_view(self, view: StoredView) -> None:
        """Replace the stored view."""
        with self._writing("view"):
            write_view(self.path, view)

    def read_view(self) -> StoredView | None:
        """Return the stored view, None when there is none; RunError when it is damaged."""
        return read_view(self.path)

    def add_timeline(
        self,
        step: int,
        loc: AnyArray,
        *,
        weights: Mapping[str, AnyArray] | None = None,
        indices: NDArray[np.int64] | None = None,
    ) -> None:
        """Add a frame, codes (n, d) of the fixed sample kept as float16, and thin the older frames."""
        with self._writing("timeline"):
            self._timeline.add(step, loc, weights=weights, indices=indices)

    def timeline_steps(self) -> list[int]:
        """Return the steps of the timeline's code frames, ascending."""
        return self._timeline.steps()

    def timeline_weight_steps(self) -> list[int]:
        """Return the steps of the timeline's frames that have weights too, ascending."""
        return self._timeline.weight_steps()

    def read_timeline(self, step: int) -> TimelineFrame:
        """Return a frame; RunError when there is none of this step."""
        return self._timeline.read(step)

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        if self.is_read_only:
            raise RunError(
                f"The run {self.path} is read-only, its {what} cannot be written; train it into a new folder."
            )
        try:
            yield
        except VaeExplorerError:
            raise
        except OSError as error:
            raise RunError(
                f"The {what} of the run {self.path} cannot be written ({error.strerror or error}); "
                "make room or mend the folder, then save again."
            ) from None


def _with_absolute_data_path(config: RunConfig) -> RunConfig:
    name = config.data.name
    return config.with_values({"data.name": str(Path(name).expanduser().absolute())}) if is_path(name) else config


def _is_read_only(path: Path) -> bool:
    try:
        is_ours = path.resolve().is_relative_to(resource_files.resources_dir().resolve())
    except VaeExplorerError:
        is_ours = False
    return is_ours or not os.access(path, os.W_OK | os.X_OK)
