"""Live views: large questions and snapshots of the codes, worked in slices from frozen weights within a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.asking import Questions
from vae_explorer.engine.messages import Answer, CodesSnapshot, Decode, Encode, Render, Request, Which
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, THEORY_LIMIT_S, THEORY_SHARE, Clock, TokenBucket
from vae_explorer.engine.questions import Lattice
from vae_explorer.engine.serve import answer_slices
from vae_explorer.engine.showcase import Showcase
from vae_explorer.engine.slices import Slices
from vae_explorer.engine.snapshots import LiveSample, snapshot_slices

SNAPSHOT_EVERY_S = 0.2
"""Shortest time between two snapshots while it trains: each has the map, the plane behind it and all that follows the
selected image drawn anew, in the window's time."""


class LiveViews:
    """What one open model shows beyond small answers. All in the engine thread.

    While it trains, token buckets hold the cost to shares of the time: one for snapshots and pictures, one for
    questions of the theory, so that neither waits for the other; paused, it works as long as there is work.
    of: whose model this is. showcase: what keeps snapshots for the next look at the run, where something does.
    on_snapshot: is told the frozen model of each snapshot before that is made.
    """

    def __init__(
        self,
        session: Any,
        data: ImageData,
        outbox: Outbox,
        *,
        showcase: Showcase | None,
        is_watched: bool,
        clock: Clock,
        of: Which = "run",
        on_snapshot: Callable[[Any], None] = lambda model: None,
    ) -> None:
        self._session, self._data, self._outbox, self._clock = session, data, outbox, clock
        self._showcase, self._is_watched, self._of = showcase, is_watched, of
        self._on_snapshot = on_snapshot
        self._bucket = TokenBucket()
        self._theory_bucket = TokenBucket(share=THEORY_SHARE, limit_s=THEORY_LIMIT_S)
        self._pictures = Questions(outbox, self._begin_question)
        self._theory = Questions(outbox, self._begin_question)
        self._is_theory_next = self._is_live = False
        self._snapshot: Slices[CodesSnapshot] | None = None
        self._is_snapshot_next = True
        self._sample = LiveSample(len(data), labelled=session.labelled)
        self._next_s = 0.0
        self._snapshot_s = 0.0
        self._lattice: Lattice | None = None
        self._snapshot_model: Any = None
        self._is_snapshot_large = False
        self.latest: CodesSnapshot | None = None
        """The newest finished snapshot."""

    @property
    def frozen(self) -> Any:
        """The session's frozen model, copied once a step."""
        return self._newest_lattice.model

    @property
    def _newest_lattice(self) -> Lattice:
        """The frozen model with what was decoded of it for exact posteriors; that of a step before is let go."""
        if self._lattice is None or self._lattice.model.step != self._session.step:
            self._lattice = Lattice(self._session.frozen())
        return self._lattice

    @property
    def sample(self) -> NDArray[np.int64]:
        """The images that are shown while it trains."""
        return self._sample.indices

    def ask(self, request: Request) -> None:
        """Queue a long question, in the place of the one of its channel that waits."""
        questions = self._pictures if isinstance(request, Decode | Encode | Render) else self._theory
        questions.ask(request)

    def has_work(self, *, is_running: bool) -> bool:
        """Whether `work` would do something (running: if the budget allows)."""
        return self._theory.has_work or self._has_views_work(is_running=is_running)

    def earn(self, trained_s: float) -> None:
        """Take a share of what a slice of training took as the budget of live views."""
        self._bucket.earn(trained_s)
        self._theory_bucket.earn(trained_s)

    def work(self, *, is_running: bool, slice_s: float = SLICE_S) -> None:
        """Do slices for about `slice_s`, or until the budgets are used up."""
        self._is_live = is_running
        start = self._clock()
        while True:
            has_theory = self._theory.has_work and (not is_running or self._theory_bucket.is_open)
            has_views = self._has_views_work(is_running=is_running) and (not is_running or self._bucket.is_open)
            if not has_theory and not has_views:
                break
            is_theory = has_theory and (self._is_theory_next or not has_views)
            self._is_theory_next = not is_theory
            before = self._clock()
            if is_theory:
                self._theory.work_slice()
            else:
                self._work_views(is_running=is_running)
            now = self._clock()
            if is_running:
                (self._theory_bucket if is_theory else self._bucket).spend(now - before)
            if now - start >= slice_s:
                break

    def _has_views_work(self, *, is_running: bool) -> bool:
        has_work = self._pictures.has_work or self._snapshot is not None
        return has_work or self._is_snapshot_due(is_running=is_running)

    def _work_views(self, *, is_running: bool) -> None:
        """Advance pictures or the snapshot by one slice, in turns when there is work for both."""
        has_pictures = self._pictures.has_work
        has_snapshot = bool(self._snapshot) or self._is_snapshot_due(is_running=is_running)
        if has_snapshot and (self._is_snapshot_next or not has_pictures):
            self._is_snapshot_next = False
            self._work_snapshot(is_running=is_running)
        else:
            self._is_snapshot_next = True
            self._pictures.work_slice()

    def _begin_question(self, request: Request) -> Slices[Answer]:
        lattice = self._newest_lattice
        return answer_slices(request, lattice.model, self._data, lattice=lattice, is_live=self._is_live)

    def _work_snapshot(self, *, is_running: bool) -> None:
        if is_running and self._is_snapshot_large:
            self._snapshot, self._is_snapshot_large = None, False
        if self._snapshot is None:
            self._snapshot = self._begin_snapshot(is_running=is_running)
            self._next_s = self._clock() + SNAPSHOT_EVERY_S
        before = self._clock()
        try:
            next(self._snapshot)
        except StopIteration as end:
            self._finish_snapshot(end.value, is_running=is_running)
        finally:
            self._snapshot_s += self._clock() - before

    def _finish_snapshot(self, snapshot: CodesSnapshot, *, is_running: bool) -> None:
        self._snapshot, self.latest = None, snapshot
        if not self._is_snapshot_large:
            self._sample.note_cost(self._snapshot_s)
        self._outbox.put(snapshot)
        if self._showcase is not None:
            self._showcase.add(snapshot, self._snapshot_model, is_running=is_running)

    def _begin_snapshot(self, *, is_running: bool) -> Slices[CodesSnapshot]:
        is_sample_shown = not is_running and self._is_latest_current
        indices = self._data.indices("all") if is_sample_shown else self.sample
        self._is_snapshot_large = len(indices) > len(self.sample)
        self._snapshot_model, self._snapshot_s = self.frozen, 0.0
        self._on_snapshot(self._snapshot_model)
        is_complete = len(indices) == len(self._data)
        return snapshot_slices(self._snapshot_model, indices, is_complete=is_complete, of=self._of)

    @property
    def _is_latest_current(self) -> bool:
        return self.latest is not None and self.latest.step == self._session.step

    def _is_snapshot_due(self, *, is_running: bool) -> bool:
        if self._is_latest_current and (is_running or (self.latest is not None and self.latest.is_complete)):
            return False
        if not self._is_watched:
            return is_running and self._showcase is not None and self._showcase.wants_frame(self._session.step)
        return not is_running or self._clock() >= self._next_s
