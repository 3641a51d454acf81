"""An engine loop without a window: turned by its caller, with nobody looking on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from vae_explorer.engine.loop import EngineLoop
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.messages import Command, EngineFailed, EngineState, Event, Notice, Pause, RunStatus, ShutDown
from vae_explorer.engine.outbox import Outbox
from vae_explorer.errors import RunError
from vae_explorer.runs.records import MetricRecord


@dataclass(frozen=True)
class Progress:
    """How far training is. last_train, last_held_out: the newest records of the log, None before the first."""

    step: int
    target_step: int
    last_train: MetricRecord | None = None
    last_held_out: MetricRecord | None = None


class HandTurnedLoop:
    """A loop and what came out of it last. message: of the newest failure, '' before one; progress: of the model shown.

    Subclasses take what else comes by overriding `_take`.
    """

    def __init__(self, on_notice: Callable[[str], None], **options: Any) -> None:
        """options: of `EngineLoop`."""
        self._mailbox, self._outbox = Mailbox(), Outbox(on_wake=lambda: None)
        self._loop = EngineLoop(self._mailbox, self._outbox, is_watched=False, **options)
        self._on_notice = on_notice
        self._status: RunStatus | None = None
        self.message = ""
        self.progress = Progress(0, 0)

    @property
    def status(self) -> RunStatus:
        """The newest status."""
        assert self._status is not None
        return self._status

    def put(self, command: Command) -> None:
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

    def train(self, is_interrupted: Callable[[], bool] | None, on_progress: Callable[[Progress], None] | None) -> float:
        """Turn until training has ended, or is paused since is_interrupted said so; return the seconds it took."""
        started_s = time.perf_counter()
        while self.status.state is EngineState.RUNNING:
            if is_interrupted is not None and is_interrupted():
                self.put(Pause())
            else:
                self.turn()
            if on_progress is not None:
                on_progress(self.progress)
        return time.perf_counter() - started_s

    def close(self) -> None:
        """Save and end the loop. RunError when the last state could not be saved."""
        if not self._loop.is_over:
            self._loop.error = None
            self.put(ShutDown())
            if self._status is not None and not self._status.is_saved and self._status.state is not EngineState.FAILED:
                raise RunError(self.message)

    def _take(self, event: Event) -> None:
        match event:
            case RunStatus():
                self._status = event
                self.progress = replace(self.progress, step=event.step, target_step=event.target_step)
            case Notice():
                self._on_notice(event.message)
            case EngineFailed():
                self.message = event.message
