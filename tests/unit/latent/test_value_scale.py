"""Scales put each figure on its level, and density is that of the points around."""

from __future__ import annotations

import numpy as np
import pytest

from vae_explorer.latent.value_scale import LEVELS, ValueScale, point_density, scale_of


def test_levels_are_even_between_the_ends_and_those_beyond_have_the_ends() -> None:
    scale = ValueScale(10.0, 20.0)
    values = np.float32([-5, 10, 12.5, 15, 20, 1e9, np.nan, np.inf, -np.inf])
    unknown = LEVELS + 1
    assert scale.levels(values).tolist() == [1, 1, 16, 31, LEVELS, LEVELS, unknown, unknown, unknown]


def test_a_log_scale_has_its_middle_at_the_geometric_mean() -> None:
    levels = ValueScale(1.0, 10_000.0, is_log=True).levels(np.array([0, 1, 10, 100, 1000, 10_000]))
    assert levels.tolist() == [1, 1, 16, 31, 46, LEVELS]


def test_a_scale_leaves_out_the_outermost_figures_and_those_that_are_not_known() -> None:
    values = np.concatenate([np.linspace(0, 1, 10_001), [1e9, np.nan, np.inf, -1e9]]).astype(np.float32)
    scale = scale_of(values)
    assert scale is not None
    assert (scale.low, scale.high) == pytest.approx((0.01, 0.99), abs=2e-3)


@pytest.mark.parametrize("value", [0.0, -3.0, 5.0])
def test_equal_figures_have_a_scale_and_none_has_none(value: float) -> None:
    scale = scale_of(np.full(10, value))
    assert scale is not None
    assert scale.low <= value < scale.high
    assert scale_of(np.full(10, np.nan)) is None
    assert scale_of(np.zeros(10), is_log=True) is None


def test_density_is_that_of_a_normal_cloud() -> None:
    n = 200_000
    x, y = np.random.default_rng(0).normal(size=(2, n)).astype(np.float32)
    density = point_density(x, y)
    near = np.hypot(x, y) < 1.5
    truth = n * np.exp(-(x**2 + y**2) / 2) / (2 * np.pi)
    assert np.median(np.abs(density[near] / truth[near] - 1)) < 0.05
    assert density[np.argmax(np.hypot(x, y))] < 0.01 * density.max()


def test_density_of_points_in_one_place_is_finite() -> None:
    x = np.full(50, 3.0, dtype=np.float32)
    assert np.isfinite(point_density(x, x)).all()
    assert len(point_density(x[:0], x[:0])) == 0
