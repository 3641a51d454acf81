"""Other similarities against Monte Carlo, torch.distributions and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.objective.similarities import renyi, reverse_kl, total_correlation, wasserstein2_squared

LOC = torch.tensor([[0.0, 0.0], [0.7, -1.2], [2.0, 0.1]], dtype=torch.float64)
SCALE = torch.tensor([[1.0, 1.0], [0.3, 0.8], [1.4, 0.05]], dtype=torch.float64)
Q = DiagonalNormal(LOC, SCALE.log())


def test_reverse_kl_is_that_of_torch() -> None:
    expected = kl_divergence(Normal(0.0, 1.0), Normal(LOC, SCALE)).sum(-1)
    assert torch.allclose(reverse_kl(Q), expected)


def test_wasserstein_is_the_distance_of_matched_quantiles() -> None:
    # In one dimension the best transport matches quantiles: the mean of (F_q^-1(u) - F_p^-1(u))^2.
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    quantiles = math.sqrt(2) * torch.erfinv(2 * u - 1)
    for dim in range(2):
        q = DiagonalNormal(LOC[1:2, dim : dim + 1], SCALE[1:2, dim : dim + 1].log())
        matched = (LOC[1, dim] + SCALE[1, dim] * quantiles - quantiles).square().mean()
        assert wasserstein2_squared(q).item() == pytest.approx(matched.item(), abs=1e-4)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_renyi_is_its_integral(alpha: float) -> None:
    grid = torch.linspace(-14, 14, 200_001, dtype=torch.float64)
    for dim in range(2):
        loc, scale = LOC[1, dim], SCALE[1, dim]
        log_q, log_p = Normal(loc, scale).log_prob(grid), Normal(0.0, 1.0).log_prob(grid)
        integral = torch.trapezoid((alpha * log_q + (1 - alpha) * log_p).exp(), grid)
        found = renyi(DiagonalNormal(loc.view(1, 1), scale.log().view(1, 1)), alpha)
        assert found.item() == pytest.approx((integral.log() / (alpha - 1)).item(), abs=1e-9)


def test_renyi_tends_to_the_kl() -> None:
    expected = kl_divergence(Normal(LOC, SCALE), Normal(0.0, 1.0)).sum(-1)
    assert torch.allclose(renyi(Q, 1 - 1e-7), expected, atol=1e-5)


@pytest.mark.parametrize("similarity", [reverse_kl, wasserstein2_squared, lambda q: renyi(q, 0.5)])
def test_each_is_zero_at_the_prior_and_positive_elsewhere(similarity: object) -> None:
    values = similarity(Q)  # type: ignore[operator]
    assert values[0].item() == pytest.approx(0.0, abs=1e-12)
    assert (values[1:] > 0.1).all()


def test_total_correlation_of_correlated_codes() -> None:
    # Narrow posteriors whose means are a Gaussian with correlation r: TC = -log(1 - r^2) / 2.
    n, r, width = 1500, 0.8, 0.2
    law = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, r], [r, 1.0]]))
    torch.manual_seed(0)
    loc = law.sample((n,)).double()
    q = DiagonalNormal(loc, torch.full_like(loc, math.log(width)))
    z = q.rsample(torch.randn(n, 2, dtype=torch.float64))
    variance, covariance = 1 + width**2, r
    expected = -0.5 * math.log(1 - (covariance / variance) ** 2)
    assert total_correlation(z, q, n_images=n).item() == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("n_images", [64, 60_000])
@pytest.mark.parametrize("latent_dim", [2, 10])
def test_total_correlation_of_codes_that_follow_the_prior_is_zero(latent_dim: int, n_images: int) -> None:
    zero = torch.zeros(64, latent_dim, dtype=torch.float64)
    z = torch.randn(64, latent_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert total_correlation(z, DiagonalNormal(zero, zero), n_images=n_images).item() == pytest.approx(0.0, abs=1e-10)


def test_total_correlation_of_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match="two images"):
        total_correlation(LOC[:1], DiagonalNormal(LOC[:1], LOC[:1]), n_images=10)


def test_the_gradient_of_total_correlation_pulls_correlated_codes_apart() -> None:
    torch.manual_seed(1)
    base = torch.randn(256, 1, dtype=torch.float64)
    loc = torch.cat((base, base + 0.3 * torch.randn(256, 1, dtype=torch.float64)), dim=1).requires_grad_()
    q = DiagonalNormal(loc, torch.full_like(loc, math.log(0.3)))
    noise = torch.randn(256, 2, dtype=torch.float64)
    before = total_correlation(q.rsample(noise), q, n_images=1000)
    (gradient,) = torch.autograd.grad(before, loc)
    moved = DiagonalNormal(loc.detach() - 5.0 * gradient, q.log_scale)
    assert total_correlation(moved.rsample(noise), moved, n_images=1000) < before
