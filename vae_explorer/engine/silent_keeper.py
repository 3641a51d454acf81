"""The keeper of a process that trains along: the first process writes the run folder, the others write nothing."""

from __future__ import annotations

from vae_explorer.engine.run_keeper import RunKeeper
from vae_explorer.runs.records import LogRecord


class SilentKeeper(RunKeeper):
    """Has no folder, and nothing to save."""

    @property
    def is_saved(self) -> bool:
        """The first process sees to it."""
        return True

    def prepare(self) -> bool:
        """Make no folder."""
        return False

    def add_records(self, records: list[LogRecord]) -> None:
        """Leave them out: they are those of the first process."""

    def save(self) -> None:
        """Write nothing."""
