"""Likelihoods in blocks: the same as all at once, for every kind of decoder and head, whatever the block's size."""

import pytest
import torch

from vae_explorer.config import RunConfig
from vae_explorer.model.kernels import Kernels
from vae_explorer.model.model import build_model
from vae_explorer.objective import blocks
from vae_explorer.objective.blocks import block_codes, blocked_log_likelihoods
from vae_explorer.objective.log_weights import log_likelihoods

KINDS = [
    {"likelihood": "bernoulli"},
    {"likelihood": "bernoulli", "hidden": []},
    {"likelihood": "bernoulli", "network": "conv", "channels": [4, 8]},
    {"likelihood": "continuous_bernoulli"},
    {"likelihood": "gaussian", "variance": "unit"},
    {"likelihood": "gaussian", "variance": "per_pixel"},
    {"likelihood": "gaussian", "variance": "decoder"},
    {"likelihood": "gaussian", "variance": "unit", "network": "conv", "channels": [4, 8]},
    {"likelihood": "discretised_logistic", "variance": "learnt"},
]


def model_of(values, *, shape=(1, 14, 14), scale=1.0):
    config = RunConfig().with_values({
        "train.device": "cpu", "model.hidden": [16], "model.latent_dim": 3,
        **{f"model.{key}": value for key, value in values.items()},
    })  # fmt: skip
    model = build_model(config, shape, 255).requires_grad_(False)
    if scale != 1.0:
        model.decoder[-2].weight.mul_(scale)
    return model


def images_and_codes(model, *, samples, images):
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(0, 256, (images, *model.shape), generator=generator) / 255
    return x, torch.randn(samples, images, model.latent_dim, generator=generator)


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(map(str, values.values())))
@pytest.mark.parametrize(("samples", "images"), [(1, 1), (1, 40), (7, 13), (300, 2)])
def test_they_are_those_of_all_codes_at_once(monkeypatch, values, samples, images):
    model = model_of(values)
    monkeypatch.setitem(blocks.BLOCK_NUMBERS, "cpu", 50 * 196)
    x, z = images_and_codes(model, samples=samples, images=images)
    with torch.no_grad():
        known = log_likelihoods(model, x, z)
    found = blocked_log_likelihoods(model, x, z)
    assert found.shape == (samples, images)
    torch.testing.assert_close(found, known, rtol=3e-6, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 9, 11), (3, 17, 13)])
def test_sure_pixels_keep_their_digits(shape, scale):
    """Logits up to some hundreds, most of which cancel with the image: against double precision."""
    model = model_of({"likelihood": "bernoulli"}, shape=shape, scale=scale)
    x, z = images_and_codes(model, samples=200, images=3)
    x = model.likelihood(z[0]).mean.round()
    exact = log_likelihoods(model.double(), x.double(), z.double())
    model.float()
    torch.testing.assert_close(blocked_log_likelihoods(model, x, z), exact.float(), rtol=2e-6, atol=2e-4)


def test_an_overflowing_decoder_is_not_taken_for_a_sure_one():
    model = model_of({"likelihood": "bernoulli"})
    x, z = images_and_codes(model, samples=2, images=2)
    z[0, 1] = torch.inf
    found = blocked_log_likelihoods(model, x, z)
    assert not found[0, 1].isfinite()
    assert found[1].isfinite().all()


def test_a_block_holds_so_many_pixels_and_at_least_one_code(monkeypatch):
    model = model_of({"likelihood": "bernoulli"})
    assert block_codes(model) == (1 << 18) // 196
    monkeypatch.setitem(blocks.BLOCK_NUMBERS, "cpu", 100)
    assert block_codes(model) == 1


def test_a_compiler_that_fails_leaves_the_plain_way(monkeypatch):
    def failing(*_arguments):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", lambda _function, **_keywords: failing)
    model = model_of({"likelihood": "bernoulli"})
    x, z = images_and_codes(model, samples=5, images=2)
    compiled = Kernels(blocks._block)
    for _ in range(2):
        torch.testing.assert_close(compiled(model, x, z), blocked_log_likelihoods(model, x, z))
