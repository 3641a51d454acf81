"""A sweep of beta: each model trains as the plain run of its beta does, and none holds another up."""

import numpy as np
import pytest
import torch

from vae_explorer.errors import ConfigError, DivergedError
from vae_explorer.sweep_config import configs_of
from vae_explorer.training.session import Advance, TrainingSession
from vae_explorer.training.sweep_session import SweepSession

BETAS = (0.5, 1.0, 4.0)


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values({"train.evaluate_every": 20, "train.log_every": 10})


def new_sweep(config, data, betas=BETAS):
    return SweepSession.new(configs_of(config, betas), data)


def train(session, steps):
    while session.step < steps or session.is_evaluating:
        session.advance()


def weights(session):
    return torch.cat([parameter.detach().flatten() for parameter in session.model.parameters()]).numpy().copy()


def states(sweep):
    return [member.state()[0] for member in sweep.members]


def are_same(first, second):
    return all(
        set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"model.likelihood": "gaussian", "model.variance": "learnt", "objective.free_bits": 0.1},
        {"objective.bound": "iwae", "objective.samples": 4, "model.prior": "mixture", "model.components": 3},
        {"data.binarize": "dynamic", "objective.warmup": "linear", "objective.warmup_steps": 30},
        {"model.hidden": [12, 9], "objective.warmup": "cyclic", "objective.warmup_steps": 20},
        {"objective.mmd_weight": 2.0, "objective.tc_weight": 0.5, "objective.gradient": "score_function"},
    ],
)
def test_each_model_is_the_plain_run_of_its_beta(config, digits_data, changed):
    config = config.with_values(changed)
    sweep = new_sweep(config, digits_data)
    train(sweep, 50)
    for member in sweep.members:
        single = TrainingSession.new(member.config, digits_data)
        train(single, 50)
        one, alone = weights(member), weights(single)
        assert np.abs(one - alone).max() <= 1e-4 * np.abs(alone).max()
        for ours, theirs in zip(member.take_records(), single.take_records(), strict=True):
            assert (ours.step, ours.split, ours.beta) == (theirs.step, theirs.split, theirs.beta)
            assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
            assert ours.kl == pytest.approx(theirs.kl, rel=1e-3, abs=1e-4)
        assert member.take_best()[1]["step"] == single.take_best()[1]["step"]


def test_models_begin_with_the_same_weights_and_part_by_beta_alone(config, digits_data):
    sweep = new_sweep(config, digits_data)
    first = weights(TrainingSession.new(config, digits_data))
    assert all(np.array_equal(weights(member), first) for member in sweep.members)
    train(sweep, 10)
    assert not np.array_equal(weights(sweep.members[0]), weights(sweep.members[2]))


def test_a_state_is_what_a_plain_run_goes_on_from(config, digits_data):
    sweep = new_sweep(config, digits_data)
    train(sweep, 30)
    single = TrainingSession.new(sweep.members[1].config, digits_data)
    single.load(*sweep.members[1].state())
    assert np.array_equal(weights(single), weights(sweep.members[1]))
    train(single, 50)
    train(sweep, 50)
    assert np.abs(weights(single) - weights(sweep.members[1])).max() < 1e-4


@pytest.mark.parametrize("at", [20, 33])
def test_a_sweep_gone_on_with_is_bit_identical(config, digits_data, at):
    whole, first, second = (new_sweep(config, digits_data) for _ in range(3))
    train(whole, 45)
    while first.step < at:  # at 20 an evaluation is due, and is not done yet
        first.advance()
    for into, member in zip(second.members, first.members, strict=True):
        into.load(*member.state())
    second.begin_from(at)
    train(second, 45)
    assert are_same(states(whole), states(second))


def test_looking_changes_nothing(config, digits_data):
    watched, alone = new_sweep(config, digits_data), new_sweep(config, digits_data)
    train(alone, 25)
    while watched.step < 25 or watched.is_evaluating:
        watched.advance()
        watched.codes_of_all(np.arange(20))
        watched.members[0].decode(np.zeros((2, 2), dtype=np.float32))
        watched.members[1].frozen()
    assert are_same(states(watched), states(alone))


def test_a_model_that_diverges_stands_still_and_holds_no_other_up(config, digits_data):
    sweep, sound = new_sweep(config, digits_data), new_sweep(config, digits_data)
    train(sweep, 12)
    train(sound, 12)
    before = weights(sweep.members[1])
    sweep._updates.live.beta[1] = torch.nan
    train(sweep, 30)
    train(sound, 30)
    assert [member.is_diverged for member in sweep.members] == [False, True, False]
    assert np.array_equal(weights(sweep.members[1]), before)
    assert [member.step for member in sweep.members] == [30, 12, 30]
    for place in (0, 2):
        assert are_same([sweep.members[place].state()[0]], [sound.members[place].state()[0]])
    assert all(record.step <= 12 for record in sweep.members[1].take_records())
    sweep.raise_if_diverged()


def test_where_all_have_diverged_the_sweep_stands_still_and_says_so(config, digits_data):
    sweep = new_sweep(config.with_values({"train.learning_rate": 10.0}), digits_data)
    sweep._updates.live.beta.fill_(torch.nan)
    while (did := sweep.advance()) is not Advance.DIVERGED:
        assert did is Advance.STEP
    assert sweep.is_diverged
    with pytest.raises(DivergedError, match="all 3 models diverged"):
        sweep.raise_if_diverged()


def test_the_learning_rate_changes_for_all_and_beta_for_none(config, digits_data):
    sweep = new_sweep(config, digits_data)
    train(sweep, 5)
    sweep.set_live("learning_rate", 0.01)
    assert [member.learning_rate for member in sweep.members] == [0.01] * 3
    assert [member.take_records()[-1].value for member in sweep.members] == [0.01] * 3
    with pytest.raises(ConfigError, match="differ in"):
        sweep.set_live("beta", 2.0)
    with pytest.raises(ConfigError, match="learning_rate"):
        sweep.set_live("learning_rate", -1.0)
    assert [member.learning_rate for member in sweep.members] == [0.01] * 3


def test_too_many_models_are_refused_before_their_memory_is_taken(config, digits_data, monkeypatch):
    monkeypatch.setattr("vae_explorer.model.model.free_memory_bytes", lambda: 50_000_000)
    large = config.with_values({"model.hidden": [4000]})
    TrainingSession.new(large, digits_data)
    with pytest.raises(ConfigError, match=r"3 values.*more than half of the free memory"):
        new_sweep(large, digits_data)


def test_codes_of_all_models_are_those_of_each(config, digits_data):
    sweep = new_sweep(config, digits_data)
    train(sweep, 10)
    indices = np.array([3, 7, 100])
    codes = sweep.codes_of_all(indices)
    assert codes.shape == (3, 3, 2)
    for of_one, member in zip(codes, sweep.members, strict=True):
        assert np.allclose(of_one, member.codes(indices).loc, atol=1e-6)
