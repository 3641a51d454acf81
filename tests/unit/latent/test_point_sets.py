"""Drawn points: the same for a seed, of one size, and of the shape that their name says."""

import numpy as np
import pytest

from vae_explorer.errors import UsageError
from vae_explorer.latent.em import fit, start
from vae_explorer.latent.point_sets import POINT_SETS, draw_points


@pytest.mark.parametrize("name", POINT_SETS)
def test_points_follow_the_seed_and_stay_in_view(name):
    points = draw_points(name, 400, seed=3)
    assert points.shape == (400, 2)
    assert points.dtype == np.float32
    assert np.abs(points).max() < 6
    assert np.abs(points.mean(axis=0)).max() < 1.5
    np.testing.assert_array_equal(points, draw_points(name, 400, seed=3))
    assert not np.array_equal(points, draw_points(name, 400, seed=4))


def test_rings_are_two_circles_and_moons_are_not_one_blob():
    radius = np.linalg.norm(draw_points("rings", 900, seed=0), axis=1)
    assert ((np.abs(radius - 0.9) < 0.6) | (np.abs(radius - 2.6) < 0.6)).all()
    assert 250 < (radius < 1.6).sum() < 350
    moons = draw_points("moons", 600, seed=0)
    assert fit(moons, start(moons, 8).mixture).log_likelihood > fit(moons, start(moons, 1).mixture).log_likelihood + 0.3


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean moons"):
        draw_points("moon", 10, seed=0)
