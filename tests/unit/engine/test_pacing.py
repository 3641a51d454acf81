"""The loop's clocks, with a clock that only the test moves."""

from __future__ import annotations

import pytest

from vae_explorer.engine.pacing import SpeedMeter, StepClock, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_bucket_holds_spending_to_its_share() -> None:
    bucket = TokenBucket(share=0.1, limit_s=0.02)
    spent = trained = 0.0
    while trained < 20.0:
        if bucket.is_open:
            bucket.spend(0.003)
            spent += 0.003
        bucket.earn(0.004)
        trained += 0.004
    assert spent / trained == pytest.approx(0.1, rel=0.03)


def test_the_bucket_saves_no_more_than_its_limit_but_for_one_long_step() -> None:
    bucket = TokenBucket(share=0.1, limit_s=0.02)
    for _ in range(1000):
        bucket.earn(0.1)
    bucket.spend(0.021)
    assert not bucket.is_open
    bucket.earn(1.0)
    bucket.spend(0.09)
    assert bucket.is_open


def test_steps_are_slow_by_their_median() -> None:
    clock = StepClock()
    assert not clock.is_slow
    for seconds in (0.001, 0.5, 0.001, 0.002):
        clock.add("step", seconds)
    assert not clock.is_slow
    for _ in range(4):
        clock.add("evaluation", 0.02)
    assert clock.is_slow


def test_speed_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    meter = SpeedMeter(clock=clock)
    assert meter.steps_per_s == 0.0
    for step in range(0, 5000, 10):
        meter.add(step)
        clock.now += 0.01 if step < 2500 else 0.02
    assert meter.steps_per_s == pytest.approx(500, rel=0.02)
    meter.restart()
    assert meter.steps_per_s == 0.0
