"""Keeps one open run on disk: its folder is made when training first starts, its checkpoints leave the hot path."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import RunError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LogRecord
from vae_explorer.training.session import TrainingSession


@dataclass(frozen=True)
class _State:
    """A session's state copied out at one step."""

    step: int
    tensors: dict[str, Any]
    meta: dict[str, Any]
    is_best: bool


class RunKeeper:
    """The run folder of one session. All calls come from the engine thread; files are written by one thread beside it.

    path: where the run is, or will be once it is trained. source: the folder that was opened, None for a new run.
    on_written: called in the writer's thread when a write has ended, well or not.
    """

    def __init__(
        self,
        session: TrainingSession,
        data: ImageData,
        path: Path,
        *,
        on_written: Callable[[], None],
        source: RunFolder | None = None,
    ) -> None:
        self._session, self._data = session, data
        self._source, self._target = source, path
        self._on_written = on_written
        self._folder: RunFolder | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vae-explorer writer")
        self._writing: list[Future[None]] = []
        self._saving: Future[None] | None = None
        self._best: _State | None = None
        self._best_step = _best_step_of(source)
        self._unwritten: list[LogRecord] = []
        self._saved_step = session.step
        self._is_dirty = False
        self.written_step: int | None = None if source is None else session.step
        """Step of the newest checkpoint that is safe on disk, None where there is none."""

    @property
    def path(self) -> Path:
        """The folder that the run is shown as: the opened one until a fork or a first training takes it elsewhere."""
        if self._folder is not None:
            return self._folder.path
        return self._target if self._source is None else self._source.path

    @property
    def folder(self) -> RunFolder | None:
        """The folder that is being written, None before the first training."""
        return self._folder

    @property
    def best_step(self) -> int | None:
        """Step of the best held-out evaluation that was saved, None where there is none."""
        return self._best_step

    @property
    def is_saved(self) -> bool:
        """Whether ending now would lose nothing: no step and no mark since the newest checkpoint on disk."""
        if self._folder is None:
            return not self._is_dirty
        return (
            self._saved_step == self._session.step == self.written_step and not self._is_dirty and not self._unwritten
        )

    @property
    def is_saving(self) -> bool:
        """Whether a checkpoint is still being written."""
        return self._saving is not None and not self._saving.done()

    def note_newer(self) -> None:
        """Take note that the session went on to a newer checkpoint of the opened folder, written elsewhere."""
        self._saved_step = self.written_step = self._session.step
        self._best_step = _best_step_of(self._source)

    # ---- before training ------------------------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Make sure that there is a folder to train into, locked; True when that made a new one. RunError, UsageError.

        A new run gets its folder, a read-only one is forked, an opened one is taken over: what its log has beyond
        the checkpoint is dropped.
        """
        if self._folder is not None:
            return False
        if self._source is None or self._source.is_read_only:
            self._folder = self._create()
            self._session.run_name = self._folder.name
            if self._source is None:
                self.save()
        else:
            self._source.lock()
            self._check_unchanged(self._source)
            self._folder = self._source
            self._folder.truncate_records(self._session.step)
        self._flush_records()
        return self._folder is not self._source

    def _create(self) -> RunFolder:
        source = self._source
        folder = RunFolder.create(
            self._target,
            config=self._session.config,
            data=self._data,
            device=self._session.device,
            parent=None if source is None else source.name,
        )
        folder.lock()
        if source is not None:
            self._copy_history(source, folder)
        return folder

    def _copy_history(self, source: RunFolder, folder: RunFolder) -> None:
        for record in source.iter_records(up_to_step=self._session.step):
            folder.append(record)
        for entry in source.checkpoints():
            if entry.step <= self._session.step:
                folder.write_checkpoint(entry.step, *source.read_checkpoint(entry), is_best=entry.is_best)
        for step in source.timeline_steps():
            frame = source.read_timeline(step)
            folder.add_timeline(step, frame.loc, weights=frame.weights, indices=frame.indices)

    def _check_unchanged(self, folder: RunFolder) -> None:
        newest = folder.find_sound_checkpoint()[0].step
        if newest > self._session.step:
            folder.unlock()
            raise RunError(
                f"The run {folder.name} was trained on to step {newest} by another program since it was opened here "
                f"at step {self._session.step}; open it again."
            )

    # ---- while training -------------------------------------------------------------------------------------------

    def add_records(self, records: list[LogRecord]) -> None:
        """Append to the metrics log; held back while there is no folder. RunError when the disk refuses: they are kept
        and written first the next time."""
        self._unwritten.extend(records)
        self._is_dirty = self._is_dirty or bool(records)
        self._flush_records()

    def _flush_records(self) -> None:
        while self._folder is not None and self._unwritten:
            self._folder.append(self._unwritten[0])
            self._unwritten.pop(0)

    def save(self) -> None:
        """Copy the state and let the writer thread write it, before it the best one if that is not on disk yet.

        The best is always of a later step than what is on disk, so that checkpoints are written in order.
        """
        if self._folder is None:
            return
        self._flush_records()
        self._best = self._take_best() or self._best
        states = [self._best] if self._best is not None and self._best.step != self._session.step else []
        states.append(self._take_state())
        self._saved_step, self._is_dirty = self._session.step, False
        self._saving = self.submit(lambda folder: self._write_states(folder, states))

    def submit(self, write: Callable[[RunFolder], None]) -> Future[None] | None:
        """Let the writer thread write something into the folder, if there is one; failures come out of `collect`."""
        if self._folder is None:
            return None
        future = self._writer.submit(write, self._folder)
        self._writing.append(future)
        future.add_done_callback(lambda _: self._on_written())
        return future

    def collect(self) -> list[VaeExplorerError | OSError]:
        """Return the failures of the writes that have ended since the last call."""
        ended = [future for future in self._writing if future.done()]
        self._writing = [future for future in self._writing if not future.done()]
        failures = [future.exception() for future in ended]
        return [error for error in failures if isinstance(error, VaeExplorerError | OSError)]

    def close(self) -> list[VaeExplorerError | OSError]:
        """Wait for the writer, give the lock back, and return the failures that were not collected yet."""
        self._writer.shutdown(wait=True)
        failures = self.collect()
        if self._folder is not None:
            self._folder.unlock()
        return failures

    def _take_best(self) -> _State | None:
        best = self._session.take_best()
        if best is None:
            return None
        tensors, meta = best
        self._best_step = int(meta["step"])
        return _State(self._best_step, tensors, meta, is_best=True)

    def _take_state(self) -> _State:
        tensors, meta = self._session.state()
        return _State(self._session.step, tensors, meta, is_best=self._session.step == self._best_step)

    def _write_states(self, folder: RunFolder, states: list[_State]) -> None:
        for state in states:
            folder.write_checkpoint(state.step, state.tensors, state.meta, is_best=state.is_best)
        if self._best is not None and self._best.step <= states[-1].step:
            self._best = None
        self.written_step = states[-1].step


def _best_step_of(source: RunFolder | None) -> int | None:
    best = [] if source is None else [entry.step for entry in source.checkpoints() if entry.is_best]
    return best[0] if best else None
