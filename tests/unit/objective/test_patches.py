"""Patches of codes: the decoder's own logits from fewer terms, and none where that would not pay."""

import pytest
import torch
from test_blocks import model_of

from vae_explorer.objective.blocks import blocked_log_likelihoods
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.patches import MOST_CODES, patch_of


def model(**values):
    return model_of({"likelihood": "bernoulli", "hidden": [64], "latent_dim": 2, **values}, shape=(1, 9, 7))


def codes(n, *, width, dims=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, dims, generator=generator) + width * (torch.rand(n, dims, generator=generator) - 0.5)


@pytest.mark.parametrize("latent_dim", [1, 2])
@pytest.mark.parametrize("width", [0.0, 0.05, 0.5])
def test_a_patch_gives_the_decoders_logits(latent_dim, width):
    decoder, z = model(latent_dim=latent_dim).decoder, codes(300, width=width, dims=latent_dim)
    patch = patch_of(decoder, z)
    assert patch.features.shape[1] <= latent_dim + 32
    logits = torch.addmm(patch.bias, patch.features, patch.weight.T)
    torch.testing.assert_close(logits, decoder(z).flatten(1), rtol=1e-5, atol=1e-5)


def test_units_that_switch_keep_a_term_of_their_own():
    few, many = (patch_of(model().decoder, codes(300, width=width)) for width in (0.0, 0.5))
    assert few.features.shape[1] == 2
    assert many.features.shape[1] > 2


@pytest.mark.parametrize(
    ("values", "n", "width"),
    [
        ({}, 300, 50.0),
        ({}, 20, 0.1),
        ({}, MOST_CODES + 1, 0.1),
        ({"latent_dim": 3}, 300, 0.1),
        ({"activation": "tanh"}, 300, 0.1),
        ({"hidden": [8, 16]}, 300, 0.1),
        ({"hidden": []}, 300, 0.1),
    ],
    ids=["all switch", "few codes", "many codes", "three dimensions", "tanh", "two layers", "affine"],
)
def test_there_is_no_patch_where_it_would_not_pay(values, n, width):
    assert patch_of(model(**values).decoder, codes(n, width=width, dims=values.get("latent_dim", 2))) is None


@pytest.mark.parametrize("width", [0.1, 50.0])
def test_likelihoods_in_blocks_are_the_same_through_a_patch(width):
    known = model()
    x = torch.rand(3, 1, 9, 7, generator=torch.Generator().manual_seed(1))
    z = codes(360, width=width).reshape(120, 3, 2)
    with torch.no_grad():
        exact = log_likelihoods(known.double(), x.double(), z.double())
    known.float()
    torch.testing.assert_close(blocked_log_likelihoods(known, x, z), exact.float(), rtol=3e-6, atol=1e-4)
