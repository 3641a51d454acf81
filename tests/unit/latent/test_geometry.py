"""The ellipse of a posterior against sampling."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, ortho_group

from vae_explorer.latent.geometry import posterior_ellipse
from vae_explorer.latent.projection import Basis, axis_basis, line_basis


def arbitrary_basis(latent_dim, seed):
    plane = ortho_group.rvs(latent_dim, random_state=seed)[:, :2]
    centre = np.random.default_rng(seed).standard_normal((2, latent_dim))
    return Basis(center=centre[0], u=plane[:, 0], v=plane[:, 1], through=centre[1], kind="pca")


def test_on_two_axes_it_is_the_ellipse_of_their_scales():
    outline = posterior_ellipse([1.0, 5.0, -2.0], [0.5, 9.0, 2.0], axis_basis(0, 2, np.zeros(3)), 2.0, 81)
    assert outline.shape == (81, 2)
    assert np.array_equal(outline[0], outline[-1])
    assert np.allclose(((outline - [1.0, -2.0]) ** 2 / [1.0, 16.0]).sum(axis=1), 1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("latent_dim", [2, 3, 10])
def test_it_holds_the_share_of_samples_that_two_dimensions_hold(latent_dim, seed):
    rng = np.random.default_rng(seed)
    loc, scale = rng.standard_normal(latent_dim), rng.uniform(0.05, 2.0, latent_dim)
    basis = arbitrary_basis(latent_dim, seed)
    points = basis.project(loc + scale * rng.standard_normal((20_000, latent_dim)))
    outline = posterior_ellipse(loc, scale, basis, 1.5, 721)
    centre = basis.project(loc)[0]
    # Inside: nearer to the centre than the outline in the same direction.
    angle = np.arctan2(*(outline[:-1] - centre).T[::-1])
    order = np.argsort(angle)
    radius = np.linalg.norm(outline[:-1] - centre, axis=1)[order]
    at = np.interp(np.arctan2(*(points - centre).T[::-1]), angle[order], radius, period=2 * np.pi)
    share = (np.linalg.norm(points - centre, axis=1) < at).mean()
    assert share == pytest.approx(chi2.cdf(1.5**2, 2), abs=0.012)


def test_it_touches_the_standard_deviation_along_every_direction():
    basis = arbitrary_basis(6, 9)
    loc, scale = np.arange(6.0), np.linspace(0.1, 1.1, 6)
    outline = posterior_ellipse(loc, scale, basis, 1.0, 20_001) - basis.project(loc)
    for angle in np.linspace(0, np.pi, 7):
        direction = np.array([np.cos(angle), np.sin(angle)])
        spread = math.sqrt((((np.stack([basis.u, basis.v]).T @ direction) * scale) ** 2).sum())
        assert (outline @ direction).max() == pytest.approx(spread, rel=1e-6)


def test_a_point_posterior_is_a_point_and_a_line_has_a_segment():
    assert np.allclose(posterior_ellipse([1, 2], [0, 0], axis_basis(0, 1, [0, 0])), [1, 2])
    segment = posterior_ellipse([1.0], [0.5], line_basis(), 2.0, 101)
    assert segment[:, 0].min() == pytest.approx(0.0)
    assert segment[:, 0].max() == pytest.approx(2.0)
    assert np.allclose(segment[:, 1], 0.0)
