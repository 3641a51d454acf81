"""Where processes agree to stop, with processes that are played by numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace

import pytest

from vae_explorer.engine.meeting import MEET_EVERY_S, MOST_STEPS, Meeting


class Others:
    """Processes that were told to stop or not, and that take `step_s` for a step."""

    is_first = False

    def __init__(self, *, step_s: float = 0.0) -> None:
        self.step_s, self.is_over = step_s, False

    def largest(self, values: Sequence[float]) -> list[float]:
        return [max(one, other) for one, other in zip(values, (float(self.is_over), self.step_s), strict=True)]


class Session(SimpleNamespace):
    """A session that only counts."""

    step = 0
    settled = 0

    def settle(self) -> None:
        self.settled += 1


def met_at(others: Others, *, step_s: float, n_steps: int) -> list[int]:
    """The steps at which a process that takes `step_s` for a step meets the others."""
    session, times = Session(), SimpleNamespace(now_s=0.0)
    meeting = Meeting(others, lambda: False, clock=lambda: times.now_s)
    found = []
    for step in range(1, n_steps + 1):
        session.step, times.now_s = step, times.now_s + step_s
        if meeting.is_due(step):
            assert not meeting.hold(session)
            found.append(step)
    assert session.settled == len(found)
    return found


def test_they_meet_some_times_a_second_as_the_slowest_can():
    steps = met_at(Others(), step_s=0.011, n_steps=100)
    assert steps[:2] == [1, 2]
    assert {after - before for before, after in pairwise(steps[1:])} == {int(MEET_EVERY_S / 0.011)}
    assert met_at(Others(step_s=0.1), step_s=0.01, n_steps=9) == [1, 3, 5, 7, 9]


def test_they_meet_at_each_step_where_a_step_takes_long_and_not_too_seldom_where_it_is_short():
    assert met_at(Others(), step_s=1.5, n_steps=5) == [1, 2, 3, 4, 5]
    steps = met_at(Others(), step_s=1e-5, n_steps=500)
    assert steps[:4] == [1, 2, 2 + MOST_STEPS, 2 + 2 * MOST_STEPS]


@pytest.mark.parametrize(("own", "other"), [(True, False), (False, True), (True, True), (False, False)])
def test_all_stop_where_any_was_told_to(own, other):
    others = Others()
    others.is_over = other
    assert Meeting(others, lambda: own).hold(Session()) is (own or other)
