"""Long questions under way: the newest of each channel, a slice each in turns, so that none waits for another."""

from __future__ import annotations

from collections.abc import Callable

from vae_explorer.engine.messages import Answer, Decode, Encode, Render, Request
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.slices import Slices

Begin = Callable[[Request], Slices[Answer]]
"""Begins to work a question, from the weights of that moment."""


class Questions:
    """Long questions to one model. All calls come from the engine.

    A channel that asks anew waits for its pictures (under a drag each question would otherwise end the one before, and
    none be answered); any other work is dropped at once, so that a new click is not behind an old fine look.
    """

    def __init__(self, outbox: Outbox, begin: Begin) -> None:
        self._outbox, self._begin = outbox, begin
        self._waiting: dict[str, Request] = {}
        self._under_way: dict[str, tuple[Request, Slices[Answer]]] = {}

    @property
    def has_work(self) -> bool:
        """Whether a question waits or is under way."""
        return bool(self._waiting or self._under_way)

    def ask(self, request: Request) -> None:
        """Queue a question in the place of the one of its channel that waits."""
        channel = request.channel
        self._waiting.pop(channel, None)
        self._waiting[channel] = request
        if channel in self._under_way and not isinstance(self._under_way[channel][0], Decode | Encode | Render):
            self._under_way.pop(channel)[1].close()

    def work_slice(self) -> None:
        """Advance the question whose turn it is by one slice."""
        for channel in [channel for channel in self._waiting if channel not in self._under_way]:
            request = self._waiting.pop(channel)
            self._under_way[channel] = (request, self._begin(request))
        channel = next(iter(self._under_way))
        request, slices = self._under_way.pop(channel)
        try:
            next(slices)
        except StopIteration as end:
            self._outbox.put(end.value)
        else:
            self._under_way[channel] = (request, slices)  # behind the others
