"""Codes' distributions against torch.distributions and against sampling."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vae_explorer.model.latents import DiagonalNormal, Point
from vae_explorer.model.priors import StandardNormal


@pytest.fixture
def posterior():
    generator = torch.Generator().manual_seed(1)
    parameters = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    return DiagonalNormal.from_parameters(parameters)


def reference(posterior):
    return Normal(posterior.loc, posterior.scale)


def test_kl_is_that_of_torch_distributions_and_never_negative(posterior):
    kl = posterior.kl_per_dim(StandardNormal(4))
    standard = Normal(torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(kl, kl_divergence(reference(posterior), standard))
    assert (kl >= 0).all()


def test_kl_is_zero_only_at_the_prior():
    at_prior = DiagonalNormal(torch.zeros(1, 3), torch.zeros(1, 3))
    assert at_prior.kl_per_dim(StandardNormal(4)).abs().max() == 0
    beside = DiagonalNormal(torch.tensor([[0.0, 0.1, 0.0]]), torch.tensor([[0.1, 0.0, -0.1]]))
    assert (beside.kl_per_dim(StandardNormal(4)) > 1e-3).all()


def test_kl_is_the_mean_of_log_q_minus_log_p(posterior):
    noise = torch.randn(200_000, 5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z = posterior.rsample(noise)
    difference = posterior.log_prob(z) - StandardNormal(4).log_prob(z)
    error = difference.std(0) / len(noise) ** 0.5
    assert ((difference.mean(0) - posterior.kl_per_dim(StandardNormal(4)).sum(-1)).abs() < 5 * error).all()


def test_log_prob_is_that_of_torch_distributions(posterior):
    z = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(posterior.log_prob(z), Independent(reference(posterior), 1).log_prob(z))
    standard = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1)
    torch.testing.assert_close(StandardNormal(4).log_prob(z), standard.log_prob(z))


def test_rsample_has_the_gradient_of_the_reparameterisation():
    loc, log_scale = torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), 0.5, requires_grad=True)
    noise = torch.tensor([[2.0, -3.0]])
    DiagonalNormal(loc, log_scale).rsample(noise).sum().backward()
    torch.testing.assert_close(loc.grad, torch.ones(1, 2))
    torch.testing.assert_close(log_scale.grad, noise * torch.tensor(0.5).exp())


def test_a_point_is_its_own_sample_and_has_no_kl():
    point = Point(torch.tensor([[1.0, -2.0]]))
    assert torch.equal(point.rsample(torch.randn(3, 1, 2)), point.loc.expand(3, 1, 2))
    assert point.kl_per_dim(StandardNormal(4)) is None
    assert point.scale.abs().sum() == 0
