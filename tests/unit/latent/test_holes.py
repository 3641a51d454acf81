"""Holes between codes: their share against places whose distance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vae_explorer.latent.holes import MOST_CODES, box_hole_share, hole_distance, hole_share, prior_hole_share


def lattice(side: int, low: float, high: float) -> np.ndarray:
    axis = np.linspace(low, high, side)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def test_far_is_twice_the_distance_of_neighbours() -> None:
    codes = lattice(11, 0.0, 10.0)  # a step apart
    assert hole_distance(codes) == pytest.approx(2.0)
    places = np.array([[12.01, 5.0], [11.99, 5.0], [5.5, 5.5], [5.0, -2.5]])
    assert hole_share(places, codes) == 0.5


def test_an_even_box_has_no_holes_and_two_islands_leave_what_lies_between() -> None:
    even = lattice(20, -3.0, 3.0)
    assert box_hole_share(even) == 0.0
    left = lattice(15, 0.0, 1.0)
    islands = np.concatenate([left, left + np.array([9.0, 0.0])])
    # The box is 10 by 1; but for the islands and a rim of 2/14 there is nothing.
    assert box_hole_share(islands) == pytest.approx((8.0 - 2 * 2 / 14) / 10, abs=0.04)


def test_codes_that_fill_the_prior_leave_it_few_holes() -> None:
    drawn = np.random.default_rng(0).normal(size=(MOST_CODES, 2))
    assert prior_hole_share(drawn) < 0.2
    assert prior_hole_share(drawn + 4.0) > 0.9


@pytest.mark.parametrize("codes", [np.zeros((0, 2)), np.zeros((1, 2))])
def test_without_neighbours_there_is_no_figure(codes: np.ndarray) -> None:
    assert math.isnan(hole_distance(codes))
    assert math.isnan(box_hole_share(codes))
    assert math.isnan(prior_hole_share(codes))
