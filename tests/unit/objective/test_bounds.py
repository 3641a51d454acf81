"""Bounds and gradients over log-weights, on problems whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from vae_explorer.model.latents import DiagonalNormal, StandardNormal
from vae_explorer.objective import bounds


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian_log_weights(k: int, n: int, *, scale: float = 0.6, seed: int = 0) -> Tensor:
    """Log-weights of x = 1 under p(z) = N(0, 1), p(x|z) = N(z, 1), with q = N(0.3, scale^2), not the posterior."""
    z = 0.3 + scale * torch.randn(k, n, generator=generator(seed), dtype=torch.float64)
    log_joint = -0.5 * z**2 - 0.5 * (1.0 - z) ** 2 - math.log(2 * math.pi)
    return log_joint + 0.5 * ((z - 0.3) / scale) ** 2 + math.log(scale) + 0.5 * math.log(2 * math.pi)


LOG_PX = float(scipy.stats.norm.logpdf(1.0, 0.0, math.sqrt(2.0)))


def test_a_single_sample_is_its_own_bound() -> None:
    log_weight = torch.tensor([[-3.0, 2.0]])
    assert torch.equal(bounds.iwae_bound(log_weight), log_weight[0])
    assert bounds.log_mean_exp_error(log_weight).isnan().all()


def test_the_best_sample_weighs_most_not_least() -> None:
    # A defect seen elsewhere: softmax of -log w gives most weight to the worst sample.
    log_weight = torch.tensor([[0.0], [-100.0]])
    assert bounds.iwae_bound(log_weight).item() == pytest.approx(-math.log(2))
    assert bounds.effective_sample_size(log_weight).item() == pytest.approx(1.0)


def test_bounds_climb_to_log_px_in_order() -> None:
    log_weight = gaussian_log_weights(1000, 400)
    means, errors = [], []
    for k in (1, 2, 5, 20, 100, 1000):
        draws = bounds.grouped_bounds(log_weight, k).flatten()
        means.append(draws.mean().item())
        errors.append(draws.std().item() / math.sqrt(len(draws)))
    for (low, low_error), (high, high_error) in zip(
        zip(means, errors, strict=True), zip(means[1:], errors[1:], strict=True), strict=False
    ):
        assert low <= high + 3 * math.hypot(low_error, high_error)
    assert means[0] < LOG_PX - 0.05
    assert means[-1] == pytest.approx(LOG_PX, abs=4 * errors[-1] + 1e-3)


def test_the_stated_error_is_that_of_the_estimate() -> None:
    log_weight = gaussian_log_weights(500, 2000, scale=0.9)
    estimates = bounds.iwae_bound(log_weight)
    stated = bounds.log_mean_exp_error(log_weight).mean().item()
    assert stated == pytest.approx(estimates.std().item(), rel=0.1)


def test_effective_sample_size_of_equal_weights_is_their_number() -> None:
    assert bounds.effective_sample_size(torch.full((40, 3), -700.0)).tolist() == pytest.approx([40.0] * 3)


@pytest.mark.parametrize("shape", [0.1, 0.5, 0.9])
def test_k_hat_finds_the_shape_of_a_pareto_tail(shape: float) -> None:
    # 40,000 weights: a tail of 600, whose maximum-likelihood error is (1 + k) / sqrt(600).
    weights = scipy.stats.genpareto.rvs(shape, size=(40_000, 8), random_state=np.random.default_rng(3))
    k_hat = bounds.pareto_k_hat(torch.tensor(weights).log())
    assert k_hat.mean().item() == pytest.approx(shape, abs=4 * (1 + shape) / math.sqrt(600 * 8) + 0.01)


def test_k_hat_does_not_depend_on_the_weights_unit() -> None:
    log_weight = gaussian_log_weights(400, 5)
    assert torch.allclose(bounds.pareto_k_hat(log_weight), bounds.pareto_k_hat(log_weight - 5000.0), atol=1e-8)


def test_k_hat_of_few_or_equal_weights() -> None:
    assert bounds.pareto_k_hat(torch.zeros(10, 2)).isnan().all()
    assert (bounds.pareto_k_hat(torch.zeros(100, 2)) == -torch.inf).all()


def test_k_hat_is_bad_where_q_is_too_narrow_and_good_where_it_is_wide() -> None:
    assert bounds.pareto_k_hat(gaussian_log_weights(2000, 20, scale=0.2)).median() > 0.7
    assert bounds.pareto_k_hat(gaussian_log_weights(2000, 20, scale=1.0)).median() < 0.5


# ---- gradients ----------------------------------------------------------------------------------------------------

X, BATCH = 1.0, 20_000


def gradients(kind: str, *, k: int, is_importance: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard error over BATCH draws of the gradient in (q's loc, q's log scale, theta)."""
    leaves = torch.tensor([0.3, math.log(0.6), 0.2], dtype=torch.float64).repeat(BATCH, 1).requires_grad_()
    loc, log_scale, theta = (leaves[:, i : i + 1] for i in range(3))
    q = DiagonalNormal(loc, log_scale)
    seed = ["reparameterised", "dreg", "score_function"].index(kind)  # independent draws, so that errors add up
    noise = torch.randn(k, BATCH, 1, generator=generator(seed), dtype=torch.float64)
    z = q.rsample(noise)
    if kind == "score_function":
        z = z.detach()
    density = DiagonalNormal(loc.detach(), log_scale.detach()) if kind == "dreg" else q
    log_joint = StandardNormal(1).log_prob(z) - 0.5 * (X - theta - z).square().sum(-1)
    log_weight = log_joint - density.log_prob(z)
    bound = bounds.iwae_bound(log_weight) if is_importance else log_weight.mean(0)
    if kind == "dreg":
        surrogate = bounds.dreg_surrogate(log_weight, z, is_importance=is_importance)
    elif kind == "score_function":
        signal = bounds.iwae_signal(log_weight) if is_importance else bounds.elbo_signal(log_weight)
        surrogate = bound + bounds.score_function_surrogate(signal, q.log_prob(z))
    else:
        surrogate = bound
    (gradient,) = torch.autograd.grad(surrogate.sum(), leaves)
    return gradient.mean(0), gradient.std(0) / math.sqrt(BATCH)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("is_importance", [False, True])
@pytest.mark.parametrize("kind", ["dreg", "score_function"])
def test_other_gradients_agree_with_the_reparameterised_one_in_the_mean(kind: str, k: int, is_importance: bool) -> None:
    expected, expected_error = gradients("reparameterised", k=k, is_importance=is_importance)
    found, error = gradients(kind, k=k, is_importance=is_importance)
    assert ((found - expected).abs() <= 4 * torch.hypot(error, expected_error) + 1e-12).all()
    assert (expected.abs() > 10 * expected_error).all()  # else agreement would say nothing


def test_the_score_function_is_the_noisiest() -> None:
    _, quiet = gradients("reparameterised", k=1, is_importance=False)
    _, noisy = gradients("score_function", k=1, is_importance=False)
    assert (noisy[:2] > 1.3 * quiet[:2]).all()


def test_the_dreg_gradient_falls_silent_where_q_is_the_posterior() -> None:
    loc, log_scale = (
        torch.full((64, 1), value, dtype=torch.float64, requires_grad=True) for value in (0.5, math.log(0.5**0.5))
    )
    q = DiagonalNormal(loc, log_scale)
    z = q.rsample(torch.randn(8, 64, 1, generator=generator(), dtype=torch.float64))
    stopped = DiagonalNormal(loc.detach(), log_scale.detach())
    log_weight = StandardNormal(1).log_prob(z) - 0.5 * (X - z).square().sum(-1) - stopped.log_prob(z)
    grads = torch.autograd.grad(bounds.dreg_surrogate(log_weight, z, is_importance=True).sum(), (loc, log_scale))
    assert max(gradient.abs().max().item() for gradient in grads) < 1e-12
