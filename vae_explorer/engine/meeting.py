"""Where the processes of one training agree to stop: at the same step, whichever of them was asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from vae_explorer.engine.pacing import Clock
from vae_explorer.training.session import TrainingSession
from vae_explorer.training.world import World

MEET_EVERY_S = 0.2
MOST_STEPS = 200
"""Steps between two meetings at the most: the first steps are no measure of the others."""


class Meeting:
    """Meets the other processes every few steps, about MEET_EVERY_S apart; all call it after the same updates.

    is_asked: whether this process was told to stop. A meeting is the only place where a divergence is looked for, or a
    checkpoint written, by the clock: elsewhere one process would know more than the others.
    """

    def __init__(self, world: World, is_asked: Callable[[], bool], *, clock: Clock = time.perf_counter) -> None:
        self._world, self._is_asked, self._clock = world, is_asked, clock
        self._last: tuple[int, float] | None = None
        self._next_step = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run."""
        return self._world.is_first

    def is_due(self, step: int) -> bool:
        """Whether all meet after `step` updates."""
        return step >= self._next_step

    def hold(self, session: TrainingSession) -> bool:
        """Meet the others; return whether any was told to stop. Raises LostError when one is gone."""
        session.settle()
        step, now_s = session.step, self._clock()
        took_s = 0.0
        if self._last is not None:
            took_s = (now_s - self._last[1]) / max(1, step - self._last[0])
        is_over, step_s = self._world.largest((float(self._is_asked()), took_s))
        n_steps = 1 if step_s == 0.0 else int(MEET_EVERY_S / step_s)
        self._next_step = step + min(max(n_steps, 1), MOST_STEPS)
        self._last = step, now_s
        return is_over > 0.0
