"""Networks: shapes for every kind of side, PyTorch's default weights, and sentences where they do not fit."""

import itertools
import math

import pytest
import torch
from torch import nn

from vae_explorer.config import RunConfig
from vae_explorer.errors import ConfigError
from vae_explorer.model import model as model_module
from vae_explorer.model.heads import INITIAL_SCALE
from vae_explorer.model.model import build_model
from vae_explorer.model.networks import initialise


def build(shape, max_value=255, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    return build_model(RunConfig().with_values(keys), shape, max_value)


def count_of(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (28, 20), (9, 17), (128, 8), (31, 33)])
def test_conv_networks_return_images_of_the_size_they_were_given(size, channels):
    model = build((channels, *size), model__network="conv", model__channels=[4, 6, 8], model__hidden=[10])
    x = torch.rand(2, channels, *size)
    posterior = model.posterior(x)
    assert posterior.loc.shape == posterior.scale.shape == (2, 2)
    assert model.likelihood(posterior.loc).mean.shape == x.shape


@pytest.mark.parametrize("hidden", [[], [7], [9, 7, 5]])
@pytest.mark.parametrize("activation", ["relu", "tanh", "silu", "softplus"])
def test_mlp_networks_of_any_widths(hidden, activation):
    model = build((3, 5, 4), model__hidden=hidden, model__activation=activation, model__latent_dim=6)
    posterior = model.posterior(torch.rand(2, 3, 5, 4))
    assert posterior.loc.shape == (2, 6)
    assert model.likelihood(posterior.loc).mean.shape == (2, 3, 5, 4)
    widths = [60, *hidden, 12]
    encoder = sum(a * b + b for a, b in itertools.pairwise(widths))
    widths = [6, *reversed(hidden), 60]
    assert count_of(model) == encoder + sum(a * b + b for a, b in itertools.pairwise(widths))


def test_the_well_known_mnist_model_has_its_number_of_parameters():
    assert count_of(build((1, 28, 28), model__latent_dim=20)) == 784 * 400 + 400 + 2 * (400 * 20 + 20) + (
        20 * 400 + 400 + 400 * 784 + 784
    )


@pytest.mark.parametrize(("size", "most"), [((8, 8), 3), ((128, 9), 3), ((33, 20), 4)])
def test_too_many_convolutions_are_refused_with_the_most_there_can_be(size, most):
    build((1, *size), model__network="conv", model__channels=[2] * most)
    with pytest.raises(ConfigError, match=f"model.channels.*{size[0]} x {size[1]}.*at most {most}"):
        build((1, *size), model__network="conv", model__channels=[2] * (most + 1))


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 8, 129), (2, 16, 16)])
def test_images_that_convolutions_do_not_take_are_refused(shape):
    with pytest.raises(ConfigError, match=r"model.network = 'conv'.*8 to 128"):
        build(shape, model__network="conv")


def test_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (build((1, 8, 8), train__seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, dict(again.named_parameters())[name])
        assert not torch.equal(parameter, dict(other.named_parameters())[name])


@pytest.mark.parametrize("layer", [nn.Linear(50, 40), nn.Conv2d(6, 40, 4), nn.ConvTranspose2d(40, 6, 4)])
def test_weights_have_the_spread_of_pytorch_defaults(layer):
    expected = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    initialise(nn.Sequential(layer), torch.Generator().manual_seed(0))
    for name, parameter in layer.named_parameters():
        assert not torch.equal(parameter, expected[name])
        bound = expected["weight"].abs().max().item()
        assert parameter.abs().max().item() <= 1.02 * bound
        assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.35)


@pytest.mark.parametrize("layer", [nn.Linear(50, 40), nn.Conv2d(6, 40, 4), nn.ConvTranspose2d(40, 6, 4)])
def test_glorot_weights_have_the_variance_of_the_paper_and_biases_of_zero(layer):
    initialise(nn.Sequential(layer), torch.Generator().manual_seed(0), how="glorot")
    inputs, outputs = layer.weight.shape[1], layer.weight.shape[0]
    field = layer.weight[0, 0].numel()
    variance = 2 / ((inputs + outputs) * field)
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.1)
    assert layer.weight.abs().max().item() <= math.sqrt(3 * variance)
    assert layer.bias.abs().sum() == 0


def test_normal_weights_and_biases_have_the_scale_that_is_asked():
    config = {"model__hidden": [300], "model__init": "normal", "train__seed": 3}
    model = build((1, 28, 28), **config)
    for parameter in model.parameters():
        assert parameter.std().item() == pytest.approx(0.01, rel=0.05 if parameter.dim() > 1 else 0.7)
        assert parameter.abs().max().item() < 0.06
    wider = build((1, 28, 28), **config, model__init_scale=0.5)
    torch.testing.assert_close(wider.encoder[1].weight, 50 * model.encoder[1].weight)


def test_initial_weights_are_those_of_the_settings():
    glorot = build((1, 8, 8), model__init="glorot")
    assert all(parameter.abs().sum() == 0 for name, parameter in glorot.named_parameters() if name.endswith("bias"))


def test_gaussian_means_lie_in_the_unit_interval():
    model = build((1, 8, 8), model__likelihood="gaussian")
    mean = model.likelihood(100 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))).mean
    assert mean.min() >= 0
    assert mean.max() <= 1


@pytest.mark.parametrize(("variance", "scale"), [("unit", 1.0), ("fixed", 0.3), ("learnt", INITIAL_SCALE)])
def test_the_scale_of_a_gaussian(variance, scale):
    model = build((1, 8, 8), model__likelihood="gaussian", model__variance=variance, model__scale=0.3)
    assert model.likelihood(torch.zeros(1, 2)).log_scale.exp().item() == pytest.approx(scale)
    assert (model.learnt_log_scale is not None) == (variance == "learnt")


def test_a_learnt_scale_never_starts_below_its_floor():
    model = build((1, 8, 8), max_value=1, model__likelihood="gaussian", model__variance="learnt")
    assert model.learnt_log_scale.item() == model.log_scale_floor == 0


def test_a_model_larger_than_half_of_the_free_memory_is_refused_before_it_is_allocated(monkeypatch):
    size = count_of(build((1, 8, 8)))
    monkeypatch.setattr(model_module, "free_memory_bytes", lambda: 2 * size * model_module.LOOKING_BYTES)
    assert count_of(build((1, 8, 8))) == size
    monkeypatch.setattr(nn.Module, "to_empty", lambda *_, **__: pytest.fail("memory was taken"))
    with pytest.raises(ConfigError, match=f"The model has {size:,} parameters"):
        build_model(RunConfig(), (1, 8, 8), 255, bytes_per_parameter=model_module.TRAINING_BYTES)
