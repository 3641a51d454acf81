"""Warm-ups, steps of the learning rate, and live values: functions of the step, told by records and marks."""

import numpy as np
import pytest
from test_session import is_same, train, weights

from vae_explorer.errors import ConfigError
from vae_explorer.runs.records import MarkRecord, MetricRecord
from vae_explorer.training.schedule import RateSteps, Warmup
from vae_explorer.training.session import TrainingSession


def by_step(records):
    return {record.step: record for record in records if isinstance(record, MetricRecord) and record.split == "train"}


def test_a_linear_warm_up_climbs_once():
    warmup = Warmup("linear", start=10, steps=4)
    assert [warmup.share(step) for step in (0, 10, 11, 12, 13, 14, 15, 1000)] == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]


def test_a_cyclic_warm_up_climbs_in_the_first_half_of_each_cycle():
    warmup = Warmup("cyclic", steps=8)
    cycle = [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert [warmup.share(step) for step in range(24)] == cycle * 3


def test_without_a_warm_up_all_of_beta_is_in_force():
    assert Warmup().share(0) == 1


def test_the_rate_steps_begin_with_their_epochs():
    steps = RateSteps(" 1: 0.5, 3:1e-1 ", batch_size=4, n_images=10)
    assert [steps.factor(step) for step in (0, 2, 3, 7, 8, 1000)] == [1, 1, 0.5, 0.5, 0.1, 0.1]  # ceil(10 k / 4)
    assert RateSteps("", batch_size=4, n_images=10).factor(10**6) == 1


@pytest.mark.parametrize(("kind", "shares"), [("linear", [0, 0.25, 0.5, 0.75, 1, 1]), ("cyclic", [0, 0.5, 1, 1, 0])])
def test_records_tell_the_weight_in_force_and_the_true_elbo_beside_the_weighted_loss(
    tiny_config, digits_data, kind, shares
):
    values = {"objective.warmup": kind, "objective.warmup_steps": 4, "objective.beta": 3.0, "train.log_every": 1}
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    records = by_step(train(session, len(shares)))
    for step, share in enumerate(shares):
        record = records[step + 1]  # its only update followed `step` updates
        assert record.loss == pytest.approx(record.distortion + 3 * share * record.kl, rel=1e-5)
        assert record.elbo == pytest.approx(-(record.distortion + record.kl))
        if step > 0:
            assert records[step].beta == 3 * share
    assert session.beta == 3


def test_a_held_out_record_has_the_weight_of_its_step(tiny_config, digits_data):
    values = {"objective.warmup": "linear", "objective.warmup_steps": 20, "train.evaluate_every": 5}
    records = train(TrainingSession.new(tiny_config.with_values(values), digits_data), 10)
    first, second = (record for record in records if record.split == "held_out")
    assert (first.beta, second.beta) == (0.25, 0.5)
    assert second.loss == pytest.approx(second.distortion + 0.5 * second.kl, rel=1e-5)


def test_a_step_of_the_learning_rate_is_that_rate_from_there_on(tiny_config, digits_data):
    config = tiny_config.with_values({"train.batch_size": 400, "data.validation": 0.1})
    scheduled = TrainingSession.new(config.with_values({"train.lr_schedule": "1: 0.25"}), digits_data)
    by_hand = TrainingSession.new(config, digits_data)
    epoch = int(np.ceil(scheduled.batches_per_epoch))
    records = by_step(train(scheduled, epoch + 5))
    train(by_hand, epoch)
    by_hand.set_live("learning_rate", 0.25 * by_hand.learning_rate)
    train(by_hand, 5)
    assert is_same(scheduled, by_hand)
    assert scheduled.learning_rate == 1e-3  # as it was set; the records have what is in force
    assert records[2].learning_rate == 1e-3
    assert records[5].learning_rate == 0.25e-3


def test_a_schedule_goes_on_from_a_rate_that_was_set_by_hand(tiny_config, digits_data):
    config = tiny_config.with_values({"train.lr_schedule": "1: 0.5", "train.log_every": 1})
    session = TrainingSession.new(config, digits_data)
    session.set_live("learning_rate", 0.01)
    records = by_step(train(session, 30))
    assert records[1].learning_rate == 0.01
    assert records[30].learning_rate == 0.005


def test_a_warm_up_by_hand_begins_where_it_was_asked_for(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"train.log_every": 1}), digits_data)
    train(session, 7)
    mark = session.set_live("warmup", 4)
    assert (mark.step, mark.name, mark.value) == (7, "warmup", 4.0)
    records = by_step(train(session, 6))
    assert [records[step].beta for step in range(8, 14)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert records[8].loss == pytest.approx(records[8].distortion)
    session.set_live("beta", 2.0)
    assert by_step(train(session, 1))[14].beta == 2


@pytest.mark.parametrize("kind", ["none", "linear", "cyclic"])
def test_a_warm_up_of_0_by_hand_is_the_configured_one(tiny_config, digits_data, kind):
    """It goes on where it would be at that step, had nobody touched it."""
    values = {"objective.warmup": kind, "objective.warmup_steps": 20, "train.log_every": 1}
    untouched = by_step(train(TrainingSession.new(tiny_config.with_values(values), digits_data), 12))
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    train(session, 5)
    session.set_live("warmup", 2)
    train(session, 3)
    mark = session.set_live("warmup", 0)
    assert (mark.step, mark.name, mark.value) == (8, "warmup", 0.0)
    records = by_step(train(session, 4))
    assert [records[step].beta for step in range(9, 13)] == [untouched[step].beta for step in range(9, 13)]


def test_free_bits_by_hand_apply_to_the_next_update(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"train.log_every": 1}), digits_data)
    train(session, 3)
    session.set_live("free_bits", 40.0)
    (record,) = by_step(train(session, 1)).values()
    assert record.free_bits == session.free_bits == 40
    assert record.loss == pytest.approx(record.distortion + 2 * 40, rel=1e-5)
    assert record.elbo == pytest.approx(-(record.distortion + record.kl))


@pytest.mark.parametrize(
    ("values", "name", "value", "sentence"),
    [
        ({}, "warmup", -1, "warmup_steps"),
        ({}, "warmup", 2.5, "a whole number"),
        ({}, "free_bits", -1.0, "free_bits"),
        ({"objective.bound": "iwae"}, "free_bits", 0.5, "needs the KL of each dimension"),
        ({"model.prior": "mixture"}, "free_bits", 0.5, "needs the KL of each dimension"),
    ],
)
def test_a_live_value_that_cannot_be_is_refused_in_words(tiny_config, digits_data, values, name, value, sentence):
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    with pytest.raises(ConfigError, match=sentence):
        session.set_live(name, value)
    assert session.take_records() == []
    train(session, 2)


def test_settings_that_do_not_go_together_are_refused_before_anything_is_built(tiny_config, digits_data):
    config = tiny_config.with_values({"objective.gradient": "dreg"})
    with pytest.raises(ConfigError, match=r"objective.gradient = 'dreg'.*set objective.kl=monte_carlo"):
        TrainingSession.new(config, digits_data)


@pytest.mark.parametrize(("part", "moves"), [("encoder", "encoder"), ("decoder", "decoder")])
def test_one_part_alone_can_be_updated(tiny_config, digits_data, part, moves):
    session = TrainingSession.new(tiny_config, digits_data)
    train(session, 3)
    before = {name: parameter.detach().clone() for name, parameter in session.model.named_parameters()}
    moments = session.state()[0]
    mark = session.set_part(part)
    assert (mark.step, mark.name, mark.value) == (3, "part", 1.0 if part == "encoder" else 2.0)
    assert session.set_part(part) is None
    train(session, 4)
    for name, parameter in session.model.named_parameters():
        has_moved = bool((parameter != before[name]).any())
        assert has_moved == name.startswith(moves)
        is_same_moment = np.array_equal(session.state()[0][f"adam.exp_avg.{name}"], moments[f"adam.exp_avg.{name}"])
        assert is_same_moment == (not has_moved)
    assert session.set_part(None).value == 0
    still = weights(session)
    train(session, 1)
    assert (weights(session) != still).mean() > 0.5
    assert [record.name for record in session.take_records() if isinstance(record, MarkRecord)] == []


def test_a_value_changed_while_an_evaluation_is_under_way_is_not_told_of_its_record(tiny_config, digits_data):
    config = tiny_config.with_values({"train.evaluate_every": 3, "train.batch_size": 16})
    session = TrainingSession.new(config, digits_data)
    for _ in range(4):
        session.advance()
    assert session.is_evaluating
    session.set_live("beta", 9.0)
    (record,) = (one for one in train(session, 0) if isinstance(one, MetricRecord) and one.split == "held_out")
    assert record.beta == 1
    assert record.loss == pytest.approx(record.distortion + record.kl, rel=1e-5)
