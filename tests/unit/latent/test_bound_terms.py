"""Both readings of the bound on a model whose every term is known: x ~ N(z, 1), z ~ N(0, 1), q any Gaussian."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vae_explorer.latent.bound_terms import BoundTerms, log_mean_exp, running_log_mean_exp, running_mean

X = 1.5


def log_normal(x: np.ndarray, loc: float | np.ndarray, scale: float) -> np.ndarray:
    return -0.5 * ((x - loc) / scale) ** 2 - math.log(scale) - 0.5 * math.log(2 * math.pi)


def drawn(k: int, *, loc: float, scale: float, seed: int = 0) -> BoundTerms:
    z = loc + scale * np.random.default_rng(seed).normal(size=k)
    kl = 0.5 * (loc**2 + scale**2 - 1) - math.log(scale)
    likelihood, prior, posterior = log_normal(X, z, 1.0), log_normal(z, 0.0, 1.0), log_normal(z, loc, scale)
    return BoundTerms.of(likelihood, prior, log_posterior=posterior, kl=kl)


LOG_PX = float(log_normal(np.array(X), 0.0, math.sqrt(2.0)))


def test_at_the_true_posterior_every_log_weight_is_log_px() -> None:
    terms = drawn(50, loc=X / 2, scale=math.sqrt(0.5))
    assert np.allclose(terms.log_weight, LOG_PX)
    assert terms.sampled.value == pytest.approx(LOG_PX)
    assert terms.sampled.error == pytest.approx(0.0, abs=1e-12)
    assert terms.iwae.value == pytest.approx(LOG_PX)
    assert terms.effective_samples == pytest.approx(50)


def test_both_readings_agree_within_the_monte_carlo_error() -> None:
    terms = drawn(20_000, loc=0.2, scale=0.9)
    exact = float(log_normal(np.array(X), 0.2, 1.0)) - 0.5 * 0.9**2 - terms.kl
    for estimate in (terms.closed, terms.sampled):
        assert abs(estimate.value - exact) < 4 * estimate.error
    difference = terms.difference
    assert difference.value == pytest.approx(terms.sampled.value - terms.closed.value)
    assert abs(difference.value) < 4 * difference.error
    assert terms.sampled_kl.value - terms.kl == pytest.approx(-difference.value)


def test_the_importance_weighted_bound_lies_between_elbo_and_log_px() -> None:
    terms = drawn(20_000, loc=0.2, scale=0.9)
    assert terms.sampled.value < terms.iwae.value
    assert abs(terms.iwae.value - LOG_PX) < 4 * terms.iwae.error


def test_one_draw_has_no_error_and_its_bound_is_its_log_weight() -> None:
    terms = drawn(1, loc=0.0, scale=1.0)
    assert terms.sampled.error is None
    assert terms.iwae.error is None
    assert terms.iwae.value == pytest.approx(terms.log_weight[0])


def test_the_best_draw_has_the_largest_weight() -> None:
    terms = drawn(30, loc=0.0, scale=1.0)
    assert int(np.argmax(terms.normalised_weights)) == int(np.argmax(terms.log_weight))
    assert terms.normalised_weights.sum() == pytest.approx(1.0)


def test_a_prior_without_a_closed_form_is_read_by_samples_alone() -> None:
    terms = BoundTerms.of([-3.0, -4.0], [-1.0, -2.0], log_posterior=[-0.5, -1.5], kl=None)
    assert terms.closed is None
    assert terms.difference is None
    assert terms.best_kl == terms.sampled_kl
    assert terms.elbo.value == pytest.approx(-4.0)


def test_running_figures_end_at_the_whole() -> None:
    values = np.random.default_rng(1).normal(size=40) * 30 - 900
    assert running_mean(values)[-1] == pytest.approx(values.mean())
    assert running_log_mean_exp(values)[-1] == pytest.approx(log_mean_exp(values))
    assert running_log_mean_exp(values)[0] == pytest.approx(values[0])
