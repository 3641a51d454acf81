"""A copied model answers as the one it was copied from did, whatever becomes of that one."""

import copy

import pytest
import torch
from torch import nn

from vae_explorer.config import RunConfig
from vae_explorer.model.copying import copied_module
from vae_explorer.model.model import build_model

SHAPE = (1, 8, 8)
KINDS = {
    "vae": {},
    "conv": {"model.network": "conv", "model.channels": [4], "model.hidden": [8]},
    "autoencoder": {"model.kind": "autoencoder"},
    "learnt scale": {"model.likelihood": "gaussian", "model.variance": "per_pixel"},
    "fixed scale": {"model.likelihood": "gaussian", "model.variance": "fixed"},
    "mixture": {"model.prior": "mixture"},
    "vampprior": {"model.prior": "vampprior"},
    "m2": {"model.kind": "m2"},
    "m1m2": {"model.kind": "m1m2"},
}


def tensors_of(model):
    return dict(model.named_parameters()) | dict(model.named_buffers())


@pytest.fixture(params=KINDS)
def model(request):
    config = RunConfig().with_values({"model.hidden": [8], **KINDS[request.param]})
    return build_model(config, SHAPE, 16, n_classes=3)


def answers(model, z, x):
    likelihood = model.likelihood(z)
    posterior = model.posterior(x)
    return [likelihood.mean, getattr(posterior, "loc", x)]


def test_nothing_is_shared_and_all_is_equal(model):
    copied, held = copied_module(model), tensors_of(model)
    found = tensors_of(copied)
    assert list(found) == list(held)
    for name, tensor in found.items():
        assert torch.equal(tensor, held[name])
        assert tensor.untyped_storage().data_ptr() != held[name].untyped_storage().data_ptr()
        assert not tensor.requires_grad
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert type(copied) is type(model)


def test_it_answers_as_before_when_the_other_is_changed(model):
    generator = torch.Generator().manual_seed(0)
    z, x = torch.randn(4, model.latent_dim, generator=generator), torch.rand(4, *SHAPE, generator=generator)
    copied, deep = copied_module(model), copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
        for found, known in zip(answers(copied, z, x), answers(deep, z, x), strict=True):
            # Not to the last bit: where the memory begins decides how its numbers are added up.
            torch.testing.assert_close(found, known, rtol=1e-6, atol=1e-6)


def test_a_tensor_that_pytorch_does_not_know_of_is_refused():
    holder = nn.Linear(2, 2)
    vars(holder)["secret"] = torch.zeros(2)
    with pytest.raises(TypeError, match=r"Linear\.secret"):
        copied_module(holder)


def test_what_is_held_twice_is_copied_once():
    layer = nn.Linear(2, 2)
    copied = copied_module(nn.Sequential(layer, layer))
    assert copied[0] is copied[1]
