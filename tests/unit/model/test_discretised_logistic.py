"""The discretised logistic against SciPy: probabilities of levels that sum to 1, their mean, and draws of them."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vae_explorer.model.likelihoods import DiscretisedLogistic


def levels(max_value):
    return torch.arange(max_value + 1, dtype=torch.float64).div(max_value)


def probabilities(loc, scale, max_value):
    """Of each level of one pixel, (max_value + 1,)."""
    likelihood = DiscretisedLogistic(
        torch.full((1, 1, 1), loc, dtype=torch.float64),
        torch.tensor(math.log(scale), dtype=torch.float64),
        max_value=max_value,
    )
    return likelihood.log_prob(levels(max_value).view(-1, 1, 1, 1)).exp().numpy(), likelihood


@pytest.mark.parametrize("max_value", [1, 16, 255])
@pytest.mark.parametrize("scale", [1e-4, 0.004, 0.1, 1.0, 50.0])
@pytest.mark.parametrize("loc", [-0.4, 0.0, 0.3142, 0.5, 1.0, 1.3])
def test_the_probabilities_are_scipys_sum_to_1_and_have_the_mean(loc, scale, max_value):
    found, likelihood = probabilities(loc, scale, max_value)
    edges = (np.arange(max_value) + 0.5) / max_value
    cumulative = np.concatenate(([0.0], scipy.stats.logistic.cdf(edges, loc, scale), [1.0]))
    np.testing.assert_allclose(found, np.diff(cumulative), atol=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-10)
    assert likelihood.mean.item() == pytest.approx((levels(max_value).numpy() * found).sum(), abs=1e-10)


def test_it_sums_over_pixels_with_a_scale_of_each():
    generator = torch.Generator().manual_seed(0)
    loc, x = (torch.rand(4, 3, 5, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    x = (x * 16).round() / 16
    for shape in ((3, 5, 6), (4, 3, 5, 6)):
        log_scale = torch.randn(shape, generator=generator, dtype=torch.float64) - 2
        found = DiscretisedLogistic(loc, log_scale, max_value=16).log_prob(x)
        lower, upper = x - 1 / 32, x + 1 / 32
        lower[x == 0], upper[x == 1] = -math.inf, math.inf
        scale = log_scale.exp().expand_as(loc).numpy()
        logistic = scipy.stats.logistic(loc, scale)  # from the side that does not cancel
        mass = np.where(x > loc, logistic.sf(lower) - logistic.sf(upper), logistic.cdf(upper) - logistic.cdf(lower))
        np.testing.assert_allclose(found.numpy(), np.log(mass).sum((1, 2, 3)), rtol=1e-9)


def test_values_and_gradients_stay_finite_far_out_and_for_narrow_scales():
    loc = torch.tensor([0.0, 1.0, 0.5, -5.0, 6.0]).view(-1, 1, 1, 1).requires_grad_()
    log_scale = torch.tensor(math.log(1 / 32 / 255), requires_grad=True)
    for value in (0.0, 128 / 255, 1.0):
        found = DiscretisedLogistic(loc, log_scale, max_value=255).log_prob(torch.full_like(loc, value))
        assert found.isfinite().all()
        assert (found <= 0).all()
        gradients = torch.autograd.grad(found.sum(), (loc, log_scale))
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(("loc", "scale"), [(0.3, 0.1), (0.05, 0.2), (0.52, 0.01), (1.2, 0.1)])
def test_draws_are_levels_as_often_as_their_probability(loc, scale):
    expected, _ = probabilities(loc, scale, 16)
    likelihood = DiscretisedLogistic(torch.full((20_000, 1, 1, 1), loc), torch.tensor(math.log(scale)), max_value=16)
    drawn = likelihood.sample(torch.Generator().manual_seed(5)).flatten() * 16
    counts = torch.bincount(drawn.round().long(), minlength=17).numpy()
    torch.testing.assert_close(drawn, drawn.round(), atol=1e-5, rtol=0)
    np.testing.assert_allclose(counts / 20_000, expected, atol=5 * np.sqrt(0.25 / 20_000))
    common = expected * 20_000 > 5
    rare = expected[~common].sum() * 20_000
    observed, predicted = (np.append(v[common], v[~common].sum()) for v in (counts, expected * 20_000))
    terms = np.square(observed - predicted) / np.maximum(predicted, 1e-9)
    statistic = terms[:-1].sum() + (terms[-1] if rare > 5 else 0.0)
    assert scipy.stats.chi2.sf(statistic, common.sum() - 1) > 1e-3
