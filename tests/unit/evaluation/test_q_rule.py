"""Expectations under a Gaussian: exact for what is smooth, with an honest error for what has kinks."""

import numpy as np
import pytest
import scipy.stats

from vae_explorer.evaluation.q_rule import expectation_slices, round_points
from vae_explorer.evaluation.slices import drain


def expect(function, loc, scale, *, tolerance=1e-6, most_side=321):
    asked = []

    def values_at(points):
        asked.append(len(points))
        yield 1.0
        return function(points)

    loc, scale = np.array(loc, dtype=float), np.array(scale, dtype=float)
    value, error = drain(expectation_slices(values_at, loc, scale, tolerance=tolerance, most_side=most_side))
    return value, error, sum(asked)


@pytest.mark.parametrize(("loc", "scale"), [([0.7], [0.3]), ([0.7, -1.2], [0.3, 2.0])])
def test_polynomials_are_exact(loc, scale):
    value, error, _ = expect(lambda z: (z**2).sum(-1) + z[:, 0] ** 3, loc, scale)
    exact = (np.square(loc) + np.square(scale)).sum() + loc[0] ** 3 + 3 * loc[0] * scale[0] ** 2
    assert value == pytest.approx(exact, abs=1e-5)
    assert error <= 1e-6


def test_a_kink_is_doubled_away_and_its_error_told():
    """E|z - c| of a standard normal: c (2 Phi(c) - 1) + 2 phi(c)."""
    c = 0.123
    phi = np.exp(-0.5 * c * c) / np.sqrt(2 * np.pi)
    exact = c * 0.0978825 + 2 * phi  # 2 Phi(0.123) - 1
    coarse = expect(lambda z: 50 * np.abs(z[:, 0] - c), [0.0, 0.0], [1.0, 1.0], tolerance=0.0, most_side=41)
    fine = expect(lambda z: 50 * np.abs(z[:, 0] - c), [0.0, 0.0], [1.0, 1.0], tolerance=1e-3, most_side=449)
    assert abs(coarse[0] - 50 * exact) <= coarse[1] + 1e-4
    assert abs(fine[0] - 50 * exact) <= fine[1] + 1e-4 < 2e-2
    assert fine[2] > coarse[2]


def test_what_two_lattices_agree_on_by_chance_is_not_taken_for_exact():
    """Kinks in all directions, many of them: the error that is told holds for nearly all of 60 functions."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(60):
        slopes, offsets = generator.normal(size=(20, 2)), 1.5 * generator.normal(size=20)
        heights = generator.normal(size=20)

        def folded(z, slopes=slopes, offsets=offsets, heights=heights):
            return np.maximum(z @ slopes.T + offsets, 0) @ heights

        # E max(a, 0) of a ~ N(m, s²): m Phi(m / s) + s phi(m / s).
        spread = np.linalg.norm(slopes, axis=1)
        ratio = offsets / spread
        exact = (offsets * scipy.stats.norm.cdf(ratio) + spread * scipy.stats.norm.pdf(ratio)) @ heights
        value, error, _ = expect(folded, [0.0, 0.0], [1.0, 1.0], tolerance=2e-3, most_side=225)
        assert error <= 2e-3
        held.append(abs(value - exact) <= error)
    assert np.mean(held) >= 0.95


def test_a_doubled_lattice_asks_for_new_points_only():
    _, _, asked = expect(lambda z: np.abs(z[:, 0] - 0.1), [0.0], [1.0], tolerance=0.0, most_side=161)
    assert asked == 161


def test_round_points_are_a_standard_normal():
    points, weights = round_points(15, 2, reach=4.2)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights @ points**2, 1.0, atol=2e-3)
    np.testing.assert_allclose(weights @ points, 0.0, atol=1e-12)
