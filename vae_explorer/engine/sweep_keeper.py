"""Keeps a sweep on disk: each model's run folder by a keeper of its own, and which runs belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.run_keeper import RunKeeper
from vae_explorer.errors import RunError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LogRecord
from vae_explorer.runs.sweep_folder import SweepFolder, check_new, write_sweep
from vae_explorer.sweep_config import run_name
from vae_explorer.training.sweep_session import SweepSession


class SweepKeeper:
    """The folders of a sweep, as `RunControl` asks a `RunKeeper`; what it is told or asked is of all runs.

    path: of the sweep. keepers: of the runs, in the order of the models.
    """

    def __init__(
        self,
        sweep: SweepSession,
        data: ImageData,
        path: Path,
        *,
        on_written: Callable[[], None],
        source: SweepFolder | None = None,
    ) -> None:
        self.path = path
        self._sweep, self._source = sweep, source
        self._told_left: frozenset[str] = frozenset(() if source is None else source.left)
        self._names = [run_name(member.config.objective.beta) for member in sweep.members]
        sources: Sequence[RunFolder | None] = [None] * len(self._names) if source is None else source.runs
        self.keepers = [
            _MemberKeeper(member, data, path / name, on_written=on_written, source=of)  # type: ignore[arg-type]
            for member, name, of in zip(sweep.members, self._names, sources, strict=True)
        ]

    @property
    def folder(self) -> RunFolder | None:
        """The folder of the first run, None before the first training: they are all there, or none is."""
        return self.keepers[0].folder

    @property
    def is_saved(self) -> bool:
        """Whether ending now would lose nothing of any run."""
        return all(keeper.is_saved for keeper in self.keepers)

    @property
    def is_saving(self) -> bool:
        """Whether a checkpoint of any run is still being written."""
        return any(keeper.is_saving for keeper in self.keepers)

    def prepare(self) -> bool:
        """Make or take over all folders, locked; True when they are new. RunError, UsageError: then none is held."""
        if self.folder is not None:
            return False
        if self._source is None:
            check_new(self.path)
        elif self._source.is_read_only:
            raise RunError(f"The sweep {self.path} is read-only; copy it to a folder of your own, and go on with that.")
        else:
            self._lock_all(self._source)
        for keeper in self.keepers:
            keeper.prepare()
        if self._source is None:
            write_sweep(self.path, self._names)
        return self._source is None

    def _lock_all(self, source: SweepFolder) -> None:
        held: list[RunFolder] = []
        try:
            for run in source.runs:
                run.lock()
                held.append(run)
        except VaeExplorerError:
            for run in held:
                run.unlock()
            raise

    def add_records(self, place: int, records: list[LogRecord]) -> None:
        """Append to the log of one run. RunError when the disk refuses: they are kept and written the next time."""
        self.keepers[place].add_records(records)

    def save(self) -> None:
        """Copy the states of all and let their threads write them; first, which models were left behind."""
        if self.folder is None:
            return
        self._sweep.settle()
        left = frozenset(
            name for name, member in zip(self._names, self._sweep.members, strict=True) if member.is_diverged
        )
        if left != self._told_left:
            write_sweep(self.path, self._names, left=sorted(left))
            self._told_left = left
        for keeper in self.keepers:
            keeper.save_if_new()

    def submit(self, write: Callable[[RunFolder], None]) -> Future[None] | None:
        """Let something be written into the first run's folder."""
        return self.keepers[0].submit(write)

    def collect(self) -> list[VaeExplorerError | OSError]:
        """Return the failures of the writes that have ended since the last call."""
        return [error for keeper in self.keepers for error in keeper.collect()]

    def close(self) -> list[VaeExplorerError | OSError]:
        """Wait for all writers, give the locks back, and return the failures that were not collected yet."""
        return [error for keeper in self.keepers for error in keeper.close()]


class _MemberKeeper(RunKeeper):
    """The keeper of one run of a sweep."""

    def save_if_new(self) -> None:
        """Save, but not again what stands still since it diverged."""
        if not self.is_saved:
            self.save()

    def _check_unchanged(self, folder: RunFolder) -> None:
        """A run may have a newer checkpoint than the step that all have: after a power cut between two of a save.

        It is dropped when the sweep has gone on; another program cannot have written it, since all are locked.
        """
