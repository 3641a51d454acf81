"""The ladder of importance-weighted bounds: in order, exact where q is, with honest errors."""

import numpy as np
import pytest
import torch
from known_models import linear, trained

from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation import importance
from vae_explorer.evaluation.exact_posterior import grid_slices, inspect_slices
from vae_explorer.evaluation.ladder import climb_slices
from vae_explorer.evaluation.slices import drain


def test_the_bounds_rise_to_log_px():
    known = linear(3)
    for index in (0, 9):
        ladder = drain(climb_slices(known.model, index, samples=20_000))
        assert ladder.k.tolist()[:6] == [1, 2, 5, 10, 20, 50]
        assert ladder.k[-1] == 20_000
        slack = 3 * (ladder.errors[1:] + ladder.errors[:-1])
        assert (np.diff(ladder.bounds) > -slack).all()
        assert (ladder.bounds < known.log_px[index] + 4 * ladder.errors).all()
        assert ladder.log_px == pytest.approx(known.log_px[index], abs=4 * ladder.log_px_mc_se)
        assert ladder.bounds[-1] == pytest.approx(ladder.log_px)


def test_the_first_rung_is_the_elbo(plane_model):
    grid = drain(grid_slices(plane_model, side=61))
    exact = drain(inspect_slices(plane_model, grid, 3, is_fine=True))
    ladder = drain(climb_slices(plane_model, 3, samples=20_000))
    assert ladder.bounds[0] == pytest.approx(exact.elbo, abs=float(5 * ladder.errors[0]))


def test_all_bounds_are_log_px_where_q_is_the_posterior():
    known = linear(2, correlated=False)
    _, covariance = known.posterior
    network = known.model.model.encoder[1]
    gain = known.weights.T / 0.09 * covariance[0, 0]
    network.weight[:2] = torch.tensor(gain)
    network.bias[:2] = torch.tensor(-gain @ known.bias)
    network.bias[2:] = float(0.5 * np.log(covariance[0, 0]))
    ladder = drain(climb_slices(known.model, 5, samples=500))
    np.testing.assert_allclose(ladder.bounds, known.log_px[5], atol=1e-4)
    np.testing.assert_allclose(ladder.errors, 0, atol=1e-5)
    assert ladder.ess == pytest.approx(500, rel=1e-4)


def test_the_same_seed_gives_the_same_ladder_and_samples_of_one_are_a_bound_without_error():
    known = linear(2)
    first, again, other = (drain(climb_slices(known.model, 1, samples=50, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.bounds, again.bounds)
    assert first.log_px != other.log_px
    single = drain(climb_slices(known.model, 1, samples=1))
    assert single.k.tolist() == [1]
    assert np.isnan(single.errors).all()


def test_what_cannot_be_climbed_is_one_sentence(tiny_config, digits_data, monkeypatch):
    with pytest.raises(UsageError, match="no prior"):
        drain(climb_slices(trained(tiny_config, digits_data, steps=1, model__kind="autoencoder"), 0))
    known = linear(2)
    with pytest.raises(UsageError, match="at least one draw"):
        drain(climb_slices(known.model, 0, samples=0))
    monkeypatch.setattr(importance, "free_memory_bytes", lambda: 1_000_000)
    with pytest.raises(UsageError, match=r"5,000 samples .* do not fit in memory, expected at most"):
        drain(climb_slices(known.model, 0))
    monkeypatch.undo()
    known.model.model.encoder[1].bias.fill_(torch.nan)
    with pytest.raises(DivergedError, match="earlier checkpoint"):
        drain(climb_slices(known.model, 0, samples=10))
