"""Training without a window: the same loop, on the caller's thread, with nobody looking on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.hand_turned import HandTurnedLoop, Progress
from vae_explorer.engine.meeting import Meeting
from vae_explorer.engine.messages import (
    EngineState,
    Event,
    NewRun,
    OpenRun,
    RecordsAdded,
    RunOpened,
    SetLive,
    Start,
)
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LogRecord, MetricRecord
from vae_explorer.training.session import TrainingSession
from vae_explorer.training.world import ALONE, World


@dataclass(frozen=True)
class TrainResult:
    """How training ended: FINISHED, PAUSED (interrupted, saved) or DIVERGED (`message` says what to try).

    best_step: of the best held-out evaluation on disk; seconds: wall-clock time of training in this call.
    """

    step: int
    state: EngineState
    run_path: Path
    last_train: MetricRecord | None
    last_held_out: MetricRecord | None
    best_step: int | None
    seconds: float
    message: str = ""


def train_headless(
    *,
    data: ImageData,
    run_path: Path,
    config: RunConfig | None = None,
    resume: bool = False,
    until_step: int | None = None,
    device: str | None = None,
    live: Mapping[Literal["learning_rate", "beta"], float] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    is_interrupted: Callable[[], bool] | None = None,
    world: World = ALONE,
) -> TrainResult:
    """Train a new run of `config`, or go on with the one at `run_path`, until `until_step` (None: its own length).

    live: values to change before the first update, each with its mark in the log at the step it begins from.
    on_progress is called every few milliseconds, in this thread; on_notice with what is worth a sentence: how the
    updates of a new run are done, and what changes on the way. Once is_interrupted says so, the run is saved and
    training ends. world: the processes that train this run together; each calls this alike, with the batch of all in
    `config`; the first writes the run, and all stop at the same step, whichever is interrupted. Raises what the loop
    ended with: UsageError, ConfigError, RunError, DataError or an unexpected one.
    """
    if resume == (config is not None):
        raise UsageError("Give either the configuration of a new run, or a run to go on with.")
    if resume and RunFolder.open(run_path).is_read_only:
        raise RunError(f"The run {run_path} is read-only; copy it to a folder of your own, and go on with that one.")
    trainer = _Trainer(device, world, is_interrupted or _never, on_notice or _ignore)
    try:
        trainer.put(OpenRun(run_path, data, run_path) if config is None else NewRun(config, data, run_path))
        if config is not None:  # of a run that is gone on with, whoever asked for that tells the same in its own words
            trainer.tell_notes()
        if world.size > 1:
            world.check_alike(trainer.description(data), what="configuration, step or set of images")
        for name, value in (live or {}).items():
            trainer.put(SetLive(name, value))
        trainer.put(Start(until_step or trainer.target_step))
        seconds = trainer.train(is_interrupted if world.size == 1 else None, on_progress)
    finally:
        trainer.close()
    return trainer.result(seconds)


def _never() -> bool:
    return False


def _ignore(sentence: str) -> None:
    pass


class _Sessions:
    """Builds the sessions of one process among several."""

    def __init__(self, world: World) -> None:
        self.new = partial(TrainingSession.new, world=world)
        self.resume = partial(TrainingSession.resume, world=world)


class _Trainer(HandTurnedLoop):
    """One run, trained by this process or by several."""

    def __init__(
        self,
        device: str | None,
        world: World,
        is_interrupted: Callable[[], bool],
        on_notice: Callable[[str], None],
    ) -> None:
        super().__init__(
            on_notice, sessions=_Sessions(world), device=device,
            meeting=Meeting(world, is_interrupted) if world.size > 1 else None,
        )  # fmt: skip
        self._world = world
        self._opened: RunOpened | None = None

    def description(self, data: ImageData) -> str:
        """Return what must be the same in every process that trains the open run."""
        assert self._opened is not None
        return json.dumps([self._opened.config.to_dict(), self._opened.step, data.digest])

    def tell_notes(self) -> None:
        """Tell how the open run came to be and how its updates are done."""
        assert self._opened is not None
        for note in self._opened.notes:
            self._on_notice(note)

    @property
    def target_step(self) -> int:
        """Where the open run ends by its configuration."""
        return self.status.target_step

    def result(self, seconds: float) -> TrainResult:
        """Sum up."""
        status, progress = self.status, self.progress
        assert status.run_path is not None
        best = []
        if self._world.is_first:
            best = [entry.step for entry in RunFolder.open(status.run_path).checkpoints() if entry.is_best]
        return TrainResult(
            step=status.step, state=status.state, run_path=status.run_path, last_train=progress.last_train,
            last_held_out=progress.last_held_out, best_step=best[0] if best else None, seconds=seconds,
            message=self.message,
        )  # fmt: skip

    def _take(self, event: Event) -> None:
        super()._take(event)
        if isinstance(event, RunOpened):
            self._opened = event
        if isinstance(event, RunOpened | RecordsAdded):  # of a run that is gone on with, the log so far
            for record in event.records:
                self._take_record(record)

    def _take_record(self, record: LogRecord) -> None:
        if not isinstance(record, MetricRecord):
            return
        if record.split == "train":
            self.progress = replace(self.progress, last_train=record)
        else:
            self.progress = replace(self.progress, last_held_out=record)
