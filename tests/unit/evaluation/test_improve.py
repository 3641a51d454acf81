"""The two parts of the gap: q is improved along a rising path to what theory says is its best."""

import numpy as np
import pytest
import torch
from known_models import linear, trained

from vae_explorer.errors import UsageError
from vae_explorer.evaluation.ascent import climb_slices
from vae_explorer.evaluation.exact_posterior import grid_slices, inspect_slices
from vae_explorer.evaluation.improve import amortisation_slices, improve_slices
from vae_explorer.evaluation.slices import drain


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_best_q_of_a_linear_model_is_known(latent_dim):
    """Its mean is the posterior's, its precisions the diagonal of the posterior's precision: what is left is exact."""
    known = linear(latent_dim)
    means, covariance = known.posterior
    precision = np.linalg.inv(covariance)
    best = drain(improve_slices(known.model, 6))
    np.testing.assert_allclose(best.loc[-1], means[6], atol=0.01)
    np.testing.assert_allclose(best.scale[-1], np.diag(precision) ** -0.5, rtol=0.03)
    family_gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert best.family_gap == pytest.approx(family_gap, abs=2e-3)
    begun = known.gap(best.loc[0][None].astype(float), best.scale[0][None].astype(float))[6]
    assert best.amortisation_gap == pytest.approx(begun - family_gap, abs=3e-3)


def test_the_path_rises_from_the_encoders_q_and_both_parts_make_the_gap(plane_model):
    grid = drain(grid_slices(plane_model))
    for index in (3, 700):
        exact = drain(inspect_slices(plane_model, grid, index, is_fine=True))
        best = drain(improve_slices(plane_model, index, grid=grid))
        np.testing.assert_allclose(best.loc[0], exact.loc, rtol=1e-5)
        np.testing.assert_allclose(best.scale[0], exact.scale, rtol=1e-5)
        assert (np.diff(best.elbo) > 0).all()
        assert best.loc.shape == best.scale.shape == (len(best.elbo), 2)
        assert best.amortisation_gap >= 0
        assert best.family_gap > -2e-3
        assert best.amortisation_gap + best.family_gap == pytest.approx(exact.gap, abs=5e-3)


def test_a_q_far_from_the_mode_finds_its_way():
    known = linear(2)
    network = known.model.model.encoder[1]
    network.weight.zero_()
    network.bias.copy_(torch.tensor([3.0, -3.0, -4.0, 1.0]))
    best = drain(improve_slices(known.model, 2))
    np.testing.assert_allclose(best.loc[-1], known.posterior[0][2], atol=0.02)
    assert best.family_gap < 0.05
    assert best.amortisation_gap > 50


def test_with_more_dimensions_it_is_told_by_other_draws_than_it_is_fitted_to():
    known = linear(4)
    best = drain(improve_slices(known.model, 6))
    precision = np.linalg.inv(known.posterior[1])
    begun = known.gap(best.loc[0][None].astype(float), best.scale[0][None].astype(float))[6]
    family_gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert best.family_gap is None
    assert best.amortisation_gap == pytest.approx(begun - family_gap, rel=0.1)
    assert (np.diff(best.elbo) > 0).all()


def test_gaps_of_many_images_are_those_of_each():
    known = linear(2)
    x = known.model.pixels.take_seeded(np.arange(9), 0)
    gaps = drain(amortisation_slices(known.model, x, None))
    single = [drain(improve_slices(known.model, index)).amortisation_gap for index in range(3)]
    assert gaps.shape == (9,)
    assert (gaps >= 0).all()
    np.testing.assert_allclose(gaps[:3], single, atol=2e-3)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"model__kind": "autoencoder"}, "its code is a point"),
        ({"model__kind": "m2", "data__labels_per_class": 5}, "over classes and codes together"),
    ],
)
def test_models_without_one_gaussian_are_one_sentence(tiny_config, digits_data, values, match):
    with pytest.raises(UsageError, match=match):
        drain(improve_slices(trained(tiny_config, digits_data, steps=1, **values), 0))


# ---- the ascent itself ----------------------------------------------------------------------------------------------


def test_many_quadratics_are_climbed_to_their_tops_at_once():
    tops = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [30.0, 4.0, -7.0]], dtype=torch.float64)
    curvature = torch.tensor([[1.0, 20.0, 0.3], [1.0, 1.0, 1.0], [0.5, 2.0, 5.0]], dtype=torch.float64)

    def values(points, rows):
        return -(0.5 * curvature[rows] * (points - tops[rows]).square()).sum(1)

    path = drain(climb_slices(values, torch.zeros(3, 3, dtype=torch.float64)))
    np.testing.assert_allclose(path[-1], tops, atol=0.05)
    heights = torch.stack([values(points, torch.arange(3)) for points in path])
    assert (heights.diff(dim=0) >= 0).all()


def test_points_without_a_value_are_never_taken():
    """log x - x, undefined below 0, with its top at 1; the first step would leap out."""
    path = drain(climb_slices(lambda p, rows: (p.log() * 9 - 9 * p).sum(1), torch.full((1, 1), 3.0)))
    assert (path > 0).all()
    assert path[-1].item() == pytest.approx(1, abs=0.01)
