"""Likelihoods against SciPy and torch.distributions, with every constant."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Bernoulli as TorchBernoulli

from vae_explorer.model.likelihoods import Bernoulli, ContinuousBernoulli, DiscretisedLogistic, Gaussian


@pytest.fixture
def raw():
    return 2 * torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def grey(raw):
    return torch.rand(raw.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_bernoulli_of_binary_images_is_the_density(raw, grey):
    x = (grey > 0.5).double()
    expected = TorchBernoulli(logits=raw).log_prob(x).sum((-3, -2, -1))
    torch.testing.assert_close(Bernoulli(raw).log_prob(x), expected)


def test_bernoulli_of_grey_images_is_minus_the_cross_entropy(raw, grey):
    p, x = torch.sigmoid(raw).numpy(), grey.numpy()
    expected = (x * np.log(p) + (1 - x) * np.log1p(-p)).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli(raw).log_prob(grey).numpy(), expected, rtol=1e-12)


def test_bernoulli_stays_finite_at_extreme_logits():
    logits = torch.tensor([[[[200.0, -200.0]]]])
    right, wrong = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    assert Bernoulli(logits).log_prob(right).item() == 0
    assert Bernoulli(logits).log_prob(wrong).item() == pytest.approx(-400)


@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 255])
def test_gaussian_is_the_density_with_its_constants(raw, grey, scale):
    loc = torch.sigmoid(raw)
    found = Gaussian(loc, torch.tensor(math.log(scale), dtype=torch.float64)).log_prob(grey)
    expected = scipy.stats.norm.logpdf(grey.numpy(), loc.numpy(), scale).sum((1, 2, 3))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11)


def test_a_perfect_unit_gaussian_still_costs_half_log_2_pi_a_pixel(grey):
    found = Gaussian(grey, torch.tensor(0.0)).log_prob(grey)
    np.testing.assert_allclose(found.numpy(), -0.5 * math.log(2 * math.pi) * 90)


@pytest.mark.parametrize("size", [(3, 5, 6), (4, 3, 5, 6)])
def test_a_gaussian_with_a_scale_of_each_pixel(raw, grey, size):
    log_scale = torch.randn(size, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 1
    found = Gaussian(raw, log_scale).log_prob(grey)
    expected = scipy.stats.norm.logpdf(grey.numpy(), raw.numpy(), log_scale.exp().numpy()).sum((1, 2, 3))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11)


def test_equal_scales_of_all_pixels_are_one_scale(raw, grey):
    one = torch.tensor(-0.7, dtype=torch.float64)
    torch.testing.assert_close(
        Gaussian(raw, one.expand(3, 5, 6)).log_prob(grey), Gaussian(raw, one).log_prob(grey), rtol=1e-12, atol=0
    )


def test_a_gaussian_integrates_to_1():
    x = torch.linspace(-3, 4, 2001, dtype=torch.float64)
    for log_scale in (torch.tensor(-1.5, dtype=torch.float64), torch.full((1, 1, 1), -2.5, dtype=torch.float64)):
        density = Gaussian(torch.full((1, 1, 1), 0.4, dtype=torch.float64), log_scale).log_prob(x.view(-1, 1, 1, 1))
        assert torch.trapezoid(density.exp(), x).item() == pytest.approx(1, abs=1e-10)


def test_bernoulli_of_zeros_and_ones_sums_to_1(raw):
    pixels = raw[:1, :1, :1, :4]
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4).view(16, 1, 1, 4)
    pixels = pixels.expand(16, 1, 1, 4)
    assert Bernoulli(pixels).log_prob(images).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "likelihood",
    [
        Bernoulli,
        ContinuousBernoulli,
        lambda raw: Gaussian(raw, torch.tensor(0.0, dtype=torch.float64)),
        lambda raw: Gaussian(raw, torch.zeros(3, 5, 6, dtype=torch.float64)),
        lambda raw: DiscretisedLogistic(raw, torch.tensor(-1.0, dtype=torch.float64), max_value=255),
    ],
)
def test_log_prob_broadcasts_images_over_samples(raw, grey, likelihood):
    several = torch.stack((raw, -raw))
    found = likelihood(several).log_prob(grey)
    torch.testing.assert_close(found, torch.stack([likelihood(one).log_prob(grey) for one in several]))


def test_draws_have_the_mean_and_spread_of_the_distribution():
    logits = torch.full((20_000, 1, 1, 1), 0.7)
    drawn = Bernoulli(logits).sample(torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn.mean().item() == pytest.approx(torch.sigmoid(torch.tensor(0.7)).item(), abs=0.015)
    drawn = Gaussian(torch.full((20_000, 1, 1, 1), 0.3), torch.tensor(-1.0)).sample(torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(0.3, abs=0.015)
    assert drawn.std().item() == pytest.approx(math.exp(-1), rel=0.03)
    log_scale = torch.tensor([-1.0, -3.0]).view(1, 1, 2)
    drawn = Gaussian(torch.full((20_000, 1, 1, 2), 0.3), log_scale).sample(torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn.std(0).flatten().numpy(), np.exp([-1, -3]), rtol=0.03)


def test_the_same_seed_draws_the_same_image(raw):
    first, again, other = (Bernoulli(raw).sample(torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
