"""The way out of the engine: metrics concatenate, snapshots and answers keep the newest, nothing else is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from vae_explorer.engine.messages import (
    Answer,
    CodesSnapshot,
    EngineState,
    Event,
    JobProgress,
    RecordsAdded,
    RunOpened,
    RunStatus,
    SweepOpened,
    SweepRecordsAdded,
    SweepSnapshot,
)


class Outbox:
    """Filled by the engine's threads, emptied by the window; events leave in the order of their newest part.

    on_wake is called, outside the lock and in the thread that puts, when the outbox goes from empty to non-empty.
    """

    def __init__(self, on_wake: Callable[[], None]) -> None:
        self._on_wake = on_wake
        self._lock = threading.Lock()
        self._events: dict[Hashable, Event] = {}
        self._serial = 0
        self._epoch = self._sweep_epoch = 0
        self._last_state: EngineState | None = None
        self._state_serial = 0

    def put(self, event: Event) -> None:
        """Add an event, replacing or extending the waiting one that it supersedes."""
        with self._lock:
            was_empty = not self._events
            self._serial += 1
            key = self._key(event)
            earlier = self._events.pop(key, None)
            if isinstance(earlier, RecordsAdded) and isinstance(event, RecordsAdded):
                event = RecordsAdded(earlier.records + event.records)
            elif isinstance(earlier, SweepRecordsAdded) and isinstance(event, SweepRecordsAdded):
                event = SweepRecordsAdded(earlier.records + event.records)
            self._events[key] = event
        if was_empty:
            self._on_wake()

    def take_all(self) -> tuple[Event, ...]:
        """Empty the outbox; oldest first."""
        with self._lock:
            events = tuple(self._events.values())
            self._events = {}
            return events

    def _key(self, event: Event) -> Hashable:
        """Two events with the same key: the newer replaces the older. Nothing crosses the opening of a run."""
        if isinstance(event, Answer):
            return self._epoch, "answer", event.channel
        match event:
            case SweepOpened():
                self._sweep_epoch = self._serial
                return self._serial
            case RunOpened():
                self._epoch = self._serial
                self._last_state = None
                return self._serial
            case CodesSnapshot():
                return self._epoch, "codes", event.of
            case RecordsAdded():
                return self._epoch, "records"
            case SweepRecordsAdded():
                return self._sweep_epoch, "sweep records"
            case SweepSnapshot():
                return self._sweep_epoch, "sweep codes"
            case JobProgress():
                return "job", event.job
            case RunStatus():
                return self._status_key(event)
            case _:
                return self._serial

    def _status_key(self, status: RunStatus) -> Hashable:
        """A status replaces the one before it while the state is the same; changes of state are all kept."""
        if status.state is not self._last_state:
            self._last_state = status.state
            self._state_serial = self._serial
        return "status", self._state_serial
