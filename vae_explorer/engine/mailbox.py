"""The way into the engine: one condition variable, commands first in first out, requests latest-wins per channel."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from vae_explorer.engine.messages import SMALL_BATCH, CancelJob, Command, Decode, Encode, Job, Message, Request


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
        self._is_diverted = False
        self._is_closed = False

    def put(self, message: Message) -> None:
        """Add a message and wake whoever waits; never blocks. A request replaces the waiting one of its channel."""
        with self._changed:
            if isinstance(message, Request):
                self._small.pop(message.channel, None)
                self._bulk.pop(message.channel, None)
                (self._small if is_readers(message) else self._bulk)[message.channel] = message
            elif isinstance(message, Job | CancelJob):
                self._jobs.append(message)
            else:
                self._commands.append(message)
            self._changed.notify_all()

    def poke(self) -> None:
        """Make the engine's current or next `wait` return although there is no mail."""
        with self._changed:
            self._is_poked = True
            self._changed.notify_all()

    def take_all(self) -> Mail:
        """Empty the mailbox under one lock; small requests stay where the reader thread takes them."""
        with self._changed:
            requests = (*self._take_small(), *self._bulk.values()) if not self._is_diverted else (*self._bulk.values(),)
            mail = Mail(tuple(self._commands), requests, tuple(self._jobs))
            self._commands, self._bulk, self._jobs = [], {}, []
            self._is_poked = False
            return mail

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until there is mail for the engine, or a poke; False when the time was over first."""
        with self._changed:
            return self._changed.wait_for(self._has_mail, timeout_s)

    # ---- the reader thread's side ---------------------------------------------------------------------------------

    def divert_small(self, is_diverted: bool, /) -> None:
        """Give small requests to the reader thread (True) or to the engine."""
        with self._changed:
            self._is_diverted = is_diverted
            self._changed.notify_all()

    def wait_small(self) -> tuple[Request, ...]:
        """Block until small requests are diverted here and take them; empty once the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or (self._is_diverted and bool(self._small)))
            return () if self._is_closed else self._take_small()

    def close(self) -> None:
        """End the waiting of the reader thread; what is put from now on stays unread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    # ---- inside the lock ------------------------------------------------------------------------------------------

    def _take_small(self) -> tuple[Request, ...]:
        requests = tuple(self._small.values())
        self._small = {}
        return requests

    def _has_mail(self) -> bool:
        has_small = bool(self._small) and not self._is_diverted
        return bool(self._is_poked or self._commands or has_small or self._bulk or self._jobs)


def is_small(request: Request) -> bool:
    """Whether a request is answered at once: at most SMALL_BATCH codes or images."""
    match request:
        case Decode():
            return len(request.z) <= SMALL_BATCH
        case Encode():
            return len(request.indices) <= SMALL_BATCH
        case _:
            return False


def is_readers(request: Request) -> bool:
    """Whether the reader thread may answer: a small question to the open run, of which it has a copy."""
    return is_small(request) and isinstance(request, Decode | Encode) and request.of == "run"
