"""What codes say of their images: mixtures whose information is known, and never more than log N."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from vae_explorer.evaluation import diagnostics
from vae_explorer.evaluation.diagnostics import active_units, mutual_information_slices, variance_of_means
from vae_explorer.evaluation.slices import drain


def information(loc, scale, seed=0):
    return drain(mutual_information_slices(np.array(loc, dtype=float), np.array(scale, dtype=float), seed=seed))


def test_a_known_mixture_in_one_dimension():
    loc, scale = np.array([[-1.0], [0.5], [2.0]]), np.array([[0.5], [1.0], [0.3]])

    def integrand(z):
        each = scipy.stats.norm.pdf(z, loc[:, 0], scale[:, 0])
        return sum(p * np.log(p / each.mean()) for p in each if p > 0) / 3

    exact = scipy.integrate.quad(integrand, -8, 8, points=[-1, 0.5, 2], limit=200)[0]
    found = information(loc, scale)
    assert found.value == pytest.approx(exact, abs=4 * found.mc_se)
    assert found.mc_se < 0.01
    assert found.n_images == 3


@pytest.mark.parametrize("scale", [1e-1, 1e-3, 1e-6])
def test_codes_that_never_overlap_tell_their_image_whole(scale):
    loc = np.random.default_rng(0).normal(size=(50, 3)) * 100
    found = information(loc, np.full_like(loc, scale))
    assert found.value == pytest.approx(math.log(50), abs=1e-3)
    assert found.value <= math.log(50) + 1e-9


def test_codes_that_are_all_alike_tell_nothing():
    found = information(np.full((40, 2), 0.3), np.full((40, 2), 1.7))
    assert found.value == pytest.approx(0, abs=1e-9)


def test_information_is_at_most_log_n_and_at_most_the_kl():
    generator = np.random.default_rng(1)
    loc, scale = generator.normal(size=(300, 4)), generator.uniform(0.1, 0.8, (300, 4))
    found = information(loc, scale)
    kl = (0.5 * (loc**2 + scale**2 - 1) - np.log(scale)).sum(1).mean()
    assert 0 < found.value <= min(math.log(300), kl) + 3 * found.mc_se


def test_the_error_is_that_of_other_seeds():
    generator = np.random.default_rng(2)
    loc, scale = generator.normal(size=(100, 2)), generator.uniform(0.2, 1.0, (100, 2))
    found = [information(loc, scale, seed=seed) for seed in range(12)]
    spread = np.std([one.value for one in found])
    assert spread < 2 * found[0].mc_se
    assert information(loc, scale, seed=3).value == found[3].value


def test_more_images_than_can_be_compared_are_thinned_and_said_to_be(monkeypatch):
    monkeypatch.setattr(diagnostics, "MOST_POSTERIORS", 40)
    loc = np.arange(100.0)[:, None] * 50
    found = information(loc, np.ones_like(loc))
    assert found.n_images == 40
    assert found.value == pytest.approx(math.log(40), abs=1e-3)


def test_it_is_worked_in_slices():
    loc = np.zeros((3000, 2))
    shares = list(mutual_information_slices(loc, np.ones_like(loc), seed=0))
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_active_units_are_those_whose_mean_varies_by_more_than_a_hundredth():
    signs = np.tile([-1.0, 1.0], 50)[:, None]
    loc = signs * np.array([1.0, 0.11, 0.09, 0.0]) + np.array([5.0, 0.0, 7.0, 3.0])
    np.testing.assert_allclose(variance_of_means(loc), [1.0, 0.0121, 0.0081, 0.0], atol=1e-12)
    assert active_units(loc) == 2
