"""Ranges that follow growing curves in few steps."""

import pytest

from vae_explorer.gui.widgets.steady_range import LEAST_FILL, SPARE, steady_range


def test_a_growing_curve_moves_its_range_seldom():
    shown, changes = (0.0, 1.0), 0
    for step in range(1, 10_000):
        wanted = (0.0, float(step))
        new = steady_range(shown, wanted)
        changes += new != shown
        shown = new
        assert shown[0] <= wanted[0]
        assert wanted[1] <= shown[1] <= wanted[1] / LEAST_FILL
    assert changes < 80


def test_what_is_wanted_is_always_seen():
    assert steady_range((0.0, 10.0), (-5.0, 9.0)) == pytest.approx((-5.0 - 14 * SPARE, 9.0))
    assert steady_range((0.0, 10.0), (1.0, 20.0)) == pytest.approx((1.0, 20.0 + 19 * SPARE))


def test_a_range_that_is_hardly_filled_is_taken_in():
    assert steady_range((0.0, 100.0), (40.0, 50.0)) == (40.0, 50.0)
    assert steady_range((0.0, 100.0), (5.0, 95.0)) == (0.0, 100.0)
