"""The reader thread: where one step takes long, it answers small questions from an immutable copy of the weights."""

from __future__ import annotations

import threading
from typing import Any

import torch

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.serve import answer

REFRESH_S = 0.045
"""While questions come the copy is refreshed between steps, at most this often: no screen shows more."""
UNASKED_REFRESH_S = 0.5
"""While none come, this often: every copy takes a millisecond, and the weights' place in the processor's cache."""


class Reader:
    """Takes small requests from the mailbox while they are diverted. Its copy is replaced whole, never written to."""

    def __init__(self, mailbox: Mailbox, outbox: Outbox) -> None:
        self._mailbox, self._outbox = mailbox, outbox
        self._thread: threading.Thread | None = None
        self._is_ready = threading.Event()
        self._source: tuple[Any, ImageData] | None = None
        self._turned_on_s = 0.0
        self._was_asked = False
        self.is_on = False
        """Whether small requests are left to the reader."""

    def begin(self) -> None:
        """Start the thread, with the priority of the caller's, unless it runs; it waits until it is turned on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vae-explorer reader", daemon=True)
            self._start()

    def is_due(self, now_s: float) -> bool:
        """Whether another copy is worth its time: there is none, or the newest is old for what is asked of it."""
        age_s = now_s - self._turned_on_s
        return not self.is_on or age_s >= (REFRESH_S if self._was_asked else UNASKED_REFRESH_S)

    def turn_on(self, model: Any, data: ImageData, *, now_s: float) -> None:
        """Answer from `model`, a frozen copy, from now on; starts the thread when it is first needed."""
        self._source = (model, data)
        self._turned_on_s, self._was_asked = now_s, False
        self.begin()
        if not self.is_on:
            self.is_on = True
            self._mailbox.divert_small(True)

    def turn_off(self) -> None:
        """Leave small requests to the engine again; one under way is still answered from its copy."""
        if self.is_on:
            self.is_on = False
            self._mailbox.divert_small(False)

    def close(self) -> None:
        """End the thread and wait for it; the mailbox is closed before."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        """Start the thread and put torch's thread count back.

        The count is one a thread where the work is done, and one for threads to come: the reader sets both to 1, and
        the engine sets them back, so that its own sums are split as ever and end in the same bits.
        """
        assert self._thread is not None
        count = torch.get_num_threads()
        self._thread.start()
        self._is_ready.wait()
        torch.set_num_threads(count)

    def _run(self) -> None:
        # A thread's first look takes over the shared count; only after that its own setting stays.
        torch.get_num_threads()
        torch.set_num_threads(1)
        self._is_ready.set()
        while requests := self._mailbox.wait_small():
            for request in requests:
                assert self._source is not None
                self._was_asked = True
                self._outbox.put(answer(request, *self._source))
