"""Heads: every setting of a likelihood's scale and output, its start, its floor and its gradient."""

import math

import pytest
import torch

from vae_explorer.config import RunConfig
from vae_explorer.model.heads import INITIAL_SCALE
from vae_explorer.model.likelihoods import Bernoulli, ContinuousBernoulli, DiscretisedLogistic, Gaussian
from vae_explorer.model.model import build_model

SCALED = ["gaussian", "discretised_logistic"]


def build(*, shape=(3, 8, 9), max_value=255, **values):
    keys = {"hidden": [12], "channels": [4], **values}
    return build_model(RunConfig().with_values({f"model.{k}": v for k, v in keys.items()}), shape, max_value)


@pytest.mark.parametrize(
    ("name", "kind", "is_density"),
    [
        ("bernoulli", Bernoulli, False),
        ("continuous_bernoulli", ContinuousBernoulli, True),
        ("gaussian", Gaussian, True),
        ("discretised_logistic", DiscretisedLogistic, False),
    ],
)
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_each_likelihood_by_its_name(name, kind, is_density, network):
    likelihood = build(likelihood=name, network=network).likelihood(torch.zeros(2, 2))
    assert type(likelihood) is kind
    assert likelihood.is_density is is_density
    x = torch.zeros(2, 3, 8, 9)
    assert likelihood.mean.shape == x.shape
    assert likelihood.log_prob(x).shape == (2,)
    assert likelihood.sample(torch.Generator().manual_seed(0)).shape == x.shape


@pytest.mark.parametrize("likelihood", SCALED)
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize(
    ("variance", "scale"),
    [("unit", 1.0), ("fixed", 0.3), ("learnt", INITIAL_SCALE), ("per_pixel", INITIAL_SCALE), ("decoder", None)],
)
def test_the_scale_and_where_it_starts(likelihood, network, variance, scale):
    model = build(likelihood=likelihood, network=network, variance=variance, scale=0.3)
    found = model.likelihood(torch.zeros(2, 2)).log_scale
    sizes = {"per_pixel": (3, 8, 9), "decoder": (2, 3, 8, 9)}
    assert found.shape == sizes.get(variance, ())
    assert (model.learnt_log_scale is not None) == (variance in ("learnt", "per_pixel"))
    if scale is None:  # raw outputs of fresh networks are small
        assert 0.15 < found.exp().mean() < 0.4
    else:
        torch.testing.assert_close(found.exp(), torch.full(found.shape, scale))


@pytest.mark.parametrize("max_value", [1, 16, 255])
def test_a_scale_from_the_decoder_keeps_above_the_floor_and_never_loses_its_gradient(max_value):
    model = build(likelihood="gaussian", variance="decoder", max_value=max_value)
    raw = torch.cat((torch.zeros(1, 3, 8, 9), torch.full((1, 3, 8, 9), -8.0)), 1).requires_grad_()
    log_scale = model.head(raw).log_scale
    assert log_scale.min() >= model.log_scale_floor == pytest.approx(-math.log(max_value))
    assert log_scale.max() < model.log_scale_floor + 0.1
    log_scale.sum().backward()
    assert (raw.grad[:, 3:] > 1e-6).all()
    assert model.head(-100 * torch.ones(1, 6, 8, 9)).log_scale.min() >= model.log_scale_floor


def test_a_learnt_logistic_may_be_narrower_than_a_step():
    gaussian, logistic = (build(likelihood=name, variance="learnt", max_value=16) for name in SCALED)
    assert math.exp(gaussian.log_scale_floor) == pytest.approx(1 / 16)
    assert math.exp(logistic.log_scale_floor) < 0.1 / 16
    # At its floor a constant pixel costs nothing that can be seen.
    at_floor = torch.tensor(logistic.log_scale_floor)
    likelihood = DiscretisedLogistic(torch.full((1, 28, 28), 0.5), at_floor, max_value=16)
    assert likelihood.log_prob(torch.full((1, 28, 28), 0.5)).item() > -1e-3
    assert build().log_scale_floor == -math.inf


@pytest.mark.parametrize("likelihood", SCALED)
def test_the_output_is_a_sigmoid_or_the_networks_own(likelihood):
    raw = torch.linspace(-3, 3, 216).view(1, 3, 8, 9)
    torch.testing.assert_close(build(likelihood=likelihood).head(raw).loc, torch.sigmoid(raw))
    assert torch.equal(build(likelihood=likelihood, output="identity").head(raw).loc, raw)


def test_without_hidden_layers_encoder_and_decoder_are_affine():
    model = build(likelihood="gaussian", output="identity", variance="learnt", hidden=[], latent_dim=4)
    generator = torch.Generator().manual_seed(0)

    def assert_affine(function, size):
        a, b, zero = (*torch.randn(2, 1, *size, generator=generator), torch.zeros(1, *size))
        torch.testing.assert_close(function(a + b) + function(zero), function(a) + function(b))

    assert_affine(lambda z: model.likelihood(z).loc, (4,))
    assert_affine(lambda x: model.posterior(x).loc, (3, 8, 9))
    assert_affine(lambda x: model.posterior(x).log_scale, (3, 8, 9))
