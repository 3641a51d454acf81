"""`ComingRuns`: the runs that the engine was asked to open and has not opened yet, with their images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData


@dataclass
class ComingRun:
    """One such run; has_failed: opening it went wrong, or may have."""

    path: Path
    config: RunConfig
    data: ImageData
    has_failed: bool = False


class ComingRuns:
    """First in, first out, as the engine works them."""

    def __init__(self) -> None:
        self._runs: list[ComingRun] = []

    @property
    def newest(self) -> ComingRun | None:
        """The run that will be open in the end, or None when the open one stays."""
        return self._runs[-1] if self._runs and not self._runs[-1].has_failed else None

    def add(self, path: Path, config: RunConfig, data: ImageData) -> None:
        """Expect a run."""
        self._runs.append(ComingRun(path, config, data))

    def fail_oldest(self) -> None:
        """Wait no longer for the run that was asked for first; its images are kept, should it open all the same."""
        for run in self._runs:
            if not run.has_failed:
                run.has_failed = True
                break

    def take(self, path: Path) -> ComingRun | None:
        """Return what was asked for as the run that has opened; what was asked for before will not come any more."""
        places = [place for place, run in enumerate(self._runs) if run.path == path]
        if not places:
            return None
        run = self._runs[places[-1]]
        del self._runs[: places[-1] + 1]
        return run
