"""The way into the engine: one condition variable, commands first in first out, requests latest-wins per channel."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from vae_explorer.engine.messages import (
    SMALL_BATCH,
    CancelJob,
    Command,
    Decode,
    Encode,
    Export,
    Job,
    Message,
    Render,
    Request,
)


@dataclass(frozen=True)
class Mail:
    """Everything that was waiting at one moment."""

    commands: tuple[Command, ...] = ()
    requests: tuple[Request, ...] = ()
    jobs: tuple[Job | CancelJob, ...] = ()


class Mailbox:
    """Filled by any thread, emptied by the engine; the reader thread may take the small requests."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._commands: list[Command] = []
        self._small: dict[str, Request] = {}
        self._bulk: dict[str, Request] = {}
        self._jobs: list[Job | CancelJob] = []
        self._is_poked = False

    def put(self, message: Message) -> None:
        """Add a message and wake whoever waits; never blocks. A request replaces the waiting one of its channel."""
        with self._changed:
            match message:
                case Decode() | Encode() | Render():
                    self._small.pop(message.channel, None)
                    self._bulk.pop(message.channel, None)
                    (self._small if is_small(message) else self._bulk)[message.channel] = message
                case Export() | CancelJob():
                    self._jobs.append(message)
                case _:
                    self._commands.append(message)
            self._changed.notify_all()

    def poke(self) -> None:
        """Make the current or next `wait` and `wait_small` return although there is no mail."""
        with self._changed:
            self._is_poked = True
            self._changed.notify_all()

    def take_all(self, *, leaves_small: bool = False) -> Mail:
        """Empty the mailbox under one lock. leaves_small: leave the small requests to the reader thread."""
        with self._changed:
            requests = tuple(self._bulk.values())
            if not leaves_small:
                requests = (*self._small.values(), *requests)
                self._small = {}
            mail = Mail(tuple(self._commands), requests, tuple(self._jobs))
            self._commands, self._bulk, self._jobs = [], {}, []
            self._is_poked = False
            return mail

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until there is mail or a poke; False when the time was over first."""
        with self._changed:
            return self._changed.wait_for(self._has_anything, timeout_s)

    def take_small(self) -> tuple[Request, ...]:
        """Take the small requests only."""
        with self._changed:
            requests = tuple(self._small.values())
            self._small = {}
            return requests

    def _has_anything(self) -> bool:
        return bool(self._is_poked or self._commands or self._small or self._bulk or self._jobs)


def is_small(request: Request) -> bool:
    """Whether a request is answered at once: at most SMALL_BATCH codes or images."""
    match request:
        case Decode():
            return len(request.z) <= SMALL_BATCH
        case Encode():
            return len(request.indices) <= SMALL_BATCH
        case Render():
            return False
