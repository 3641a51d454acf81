"""Questions to a model: agreement among the answers, draws, chunks and frozen copies."""

import numpy as np
import pytest
import torch

from vae_explorer.training.session import TrainingSession


@pytest.fixture
def session(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config, digits_data)
    for _ in range(30):
        session.advance()
    return session


@pytest.fixture
def autoencoder(tiny_config, digits_data):
    return TrainingSession.new(tiny_config.with_values({"model.kind": "autoencoder"}), digits_data)


def test_encode_keeps_elbo_equal_to_minus_distortion_and_kl(session):
    found = session.encode(np.array([3, 700, 5]))
    assert found.reconstructions.shape == (3, 1, 8, 8)
    assert found.kl_per_dim.shape == found.loc.shape == found.scale.shape == (3, 2)
    np.testing.assert_allclose(found.elbo, -(found.distortion + found.kl), rtol=1e-6)
    np.testing.assert_allclose(found.kl, found.kl_per_dim.sum(1), rtol=1e-6)
    assert (found.kl >= 0).all()
    assert (found.scale > 0).all()
    assert (found.elbo_mc_se > 0).all()
    np.testing.assert_array_equal(found.reconstructions, session.decode(found.loc))


def test_an_images_figures_do_not_depend_on_its_company(session):
    together, alone = session.encode(np.array([3, 700, 5])), session.encode(np.array([700]))
    np.testing.assert_allclose(together.elbo[1:2], alone.elbo, rtol=1e-5)


def test_the_monte_carlo_error_is_that_of_repeated_estimates(session):
    estimates = [session.encode(np.array([8]), samples=64, seed=seed) for seed in range(200)]
    spread = np.std([estimate.elbo[0] for estimate in estimates])
    assert np.mean([estimate.elbo_mc_se[0] for estimate in estimates]) == pytest.approx(spread, rel=0.2)


def test_more_draws_than_fit_in_a_chunk(session):
    found = session.encode(np.array([1, 2]), samples=3000)
    few = session.encode(np.array([1, 2]), samples=64)
    assert (np.abs(found.elbo - few.elbo) < 5 * few.elbo_mc_se).all()
    assert np.isnan(session.encode(np.array([1]), samples=1).elbo_mc_se).all()


def test_codes_agree_with_encode(session, digits_data):
    indices = np.arange(len(digits_data))
    codes, encoded = session.codes(indices), session.encode(indices[:50])
    np.testing.assert_allclose(codes.loc[:50], encoded.loc, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(codes.kl[:50], encoded.kl, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(codes.kl_per_dim.sum(), codes.kl.mean(), rtol=1e-4)
    assert abs(codes.distortion[:50].mean() - encoded.distortion.mean()) < 2
    np.testing.assert_array_equal(codes.distortion, session.codes(indices).distortion)


def test_decode_works_in_fixed_chunks(session):
    z = np.random.default_rng(0).normal(size=(150, 2)).astype(np.float32)
    whole = session.decode(z)
    np.testing.assert_array_equal(whole[64:128], session.decode(z[64:128]))
    assert whole.dtype == np.float32
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_a_draw_is_of_the_seed_and_differs_from_the_mean(session):
    z = np.zeros((5, 2), dtype=np.float32)
    first, again, other = (session.decode(z, draw_seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert set(np.unique(first)) == {0.0, 1.0}
    assert (first[0] != first[1]).any()
    drawn = session.encode(np.array([3]), draw_seed=1).reconstructions
    assert set(np.unique(drawn)) <= {0.0, 1.0}


def test_no_code_is_no_image(session):
    assert session.decode(np.empty((0, 2), dtype=np.float32)).shape == (0, 1, 8, 8)


def test_a_frozen_model_stands_still_while_training_goes_on(session):
    frozen, z = session.frozen(), np.ones((3, 2), dtype=np.float32)
    before, step = frozen.decode(z), session.step
    np.testing.assert_array_equal(before, session.decode(z))
    for _ in range(20):
        session.advance()
    np.testing.assert_array_equal(frozen.decode(z), before)
    assert (session.decode(z) != before).any()
    assert frozen.step == step < session.step
    assert frozen.frozen() is frozen
    assert not any(parameter.requires_grad for parameter in frozen.model.parameters())


def test_an_autoencoder_answers_without_a_bound(autoencoder):
    found, codes = autoencoder.encode(np.arange(4)), autoencoder.codes(np.arange(4))
    for answer in (found, codes):
        assert np.isnan(answer.elbo).all()
        assert np.isnan(answer.kl).all()
        assert np.isfinite(answer.distortion).all()
        assert answer.kl_per_dim is None
        assert (answer.scale == 0).all()
    assert np.isnan(found.elbo_mc_se).all()


def test_asking_leaves_the_global_generator_alone(session):
    before = torch.get_rng_state()
    session.encode(np.arange(3), draw_seed=1)
    session.codes(np.arange(3))
    assert torch.equal(torch.get_rng_state(), before)
