"""Training without a window: the same loop, on the caller's thread, with nobody looking on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.loop import EngineLoop
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.meeting import Meeting
from vae_explorer.engine.messages import (
    EngineFailed,
    EngineState,
    Event,
    NewRun,
    Notice,
    OpenRun,
    Pause,
    RecordsAdded,
    RunOpened,
    RunStatus,
    SetLive,
    ShutDown,
    Start,
)
from vae_explorer.engine.outbox import Outbox
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LogRecord, MetricRecord
from vae_explorer.training.session import TrainingSession
from vae_explorer.training.world import ALONE, World


@dataclass(frozen=True)
class Progress:
    """How far training is. last_train, last_held_out: the newest records of the log, None before the first."""

    step: int
    target_step: int
    last_train: MetricRecord | None = None
    last_held_out: MetricRecord | None = None


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
        started_s = time.perf_counter()
        while trainer.status.state is EngineState.RUNNING:
            if world.size == 1 and is_interrupted is not None and is_interrupted():
                trainer.put(Pause())
            else:
                trainer.turn()
            if on_progress is not None:
                on_progress(trainer.progress)
        seconds = time.perf_counter() - started_s
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


class _Trainer:
    """A loop that is turned by hand, and what came out of it last."""

    def __init__(
        self,
        device: str | None,
        world: World,
        is_interrupted: Callable[[], bool],
        on_notice: Callable[[str], None],
    ) -> None:
        self._mailbox, self._outbox = Mailbox(), Outbox(on_wake=lambda: None)
        self._world, self._on_notice = world, on_notice
        self._loop = EngineLoop(
            self._mailbox, self._outbox, sessions=_Sessions(world), device=device, is_watched=False,
            meeting=Meeting(world, is_interrupted) if world.size > 1 else None,
        )  # fmt: skip
        self._opened: RunOpened | None = None
        self._message = ""
        self._status: RunStatus | None = None
        self.progress = Progress(0, 0)

    @property
    def status(self) -> RunStatus:
        """The newest status."""
        assert self._status is not None
        return self._status

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

    def put(self, command: NewRun | OpenRun | SetLive | Start | Pause | ShutDown) -> None:
        """Send a command and do the turn that applies it."""
        self._mailbox.put(command)
        self.turn()

    def turn(self) -> None:
        """Do one turn; raises what it failed with."""
        self._loop.turn()
        for event in self._outbox.take_all():
            self._take(event)
        if self._loop.error is not None:
            raise self._loop.error

    def close(self) -> None:
        """Save and end the loop. RunError when the last state could not be saved."""
        if not self._loop.is_over:
            self._loop.error = None
            self.put(ShutDown())
            if self._status is not None and not self._status.is_saved and self._status.state is not EngineState.FAILED:
                raise RunError(self._message)

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
            message=self._message,
        )  # fmt: skip

    def _take(self, event: Event) -> None:
        if isinstance(event, RunOpened):
            self._opened = event
        match event:
            case RunStatus():
                self._status = event
                self.progress = replace(self.progress, step=event.step, target_step=event.target_step)
            case RunOpened() | RecordsAdded():  # of a run that is gone on with, the log so far
                for record in event.records:
                    self._take_record(record)
            case Notice():
                self._on_notice(event.message)
            case EngineFailed():
                self._message = event.message

    def _take_record(self, record: LogRecord) -> None:
        if not isinstance(record, MetricRecord):
            return
        if record.split == "train":
            self.progress = replace(self.progress, last_train=record)
        else:
            self.progress = replace(self.progress, last_held_out=record)
