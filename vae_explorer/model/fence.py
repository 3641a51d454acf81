"""Keeps an accelerator's queue short: calls return before their work is done, so slices could pile up there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import torch

SLICES_IN_FLIGHT = 2


class Event(Protocol):
    """A place in the accelerator's queue."""

    def record(self) -> None:
        """Mark the place after everything that was queued so far."""

    def synchronize(self) -> None:
        """Wait until the place is reached."""


class SliceFence:
    """Lets at most SLICES_IN_FLIGHT slices be under way, so that an answer waits for no more than these."""

    def __init__(self, make_event: Callable[[], Event] | None) -> None:
        self._make_event = make_event
        self._events: deque[Event] = deque()

    @classmethod
    def on(cls, device: str) -> SliceFence:
        """Return the fence of a device; on the CPU, where a call returns when it is done, it does nothing."""
        return cls(None if device == "cpu" else lambda: torch.Event(device))

    @property
    def is_needed(self) -> bool:
        """Whether calls return before their work is done."""
        return self._make_event is not None

    def pass_slice(self) -> None:
        """Mark the end of a slice, and wait for the oldest where too many are under way."""
        if self._make_event is None:
            return
        event = self._make_event()
        event.record()
        self._events.append(event)
        if len(self._events) >= SLICES_IN_FLIGHT:
            self._events.popleft().synchronize()
