"""Training with products in bfloat16: what is kept in float32, what is shared, and how near the results stay."""

import numpy as np
import pytest
import torch
from test_captured import captured
from test_session import train, weights
from training_kinds import KINDS

from vae_explorer.data.catalog import open_data
from vae_explorer.evaluation.report import evaluate
from vae_explorer.training.precision import HALF, HalfWeights
from vae_explorer.training.session import TrainingSession

NATS = 0.3
"""How far the held-out elbo may lie from that of float32."""


def halved(config, **values):
    return config.with_values({"train.precision": "bf16", **values})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_near_to_what_it_does_in_single_precision(tiny_config, digits_data, kind):
    config = tiny_config.with_values({"train.log_every": 30, **KINDS[kind]})
    whole, half = (train(TrainingSession.new(one, digits_data), 30) for one in (config, halved(config)))
    assert half[-1].loss == pytest.approx(whole[-1].loss, rel=0.03, abs=0.05)


def test_the_held_out_elbo_is_that_of_single_precision_within_its_error(tiny_config, digits_data):
    config = tiny_config.with_values({"model.hidden": [64], "train.learning_rate": 0.003, "train.evaluate_every": 600})
    elbos = []
    for one in (config, halved(config)):
        session = TrainingSession.new(one, digits_data)
        train(session, 600)
        elbos.append(evaluate(session.frozen(), digits_data, split="test", samples=8, seed=0)["elbo"])
    assert elbos[0] > -26
    assert elbos[1] == pytest.approx(elbos[0], abs=NATS)


def test_what_is_kept_and_looked_at_is_in_single_precision(tiny_config, digits_data):
    session = TrainingSession.new(halved(tiny_config), digits_data)
    train(session, 5)
    assert {parameter.dtype for parameter in session.model.parameters()} == {torch.float32}
    arrays, _ = session.state()
    assert {str(array.dtype) for name, array in arrays.items() if name != "generator"} == {"float32"}
    rounded = torch.from_numpy(weights(session)).to(HALF).float().numpy()
    assert not np.array_equal(weights(session), rounded)


def test_the_twin_has_its_layers_in_half_precision_and_shares_the_rest(tiny_config, digits_data):
    values = {
        "model.prior": "vampprior",
        "model.components": 4,
        "model.likelihood": "gaussian",
        "model.variance": "learnt",
    }
    session = TrainingSession.new(halved(tiny_config, **values), digits_data)
    train(session, 5)
    model, twin = session.model, session._updates._trained
    shared = {name for name, one in model.named_parameters() if any(one is other for other in twin.parameters())}
    assert shared == {"learnt_prior.logits", "head.log_scale"}
    halves = [parameter for parameter in twin.parameters() if parameter.dtype == HALF]
    assert len(halves) == len(list(model.parameters())) - len(shared)
    layers = [one for name, one in model.named_parameters() if name not in shared]
    for half, layer in zip(halves, layers, strict=True):
        assert torch.equal(half, layer.to(HALF))


def test_a_stacked_model_tells_its_twin_that_it_is_stacked(tiny_config, digits_data):
    session = TrainingSession.new(halved(tiny_config, **KINDS["m1m2"]), digits_data)
    train(session, 20)
    assert session.model.is_stacked
    assert session.model._stacked is session._updates._trained._stacked


@pytest.mark.parametrize("kind", ["vae", "m1m2"])
def test_going_on_is_bit_exact(tiny_config, digits_data, kind):
    config = halved(tiny_config, **KINDS[kind])
    whole, first, second = (TrainingSession.new(config, digits_data) for _ in range(3))
    train(whole, 24)
    train(first, 11)
    second.load(*first.state())
    train(second, 13)
    np.testing.assert_array_equal(weights(whole), weights(second))


@pytest.mark.parametrize("kind", ["vae", "m2", "binarised anew"])
def test_recorded_slices_are_bit_for_bit_the_same(tiny_config, digits_data, kind):
    config = halved(tiny_config, **KINDS[kind])
    plain, sliced = TrainingSession.new(config, digits_data), captured(config, digits_data)
    for session in (plain, sliced):
        while session.step < 20 or session.is_evaluating:
            session.advance(20)
    np.testing.assert_array_equal(weights(plain), weights(sliced))


def test_a_processor_without_it_says_so_once(tiny_config, digits_data, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    (note,) = TrainingSession.new(halved(tiny_config), digits_data).notes
    assert note.startswith("This processor has no bfloat16 in hardware")
    assert TrainingSession.new(tiny_config, digits_data).notes == ()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert TrainingSession.new(halved(tiny_config), digits_data).notes == ()


def test_a_twin_gives_what_the_model_gives_but_for_rounding(tiny_config, digits_data):
    model = TrainingSession.new(tiny_config, digits_data).model
    twin = HalfWeights(model).model
    x = torch.rand(6, *model.shape)
    torch.testing.assert_close(twin.posterior(x).loc, model.posterior(x).loc, atol=0.02, rtol=0.02)
    assert twin.posterior(x).loc.dtype == torch.float32


@pytest.mark.slow
def test_mnist_comes_out_the_same(test_data_dir):
    from vae_explorer.config import RunConfig

    values = {
        "data.name": str(test_data_dir / "mnist"), "model.latent_dim": 20, "train.device": "cpu",
        "train.log_every": 1000,
    }  # fmt: skip
    config = RunConfig().with_values(values)
    data = open_data(config.data)
    elbos = []
    for one in (config, halved(config)):
        session = TrainingSession.new(one, data)
        while session.step < 2 * 469 or session.is_evaluating:
            session.advance()
        elbos.append(evaluate(session.frozen(), data, split="test", samples=4, seed=0)["elbo"])
    assert elbos[1] == pytest.approx(elbos[0], abs=NATS)
