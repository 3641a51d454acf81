"""The small multiples of a sweep: codes of a few images by all models at one step, within the budget of live views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.engine.messages import SweepSnapshot
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import VIEW_SHARE, Clock, TokenBucket
from vae_explorer.engine.slices import read_only
from vae_explorer.engine.snapshots import live_sample
from vae_explorer.evaluation.diagnostics import active_units
from vae_explorer.training.sweep_session import SweepSession

TILE_IMAGES = 500
"""Images in each tile: their points must be told apart in a small picture."""
CHUNK = 125
"""Images a slice, by all models."""
TILES_EVERY_S = 0.2
"""Shortest time between two snapshots while it trains."""


class SweepTiles:
    """Works snapshots of all models, a slice at a time; one whose weights have moved on meanwhile is begun anew.

    While it trains a whole snapshot is worked between two updates, so that it is of one step.
    """

    def __init__(self, sweep: SweepSession, outbox: Outbox, *, is_watched: bool, clock: Clock) -> None:
        self._sweep, self._outbox, self._clock = sweep, outbox, clock
        self._is_watched = is_watched
        self._indices = live_sample(len(sweep.data), size=TILE_IMAGES)
        self._bucket = TokenBucket(share=VIEW_SHARE / 2)
        self._told_step = -1
        self._next_s = 0.0
        self._parts: list[NDArray[np.float32]] = []
        self._parts_step = -1

    def earn(self, trained_s: float) -> None:
        """Take a share of what a slice of training took as the budget."""
        self._bucket.earn(trained_s)

    def has_work(self, *, is_running: bool) -> bool:
        """Whether `work` would do something (running: if the budget allows)."""
        if not self._is_watched or self._told_step == self._sweep.step:
            return False
        return not is_running or self._clock() >= self._next_s

    def work(self, *, is_running: bool) -> None:
        """Do one slice, or while it trains and the budget allows a whole snapshot."""
        if not self.has_work(is_running=is_running) or (is_running and not self._bucket.is_open):
            return
        before_s = self._clock()
        is_done = self._work_slice()
        while is_running and not is_done:
            is_done = self._work_slice()
        if is_running:
            self._bucket.spend(self._clock() - before_s)

    def _work_slice(self) -> bool:
        """Encode the next images; return whether they were the last."""
        if self._parts_step != self._sweep.step:
            self._sweep.settle()
            self._parts, self._parts_step = [], self._sweep.step
        start = len(self._parts) * CHUNK
        self._parts.append(self._sweep.codes_of_all(self._indices[start : start + CHUNK]))
        if start + CHUNK < len(self._indices):
            return False
        loc = np.concatenate(self._parts, axis=1)
        self._parts, self._parts_step, self._told_step = [], -1, self._sweep.step
        self._next_s = self._clock() + TILES_EVERY_S
        units = np.array([active_units(of_one.astype(np.float64)) for of_one in loc], dtype=np.int64)
        steps = np.array([member.step for member in self._sweep.members], dtype=np.int64)
        self._outbox.put(
            SweepSnapshot(
                self._told_step, read_only(self._indices.copy()), read_only(loc), read_only(units), read_only(steps)
            )
        )
        return True
