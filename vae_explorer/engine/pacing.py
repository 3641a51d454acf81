"""Clocks of the loop: how long a step takes, how fast it trains, and what live views may cost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

SLICE_S = 0.004
"""Training and slow work are cut into slices of about this long; a small question waits for one at most."""

SLOW_S, QUICK_S = 0.008, 0.005
"""Where one unit of training takes longer than SLOW_S, the reader thread answers small questions, until a unit takes
less than QUICK_S: near one threshold the two would take turns several times a second."""

VIEW_SHARE = 0.035
"""What snapshots and pictures may take for every second of training."""

THEORY_SHARE, THEORY_LIMIT_S = 0.08, 0.04
"""The same for questions of the theory, which come only while somebody looks at the answers: both together are some 11
% of the time then. The limit is about one first look, so that an image that is chosen is answered at once."""

Clock = Callable[[], float]


class TokenBucket:
    """Time that may be spent: earned as a share of the training's, saved to a limit, overdrawn by one slice.

    What a single long step earns is kept whole, although it is above the limit.
    """

    def __init__(self, *, share: float = VIEW_SHARE, limit_s: float = 0.02) -> None:
        self._share, self._limit_s = share, limit_s
        self._saved_s = limit_s

    @property
    def is_open(self) -> bool:
        """Whether anything may be spent now."""
        return self._saved_s > 0.0

    def earn(self, trained_s: float) -> None:
        """Add the share of a slice of training."""
        earned_s = self._share * trained_s
        self._saved_s = min(self._saved_s + earned_s, max(self._limit_s, earned_s))

    def spend(self, seconds: float) -> None:
        """Take what was used."""
        self._saved_s -= seconds


class StepClock:
    """Durations of the latest units of training (updates, chunks of an evaluation), to tell whether they are slow."""

    def __init__(self) -> None:
        self._latest: dict[str, deque[float]] = {}
        self._is_slow = False

    def add(self, unit: str, seconds: float) -> None:
        """Note how long a unit took."""
        self._latest.setdefault(unit, deque(maxlen=7)).append(seconds)

    @property
    def is_slow(self) -> bool:
        """Whether some kind of unit takes long; by the median, so that one hiccup changes nothing."""
        longest = max((median(durations) for durations in self._latest.values() if len(durations) >= 3), default=0.0)
        self._is_slow = longest > (QUICK_S if self._is_slow else SLOW_S)
        return self._is_slow


class SpeedMeter:
    """Steps per second over the last two seconds of training."""

    def __init__(self, *, clock: Clock = time.perf_counter, window_s: float = 2.0) -> None:
        self._clock, self._window_s = clock, window_s
        self._marks: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """Forget what was measured: training begins again after a pause."""
        self._marks.clear()

    def add(self, step: int) -> None:
        """Note that `step` is reached now; marks are kept at most 20 a second."""
        now = self._clock()
        if len(self._marks) > 1 and now - self._marks[-2][0] < 0.05:
            self._marks.pop()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[1][0] > self._window_s:
            self._marks.popleft()

    @property
    def steps_per_s(self) -> float:
        """0.0 until two marks are known."""
        if len(self._marks) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
