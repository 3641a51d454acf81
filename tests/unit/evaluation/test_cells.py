"""Integrals by cells that are split: known masses, honest errors, narrow modes, and a bound on what is asked."""

import numpy as np
import pytest
import scipy.stats

from vae_explorer.evaluation.cells import Refinement, integrate_slices
from vae_explorer.evaluation.slices import drain

FINE = Refinement(tolerance=1e-4, share=1e-4, most_codes=200_000)


def integrate(log_density, *, low, high, counts, seeds=None, refinement=FINE):
    """Integrate, counting the values asked for."""
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    axes = [a + (b - a) / n * (np.arange(n) + 0.5) for a, b, n in zip(low, high, counts, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(counts))
    asked = []

    def values_at(points):
        asked.append(len(points))
        yield 1.0
        return log_density(points)

    seeds = np.empty((0, len(counts))) if seeds is None else np.array(seeds, dtype=float)
    integral = drain(
        integrate_slices(
            values_at, log_density(centres), low=low, high=high, counts=counts, seeds=seeds, refinement=refinement
        )
    )
    return integral, sum(asked)


def normal(mean, scale, weight=1.0):
    return lambda z: np.log(weight) + scipy.stats.norm.logpdf(z, mean, scale).sum(-1)


@pytest.mark.parametrize("scale", [2.0, 0.5, 0.1, 0.03, 0.01])
@pytest.mark.parametrize("dims", [1, 2])
def test_a_normal_density_has_mass_one_however_narrow(dims, scale):
    counts = (400,) if dims == 1 else (61, 81)
    integral, asked = integrate(
        normal(0.613, scale), low=[-9.0] * dims, high=[10.0] * dims, counts=counts, seeds=[[0.613] * dims]
    )
    assert abs(integral.log_integral) <= integral.error + integral.edge_share + 1e-9
    assert integral.error < 1e-3
    assert asked <= FINE.most_codes
    np.testing.assert_allclose(integral.mode, 0.613, atol=0.1)


def test_a_broad_density_needs_no_refinement():
    integral, asked = integrate(normal(0.0, 1.0), low=[-9, -9], high=[9, 9], counts=(101, 101))
    assert asked == 0
    assert abs(integral.log_integral) < 1e-9


def test_two_modes_of_different_weight_and_width_are_both_counted():
    wide, narrow = normal(-2.0, 0.4, 0.7), normal(1.5, 0.02, 0.3)
    integral, _ = integrate(
        lambda z: np.logaddexp(wide(z), narrow(z)), low=[-6, -6], high=[6, 6], counts=(101, 101), seeds=[[1.5, 1.5]]
    )
    assert abs(integral.log_integral) <= integral.error + 1e-9 < 1e-2


def test_mass_that_leaves_the_box_is_told():
    inside, _ = integrate(normal(0.0, 1.0), low=[-7], high=[7], counts=(200,))
    outside, _ = integrate(normal(0.0, 1.0), low=[-7], high=[1], counts=(200,))
    assert inside.edge_share < 1e-9
    assert outside.edge_share > 1e-3
    assert outside.log_integral == pytest.approx(scipy.stats.norm.logcdf(1), abs=1e-3)


def test_the_cells_of_the_picture_hold_the_whole_mass():
    integral, asked = integrate(normal(0.3, 0.05), low=[-3, -2], high=[3, 4], counts=(61, 41))
    assert asked > 0
    volume = 6 / 61 * 6 / 41
    assert np.exp(integral.log_cells).sum() * volume == pytest.approx(np.exp(integral.log_integral), rel=1e-9)


def test_no_more_values_are_asked_for_than_allowed_and_the_error_says_what_that_costs():
    small = Refinement(tolerance=1e-6, share=1e-4, most_codes=256)
    integral, asked = integrate(
        normal(0.613, 0.2), low=[-9, -9], high=[10, 10], counts=(61, 61), seeds=[[0.6, 0.6]], refinement=small
    )
    assert 0 < asked <= 256
    assert abs(integral.log_integral) <= integral.error
