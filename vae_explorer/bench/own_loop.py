"""Steps a second of `vae-explorer train`: the loop that the command line has, run folder, records and all."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from vae_explorer.bench.task import task_config
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.hand_turned import Progress
from vae_explorer.engine.headless import train_headless

WARM_UP = 100
"""Steps before the clock starts; what is captured or compiled is captured by then."""


class OwnLoop:
    """Trains a new run of the task on `data` in a folder that is thrown away."""

    def __init__(self, data: ImageData, device: str, **changes: object) -> None:
        self._data = data
        self._config = task_config(device, **changes)

    def steps_per_s(self, seconds: float) -> float:
        """Train for about `seconds` and return updates a second."""
        clock = _Clock(seconds)
        with TemporaryDirectory() as folder:
            train_headless(
                data=self._data, run_path=Path(folder) / "run", config=self._config, on_progress=clock.on_progress,
                is_interrupted=clock.is_over,
            )  # fmt: skip
        return clock.steps_per_s


class _Clock:
    """Notes when the warm-up ends, and ends the training some seconds later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)

    def on_progress(self, progress: Progress) -> None:
        """Note when a step is told of: some times a second, however often this is called."""
        if progress.step == self._last[0] or self.is_over():
            return
        self._last = progress.step, time.perf_counter()
        if self._first is None and progress.step >= WARM_UP:
            self._first = self._last

    def is_over(self) -> bool:
        """Whether enough was seen."""
        return self._first is not None and self._last[1] - self._first[1] >= self._seconds

    @property
    def steps_per_s(self) -> float:
        """Updates a second between the warm-up and the end."""
        assert self._first is not None
        return (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])
