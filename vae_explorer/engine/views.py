"""Live views: large questions and snapshots of the codes, worked in slices from frozen weights within a budget."""

from __future__ import annotations

from typing import Any

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import Answer, CodesSnapshot, Request
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock, TokenBucket
from vae_explorer.engine.serve import Slices, answer_slices
from vae_explorer.engine.showcase import Showcase
from vae_explorer.engine.snapshots import SAMPLE_SIZE, live_sample, snapshot_slices

SNAPSHOT_EVERY_S = 0.1
"""Shortest time between two snapshots while it trains."""


class LiveViews:
    """What one open model shows beyond small answers. All in the engine thread.

    While it trains, a token bucket holds the cost to a share of the time; paused, it works as long as there is work.
    """

    def __init__(
        self, session: Any, data: ImageData, outbox: Outbox, *, showcase: Showcase, is_watched: bool, clock: Clock
    ) -> None:
        self._session, self._data, self._outbox, self._clock = session, data, outbox, clock
        self._showcase, self._is_watched = showcase, is_watched
        self._bucket = TokenBucket(clock=clock)
        self._waiting: dict[str, Request] = {}
        self._question: Slices[Answer] | None = None
        self._snapshot: Slices[CodesSnapshot] | None = None
        self._is_snapshot_next = True
        self._sample = live_sample(len(data))
        self._next_s = 0.0
        self._frozen: Any = None
        self._snapshot_model: Any = None
        self._is_snapshot_large = False
        self.latest: CodesSnapshot | None = None
        """The newest finished snapshot."""

    @property
    def frozen(self) -> Any:
        """The session's frozen model, copied once a step."""
        if self._frozen is None or self._frozen.step != self._session.step:
            self._frozen = self._session.frozen()
        return self._frozen

    def ask(self, request: Request) -> None:
        """Queue a large question; the newest of its channel is worked, after the one that is under way."""
        self._waiting.pop(request.channel, None)
        self._waiting[request.channel] = request

    def has_work(self, *, is_running: bool) -> bool:
        """Whether `work` would do something (running: if the budget allows)."""
        return bool(self._question or self._waiting or self._snapshot) or self._is_snapshot_due(is_running=is_running)

    def work(self, *, is_running: bool) -> None:
        """Do slices for about SLICE_S, or until the budget is used up."""
        start = self._clock()
        while self.has_work(is_running=is_running) and (not is_running or self._bucket.is_open):
            before = self._clock()
            self._work_slice(is_running=is_running)
            now = self._clock()
            if is_running:
                self._bucket.spend(now - before)
            if now - start >= SLICE_S:
                break

    def _work_slice(self, *, is_running: bool) -> None:
        """Advance the question or the snapshot by one slice, in turns when there is work for both."""
        has_question = bool(self._question or self._waiting)
        has_snapshot = bool(self._snapshot) or self._is_snapshot_due(is_running=is_running)
        if has_snapshot and (self._is_snapshot_next or not has_question):
            self._is_snapshot_next = False
            self._work_snapshot(is_running=is_running)
        else:
            self._is_snapshot_next = True
            self._work_question()

    def _work_question(self) -> None:
        if self._question is None:
            channel = next(iter(self._waiting))
            self._question = answer_slices(self._waiting.pop(channel), self.frozen, self._data)
        try:
            next(self._question)
        except StopIteration as end:
            self._question = None
            self._outbox.put(end.value)

    def _work_snapshot(self, *, is_running: bool) -> None:
        if is_running and self._is_snapshot_large:
            self._snapshot, self._is_snapshot_large = None, False
        if self._snapshot is None:
            self._snapshot = self._begin_snapshot(is_running=is_running)
            self._next_s = self._clock() + SNAPSHOT_EVERY_S
        try:
            next(self._snapshot)
        except StopIteration as end:
            self._snapshot = None
            self.latest = end.value
            self._outbox.put(end.value)
            self._showcase.add(end.value, self._snapshot_model, is_running=is_running)

    def _begin_snapshot(self, *, is_running: bool) -> Slices[CodesSnapshot]:
        takes_all = len(self._data) <= SAMPLE_SIZE or (not is_running and self._is_latest_current)
        indices = self._data.indices("all") if takes_all else self._sample
        self._is_snapshot_large = len(indices) > len(self._sample)
        self._snapshot_model = self.frozen
        return snapshot_slices(self._snapshot_model, indices, is_complete=takes_all)

    @property
    def _is_latest_current(self) -> bool:
        return self.latest is not None and self.latest.step == self._session.step

    def _is_snapshot_due(self, *, is_running: bool) -> bool:
        if self._is_latest_current and (is_running or (self.latest is not None and self.latest.is_complete)):
            return False
        if not self._is_watched:
            return is_running and self._showcase.wants_frame(self._session.step)
        return not is_running or self._clock() >= self._next_s
