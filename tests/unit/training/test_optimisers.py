"""The optimisers against torch's own, their latch, and weights whose gradient is exactly 0."""

import dataclasses

import numpy as np
import pytest
import torch
from test_divergence import poison
from test_session import train, weights

from vae_explorer.config import RunConfig
from vae_explorer.model.model import build_model
from vae_explorer.objective.terms import Packing
from vae_explorer.training.metrics import MetricSums
from vae_explorer.training.optimiser import GuardedOptimiser
from vae_explorer.training.session import Advance, TrainingSession
from vae_explorer.training.update_rules import Pieces, update_rule

RULES = {
    "adam": {"train.optimizer": "adam", "train.betas": [0.8, 0.95], "train.eps": 1e-4},
    "adagrad": {"train.optimizer": "adagrad", "train.learning_rate": 0.02},
    "rmsprop": {"train.optimizer": "rmsprop", "train.betas": [0.9, 0.95]},
}


class Ours:
    """A rule over single parameters, or over one flat buffer as on an accelerator."""

    def __init__(self, name, parameters, *, rate=0.1, refused=0.0, eps=1e-8, is_flat=False):
        train = {"train.optimizer": name, "train.betas": [0.8, 0.95], "train.eps": eps}
        self.rule = update_rule(RunConfig().with_values(train).train, is_fused=not is_flat)
        self.parameters = parameters
        self.count = torch.zeros(())
        values = [parameter.detach() for parameter in parameters]
        self.moments = tuple([torch.zeros_like(value) for value in values] for _ in self.rule.moments)
        self.pieces = Pieces(values, self.moments, [self.count for _ in values])
        self.rate, self.refused = torch.tensor(rate), torch.tensor(refused)

    def step(self):
        self.count += 1.0 - self.refused
        self.rule.update(self.pieces, [one.grad for one in self.parameters], rate=self.rate, refused=self.refused)


def theirs(name, parameters):
    if name == "adam":
        return torch.optim.Adam(parameters, lr=0.1, betas=(0.8, 0.95), eps=1e-8)
    if name == "adagrad":
        return torch.optim.Adagrad(parameters, lr=0.1, eps=1e-8)
    return torch.optim.RMSprop(parameters, lr=0.1, alpha=0.95, eps=1e-8)


def parameter(seed=0):
    return torch.nn.Parameter(torch.randn(7, 3, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_updates_are_those_of_torch(name, is_flat):
    first, second = parameter(), parameter()
    rule, optimiser = Ours(name, [first], is_flat=is_flat), theirs(name, [second])
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        first.grad = torch.randn(7, 3, generator=generator)
        second.grad = first.grad.clone()
        rule.step()
        optimiser.step()
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.0])
def test_a_refused_update_changes_no_bit(name, value, is_flat):
    one = parameter()
    rule = Ours(name, [one], refused=1.0, is_flat=is_flat)
    for (moment,) in rule.moments:
        moment.fill_(2.0)
    before = one.detach().clone()
    one.grad = torch.full_like(one, value)
    rule.step()
    assert torch.equal(one, before)
    assert all((moment == 2.0).all() for (moment,) in rule.moments)


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_gradient_of_zero_is_no_division_by_zero_with_an_epsilon_of_0(name, is_flat):
    one = parameter()
    before = one.detach().clone()
    rule = Ours(name, [one], eps=0.0, is_flat=is_flat)
    one.grad = torch.zeros_like(one)
    one.grad[0, 0] = 1.0
    rule.step()
    assert torch.isfinite(one).all()
    assert (one != before).sum() == 1


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_weight_without_a_gradient_is_left_alone(tiny_config, name, is_flat):
    model = build_model(tiny_config.with_values({"model.activation": "tanh"}), (1, 4, 4), 255)
    optimiser = GuardedOptimiser(model, tiny_config.with_values(RULES[name]).train, is_flat=is_flat)
    sums = MetricSums(Packing(()), torch.device("cpu"))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for _ in range(2):
        loss = model.encoder(torch.ones(2, 1, 4, 4)).square().sum()
        optimiser.minimise(loss, row=loss.detach().repeat(2), rate=torch.tensor(0.1), sums=sums)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {key for key in before if key.startswith("encoder")}
    state = optimiser.state()
    assert all(not tensor.any() for key, tensor in state.items() if ".decoder." in key)
    if name == "adam":
        assert {tensor.item() for key, tensor in state.items() if key.startswith("adam.step.encoder")} == {2.0}


@pytest.mark.parametrize("name", RULES)
def test_each_of_them_trains(tiny_config, digits_data, name):
    records = train(TrainingSession.new(tiny_config.with_values(RULES[name]), digits_data), 60)
    assert records[-1].loss < records[0].loss - 5


@pytest.mark.parametrize("name", RULES)
def test_each_of_them_refuses_what_is_not_finite(tiny_config, digits_data, monkeypatch, name):
    session = TrainingSession.new(tiny_config.with_values({**RULES[name], "train.log_every": 10}), digits_data)
    train(session, 12)
    clean, _ = session.state()
    poison(session, monkeypatch, at_step=12)
    while session.advance() is not Advance.DIVERGED:
        pass
    now, meta = session.state()
    assert meta["step"] == 12
    for key in now:
        if key != "generator":
            np.testing.assert_array_equal(now[key], clean[key], err_msg=key)


def test_a_surrogate_that_is_not_finite_is_refused_too(tiny_config, digits_data, monkeypatch):
    values = {"objective.bound": "iwae", "objective.samples": 2, "objective.gradient": "score_function"}
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    train(session, 3)
    before = weights(session)
    means = session._updates.objective.means

    def broken(*args, **kwargs):
        found = means(*args, **kwargs)
        return dataclasses.replace(found, surrogate=found.surrogate * float("nan"))

    monkeypatch.setattr(session._updates.objective, "means", broken)
    while session.advance() is not Advance.DIVERGED:
        pass
    assert session.step == 3
    np.testing.assert_array_equal(weights(session), before)
