"""log p(x) from K codes an image: closed forms, the same codes as everywhere, memory that is bounded, and classes."""

import numpy as np
import pytest
import torch
from known_models import linear, trained
from torch.utils._python_dispatch import TorchDispatchMode

from vae_explorer.errors import UsageError
from vae_explorer.evaluation import importance
from vae_explorer.evaluation.importance import figures_slices, images_at_once, joined_figures
from vae_explorer.evaluation.slices import drain
from vae_explorer.model import counter_noise
from vae_explorer.model.noise import posterior_noise
from vae_explorer.objective import blocks
from vae_explorer.objective.log_weights import importance_log_weights

EVERY = np.arange(24)


def figures(model, indices=EVERY, *, samples, seed=0):
    return drain(figures_slices(model, np.asarray(indices), samples=samples, seed=seed))


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_log_px_of_a_linear_model_is_the_closed_form_within_its_error(latent_dim):
    known = linear(latent_dim)
    found = figures(known.model, samples=20_000)
    away = (found.log_px - known.log_px) / found.log_px_mc_se
    trusted = found.k_hat < 0.7
    assert trusted.sum() > 12
    assert np.abs(away[trusted]).max() < 4.5
    exact_elbo = known.log_px - known.gap(found.loc, found.scale)
    np.testing.assert_allclose(found.elbo, exact_elbo, atol=5 * found.elbo_mc_se.max())


def test_more_codes_are_a_tighter_bound():
    known = linear(3)
    means = [figures(known.model, samples=samples).log_px.mean() for samples in (1, 10, 100, 2000)]
    assert means[0] < means[1] < min(means[2:])
    assert means[-1] == pytest.approx(known.log_px.mean(), abs=0.1)


def test_codes_are_those_of_the_reader_whatever_is_asked_with_them(plane_model):
    indices = np.array([3, 900, 41, 7])
    found, read = figures(plane_model, indices, samples=9), plane_model.figures(indices, samples=9)
    for name in ("loc", "scale", "kl", "distortion", "elbo", "elbo_mc_se"):
        np.testing.assert_allclose(getattr(found, name), getattr(read, name), rtol=1e-5)
    alone = figures(plane_model, indices[1:2], samples=9)
    assert alone.log_px[0] == pytest.approx(found.log_px[1], rel=1e-6)


def test_many_codes_are_the_same_as_at_once(plane_model):
    found = figures(plane_model, EVERY[:3], samples=5000)
    x = plane_model.pixels.take_seeded(EVERY[:1], 0)
    noise = posterior_noise([0], samples=5000, latent_dim=2, seed=0)
    weights = importance_log_weights(plane_model.model, x, noise)
    assert found.log_px[0] == pytest.approx(float(weights.logsumexp(0) - np.log(5000)), abs=1e-4)


@pytest.fixture
def counters(monkeypatch):
    """Noise from counters, as on a CUDA device."""
    monkeypatch.setattr(counter_noise, "has_counters", lambda device: True)


@pytest.mark.usefixtures("counters")
def test_noise_from_counters_gives_the_same_within_its_error_and_does_not_depend_on_company():
    known = linear(2)
    found = figures(known.model, samples=20_000)
    away = (found.log_px - known.log_px) / found.log_px_mc_se
    trusted = found.k_hat < 0.7
    assert trusted.sum() > 12
    assert np.abs(away[trusted]).max() < 4.5
    alone = figures(known.model, EVERY[5:6], samples=20_000)
    assert alone.log_px[0] == pytest.approx(found.log_px[5], rel=1e-6)
    read = known.model.figures(EVERY[:3], samples=9)
    np.testing.assert_allclose(figures(known.model, EVERY[:3], samples=9).elbo, read.elbo, rtol=1e-5)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_pixels_held_do_not_grow_with_the_samples(plane_model, tiny_config, digits_data, monkeypatch, likelihood):
    """One image or many, one sample or 100,000: no tensor of pixels is larger than two of a block."""
    model = plane_model
    if likelihood == "gaussian":
        model = trained(tiny_config, digits_data, steps=2, model__likelihood="gaussian")
    monkeypatch.setitem(blocks.BLOCK_NUMBERS, "cpu", 48 * 64)
    most = {}
    for samples in (1, 100, 100_000):
        with _LargestOfPixels(64) as largest:
            figures(model, np.arange(60 if samples < 1000 else 1), samples=samples)
        most[samples] = largest.numbers
    assert most[1] == most[100] == most[100_000] <= 2 * 48 * 64  # the logits, and their sizes


class _LargestOfPixels(TorchDispatchMode):
    """Notes the most numbers of any tensor that holds images of codes: (k, b, D) or (k, b, C, H, W)."""

    def __init__(self, pixels):
        super().__init__()
        self.pixels, self.numbers = pixels, 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        found = function(*arguments, **(keywords or {}))
        if isinstance(found, torch.Tensor) and found.dim() in (3, 5) and found.shape[2:].numel() == self.pixels:
            self.numbers = max(self.numbers, found.numel())
        return found


def test_samples_beyond_memory_are_one_sentence(plane_model, monkeypatch):
    assert images_at_once(plane_model, 64) == 64
    assert images_at_once(plane_model, 1_000_000) == 1
    monkeypatch.setattr(importance, "free_memory_bytes", lambda: 10_000_000)
    with pytest.raises(UsageError, match=r"1,000,000 samples of an image do not fit .* at most 31,250"):
        images_at_once(plane_model, 1_000_000)


def test_an_autoencoder_has_its_distortion_from_one_code(tiny_config, digits_data):
    found = figures(trained(tiny_config, digits_data, model__kind="autoencoder"), samples=64)
    assert found.kl is found.log_px is found.elbo is None
    assert (found.distortion > 0).all()
    assert (found.scale == 0).all()


def test_a_learnt_prior_has_a_sampled_kl_with_its_error(tiny_config, digits_data):
    found = figures(trained(tiny_config, digits_data, model__prior="mixture", model__components=3), samples=200)
    assert found.kl_per_dim is None
    assert (found.kl_mc_se > 0).all()
    np.testing.assert_allclose(found.elbo, -(found.distortion + found.kl))


def test_classes_are_summed_out_of_the_weights_and_predicted(tiny_config, digits_data):
    model = trained(tiny_config, digits_data, model__kind="m2", data__labels_per_class=20)
    found = figures(model, np.arange(10), samples=400)
    assert (found.predicted == model.class_probabilities(np.arange(10)).argmax(1)).all()
    assert (found.log_px > found.elbo - 5 * found.elbo_mc_se).all()
    x = model.pixels.take_seeded(np.arange(1), 0)
    noise = torch.randn(5000, 1, 2, generator=torch.Generator().manual_seed(1))
    other = importance_log_weights(model.model, x, noise)
    assert found.log_px[0] == pytest.approx(float(other.logsumexp(0) - np.log(5000)), abs=6 * found.log_px_mc_se[0])


def test_parts_are_joined_in_order(plane_model):
    parts = [figures(plane_model, EVERY[:2], samples=3), figures(plane_model, EVERY[2:5], samples=3)]
    joined = joined_figures(parts)
    assert joined.indices.tolist() == [0, 1, 2, 3, 4]
    assert joined.log_px.shape == (5,)
    assert joined.kl_mc_se is None
