"""Questions to a model: agreement among the answers, draws, chunks and frozen copies."""

import numpy as np
import pytest
import torch

from vae_explorer.errors import UsageError
from vae_explorer.objective.log_weights import importance_log_weights
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


def trained(tiny_config, digits_data, steps=30, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    session = TrainingSession.new(tiny_config.with_values(keys), digits_data)
    for _ in range(steps):
        session.advance()
    return session.frozen()


@pytest.mark.parametrize("prior", ["mixture", "vampprior"])
def test_a_learnt_prior_has_a_sampled_kl_with_its_error(tiny_config, digits_data, prior):
    reader = trained(tiny_config, digits_data, model__prior=prior, model__components=3)
    found = reader.figures(np.array([3, 700, 5]), samples=2000)  # more than fit in a chunk
    assert found.kl_per_dim is None
    np.testing.assert_allclose(found.elbo, -(found.distortion + found.kl), rtol=1e-6)
    again = reader.figures(np.array([3, 700, 5]), samples=2000, seed=1)
    assert (np.abs(found.kl - again.kl) < 6 * np.hypot(found.kl_mc_se, again.kl_mc_se)).all()
    assert (found.kl != again.kl).all()
    assert reader.codes(np.arange(5)).kl_per_dim is None


def test_a_closed_form_has_no_error(session):
    assert session.encode(np.array([3])).kl_mc_se is None


def test_terms_of_an_image_are_its_figures_draw_by_draw(session):
    reader = session.frozen()
    terms, figures = reader.terms(8, samples=64), reader.figures(np.array([8]), samples=64)
    assert terms.z.shape == (64, 2)
    assert (terms.pixels, terms.latent_dim, terms.index) == (64, 2, 8)
    assert -terms.log_likelihood.mean() == pytest.approx(float(figures.distortion[0]), rel=1e-5)
    assert terms.kl == pytest.approx(float(figures.kl[0]), rel=1e-5)
    assert terms.kl == pytest.approx(float(terms.kl_per_dim.sum()), rel=1e-5)
    sampled = terms.log_posterior - terms.log_prior
    assert abs(sampled.mean() - terms.kl) < 5 * sampled.std() / 8
    loc, scale = figures.loc[0], figures.scale[0]
    density = -0.5 * ((terms.z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(terms.log_posterior, density.sum(1), rtol=1e-4, atol=1e-4)


def test_terms_where_there_is_no_closed_form_or_no_density(tiny_config, digits_data, autoencoder):
    learnt = trained(tiny_config, digits_data, model__prior="mixture").terms(3, samples=5)
    assert learnt.kl is learnt.kl_per_dim is None
    assert np.isfinite(learnt.log_prior).all()
    points = autoencoder.frozen().terms(3, samples=5)
    assert points.kl is None
    assert np.isnan(points.log_prior).all()
    assert np.isfinite(points.log_likelihood).all()
    assert (points.z == points.z[0]).all()


def test_codes_of_the_prior_are_of_the_seed(session, autoencoder):
    reader = session.frozen()
    codes = reader.prior_codes(5000, seed=3)
    np.testing.assert_array_equal(codes, reader.prior_codes(5000, seed=3))
    assert (codes != reader.prior_codes(5000, seed=4)).any()
    np.testing.assert_allclose(codes.mean(0), 0, atol=0.08)
    np.testing.assert_allclose(codes.std(0), 1, atol=0.08)
    with pytest.raises(UsageError, match="no prior"):
        autoencoder.frozen().prior_codes(3)


def test_codes_of_a_learnt_prior_are_its_own(tiny_config, digits_data):
    reader = trained(tiny_config, digits_data, model__prior="mixture", model__components=2)
    prior = reader.model.prior()
    mean = (prior.log_weights.exp()[:, None] * prior.loc).sum(0).numpy()
    np.testing.assert_allclose(reader.prior_codes(20_000).mean(0), mean, atol=0.05)


def test_codes_of_the_aggregate_posterior_are_those_of_its_images(session):
    reader = session.frozen()
    one = reader.aggregate_codes(4000, indices=np.array([7]))
    of_image = reader.encode(np.array([7]))
    np.testing.assert_allclose(one.mean(0), of_image.loc[0], atol=5 * of_image.scale.max() / 4000**0.5)
    np.testing.assert_allclose(one.std(0), of_image.scale[0], rtol=0.1)
    everyone = reader.aggregate_codes(4000, seed=2)
    np.testing.assert_array_equal(everyone, reader.aggregate_codes(4000, seed=2))
    codes = reader.codes(np.arange(len(reader.pixels)))
    variance = (codes.loc**2 + codes.scale**2).mean(0) - codes.loc.mean(0) ** 2
    np.testing.assert_allclose(everyone.var(0), variance, rtol=0.15)


def test_the_aggregate_of_an_autoencoder_is_its_codes(autoencoder):
    reader = autoencoder.frozen()
    known = {tuple(code) for code in reader.codes(np.arange(10)).loc.round(4).tolist()}
    drawn = {tuple(code) for code in reader.aggregate_codes(50, indices=np.arange(10)).round(4).tolist()}
    assert drawn <= known
    assert len(drawn) > 3


def test_a_class_of_a_model_without_classes_is_one_sentence(session):
    with pytest.raises(UsageError, match="no classes"):
        session.decode(np.zeros((1, 2), dtype=np.float32), label=3)


def test_m2_tells_classes_and_decodes_each_image_under_its_own(tiny_config, digits_data):
    reader = trained(tiny_config, digits_data, model__kind="m2", data__labels_per_class=10, train__labelled_batch=32)
    indices = np.arange(6)
    encoded, codes = reader.encode(indices), reader.codes(indices)
    np.testing.assert_allclose(encoded.class_probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(codes.predicted, encoded.class_probabilities.argmax(1))
    for row, label in enumerate(codes.predicted.tolist()):
        alone = reader.decode(encoded.loc[row : row + 1], label=label)
        np.testing.assert_allclose(encoded.reconstructions[row : row + 1], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoded.elbo, -(encoded.distortion + encoded.kl), rtol=1e-6)


def test_terms_of_m2_are_those_of_class_and_style(tiny_config, digits_data):
    reader = trained(tiny_config, digits_data, model__kind="m2", data__labels_per_class=10, train__labelled_batch=32)
    for index in range(4):  # some of a class that is certain, some not
        terms, figures = reader.terms(index, samples=4000), reader.figures(np.array([index]), samples=500)
        assert terms.kl == pytest.approx(float(figures.kl[0]), rel=1e-5), "the one in closed form, of y and z"
        assert terms.kl_per_dim is None, "the class's part belongs to no dimension"
        error = terms.log_likelihood.std() / 4000**0.5 + figures.elbo_mc_se[0]
        assert abs(terms.log_likelihood.mean() + figures.distortion[0]) < 5 * error
        sampled = terms.log_posterior - terms.log_prior
        assert abs(sampled.mean() - terms.kl) < 5 * sampled.std() / 4000**0.5


def test_the_bound_of_m2_from_its_terms_lies_below_log_px_which_their_weights_give(tiny_config, digits_data):
    reader = trained(tiny_config, digits_data, model__kind="m2", data__labels_per_class=10, train__labelled_batch=32)
    noise = torch.randn(20_000, 1, reader.model.noise_dim, generator=torch.Generator().manual_seed(1))
    for index in range(3):
        x = reader.pixels.take_seeded(np.array([index]), 0)
        with torch.no_grad():
            enumerated = importance_log_weights(reader.model, x, noise)[:, 0].double().numpy()
        log_px = np.logaddexp.reduce(enumerated) - np.log(len(enumerated))
        terms = reader.terms(index, samples=20_000)
        weights = (terms.log_likelihood + terms.log_prior - terms.log_posterior).astype(np.float64)
        bound = terms.log_likelihood.astype(np.float64) - terms.kl
        assert bound.mean() + 5 * bound.std() / 20_000**0.5 < log_px
        relative = np.exp(weights - log_px)
        assert abs(relative.mean() - 1) < 5 * relative.std() / 20_000**0.5 + 0.02


def test_terms_of_the_stacked_model_have_a_prior_without_a_closed_form(tiny_config, digits_data):
    values = {
        "model__style_dim": 2,
        "data__labels_per_class": 10,
        "train__labelled_batch": 32,
        "train__pretrain_steps": 5,
    }
    reader = trained(tiny_config, digits_data, model__kind="m1m2", **values)
    terms = reader.terms(3, samples=8)
    assert terms.kl is terms.kl_per_dim is None
    assert np.isfinite(terms.log_prior).all()
