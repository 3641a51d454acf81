"""A training session: it learns, its records are right, and looking does not change it."""

import numpy as np
import pytest
import torch

from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.errors import ConfigError, DataError
from vae_explorer.runs.records import MarkRecord, MetricRecord
from vae_explorer.training.session import Advance, TrainingSession


def train(session, steps):
    """Do `steps` updates and the evaluations that are due on the way; return the records."""
    end = session.step + steps
    while session.step < end or session.is_evaluating:
        session.advance()
    return session.take_records()


def weights(session):
    return torch.cat([parameter.detach().flatten() for parameter in session.model.parameters()]).numpy().copy()


def is_same(first, second):
    return np.array_equal(weights(first), weights(second))


def images_of(n, *, n_test=0, max_value=255):
    images = np.random.default_rng(0).integers(0, max_value + 1, (n, 1, 4, 4), dtype=np.uint8)
    splits = Splits(np.arange(n - n_test), np.arange(0), np.arange(n - n_test, n))
    return ImageData(images, max_value, splits, Provenance("array", "noise"))


def test_training_raises_the_bound_on_held_out_digits(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"train.learning_rate": 0.01}), digits_data)
    records = train(session, 250)
    held_out = [record for record in records if record.split == "held_out"]
    assert held_out[-1].elbo > held_out[0].elbo + 2
    assert held_out[-1].elbo > -27
    assert session.step == 250
    assert session.epoch == pytest.approx(250 * 64 / len(digits_data.splits.train))


def test_records_come_at_their_steps_and_their_figures_agree(tiny_config, digits_data):
    config = tiny_config.with_values({"train.evaluate_every": 7, "train.log_every": 5, "objective.beta": 3.0})
    session = TrainingSession.new(config, digits_data)
    records = train(session, 21)
    assert [(r.step, r.split) for r in records] == [
        (1, "train"), (2, "train"), (5, "train"), (7, "held_out"), (10, "train"), (14, "held_out"), (15, "train"),
        (20, "train"), (21, "held_out"),
    ]  # fmt: skip
    for record in records:
        assert record.elbo == pytest.approx(-(record.distortion + record.kl))
        assert record.kl == pytest.approx(sum(record.kl_per_dim))
        assert record.kl >= 0
        assert record.loss == pytest.approx(record.distortion + 3 * record.kl, rel=1e-5)
        assert record.beta == 3
        assert record.scale is None
    assert session.take_records() == []


def test_a_training_record_is_the_mean_over_its_steps(tiny_config, digits_data):
    every, fifth = (
        train(TrainingSession.new(tiny_config.with_values({"train.log_every": n}), digits_data), 10) for n in (1, 5)
    )
    before = 0
    for record in fifth:
        part, before = every[before : record.step], record.step
        assert record.distortion == pytest.approx(np.mean([one.distortion for one in part]), rel=1e-5)
        assert record.kl == pytest.approx(np.mean([one.kl for one in part]), rel=1e-4)


def test_an_evaluation_is_over_every_held_out_image_whatever_the_chunks(tiny_config, digits_data):
    config = tiny_config.with_values({"train.evaluate_every": 3, "train.log_every": 1000})
    session = TrainingSession.new(config.with_values({"train.batch_size": 16}), digits_data)
    found = [session.advance() for _ in range(6)]
    assert found == [Advance.STEP] * 3 + [Advance.EVALUATION] * 3  # 180 images, 64 at once
    (record,) = (r for r in session.take_records() if r.split == "held_out")
    codes = session.codes(digits_data.indices(digits_data.held_out_name))
    assert record.kl == pytest.approx(codes.kl.mean(), rel=1e-4)
    assert record.distortion == pytest.approx(codes.distortion.mean(), rel=0.02)


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(tiny_config, digits_data):
    first, again, other = (
        TrainingSession.new(tiny_config.with_values({"train.seed": seed}), digits_data) for seed in (1, 1, 2)
    )
    assert is_same(first, again)
    for session in (first, again, other):
        train(session, 30)
    assert is_same(first, again)
    assert not is_same(first, other)


@pytest.mark.parametrize(
    "values",
    [
        {"data.binarize": "dynamic"},
        {"model.prior": "mixture", "model.components": 3, "objective.mmd_weight": 1.0},
        {"model.kind": "m2", "data.labels_per_class": 10, "train.labelled_batch": 16},
    ],
    ids=["binarised", "learnt prior", "m2"],
)
def test_looking_does_not_change_the_training(tiny_config, digits_data, values):
    config = tiny_config.with_values(values)
    quiet, watched = TrainingSession.new(config, digits_data), TrainingSession.new(config, digits_data)
    quiet_records = train(quiet, 40)
    watched_records = []
    generator = torch.get_rng_state()
    while watched.step < 40 or watched.is_evaluating:
        watched.advance()
        watched.decode(np.ones((3, 2), dtype=np.float32), draw_seed=watched.step)
        watched.encode(np.arange(4), samples=3, seed=watched.step, draw_seed=1)
        watched.codes(np.arange(20))
        frozen = watched.frozen()
        frozen.encode(np.arange(2))
        frozen.terms(3, samples=4, seed=watched.step)
        frozen.prior_codes(5, seed=watched.step)
        frozen.aggregate_codes(5, seed=watched.step)
        watched.state()
        watched_records += watched.take_records()
    assert is_same(quiet, watched)
    assert torch.equal(torch.get_rng_state(), generator)
    figures = [[(r.step, r.split, r.loss, r.kl) for r in records] for records in (quiet_records, watched_records)]
    assert figures[0] == figures[1]


def test_evaluating_more_often_does_not_change_the_training(tiny_config, digits_data):
    often, seldom = (
        TrainingSession.new(tiny_config.with_values({"train.evaluate_every": n}), digits_data) for n in (2, 1000)
    )
    train(often, 30)
    train(seldom, 30)
    assert is_same(often, seldom)


def test_a_live_value_applies_to_the_next_update_and_leaves_a_mark(tiny_config, digits_data):
    changed, plain = TrainingSession.new(tiny_config, digits_data), TrainingSession.new(tiny_config, digits_data)
    train(changed, 3)
    train(plain, 3)
    mark = changed.set_live("learning_rate", 0.05)
    assert (mark.step, mark.name, mark.value) == (3, "learning_rate", 0.05)
    assert changed.take_records() == [mark]
    assert is_same(changed, plain)
    before = weights(plain)
    train(changed, 1)
    train(plain, 1)
    moved, usual = np.abs(weights(changed) - before), np.abs(weights(plain) - before)
    np.testing.assert_allclose(moved[usual > 1e-4], 50 * usual[usual > 1e-4], rtol=0.05)


def test_beta_weighs_the_kl_of_the_loss_and_never_the_elbo(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"train.evaluate_every": 1000}), digits_data)
    train(session, 5)
    assert isinstance(session.set_live("beta", 10.0), MarkRecord)
    records = [record for record in train(session, 5) if isinstance(record, MetricRecord)]
    assert records[-1].beta == session.beta == 10
    assert records[-1].loss == pytest.approx(records[-1].distortion + 10 * records[-1].kl, rel=1e-5)
    assert records[-1].elbo == pytest.approx(-records[-1].distortion - records[-1].kl)
    low, high = (TrainingSession.new(tiny_config.with_values({"objective.beta": b}), digits_data) for b in (0.1, 30.0))
    assert train(high, 100)[-1].kl < 0.5 * train(low, 100)[-1].kl


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.0), ("learning_rate", float("nan")), ("beta", -1.0)])
def test_a_live_value_out_of_range_is_refused_and_nothing_changes(tiny_config, digits_data, name, value):
    session = TrainingSession.new(tiny_config, digits_data)
    before = (session.learning_rate, session.beta)
    with pytest.raises(ConfigError, match=name):
        session.set_live(name, value)
    assert (session.learning_rate, session.beta) == before
    assert session.take_records() == []


def test_an_autoencoder_learns_without_a_bound(tiny_config, digits_data):
    config = tiny_config.with_values({"model.kind": "autoencoder", "train.learning_rate": 0.01})
    records = train(TrainingSession.new(config, digits_data), 100)
    assert {(r.elbo, r.kl, r.kl_per_dim) for r in records} == {(None, None, None)}
    assert all(record.loss == record.distortion for record in records)
    assert records[-1].distortion < records[0].distortion - 5


@pytest.mark.parametrize("binarize", ["threshold", "static", "dynamic"])
def test_binarised_images_train(tiny_config, digits_data, binarize):
    session = TrainingSession.new(tiny_config.with_values({"data.binarize": binarize}), digits_data)
    records = train(session, 40)
    assert records[-1].loss < records[0].loss


def test_a_convolutional_model_trains(tiny_config, digits_data):
    config = tiny_config.with_values({"model.network": "conv", "model.channels": [4, 8]})
    records = train(TrainingSession.new(config, digits_data), 40)
    assert records[-1].loss < records[0].loss - 1


def test_train_on_all_holds_nothing_out(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"data.train_on": "all"}), digits_data)
    records = train(session, 60)
    assert {record.split for record in records} == {"train"}
    assert session.batches_per_epoch == len(digits_data) / 64
    assert session.take_best() is None


def test_a_batch_may_be_larger_than_the_data(tiny_config):
    session = TrainingSession.new(tiny_config, images_of(10, n_test=2))
    records = train(session, 10)
    assert session.epoch == 80
    assert [record.split for record in records].count("held_out") == 10


def test_nothing_to_train_on_is_one_sentence(tiny_config):
    with pytest.raises(DataError, match=r"noise: no image to train on.*data.validation"):
        TrainingSession.new(tiny_config, images_of(3, n_test=3))


def test_the_best_state_is_that_of_the_best_evaluation_and_is_given_once(tiny_config, digits_data):
    config = tiny_config.with_values({"train.evaluate_every": 10, "train.learning_rate": 0.01})
    session = TrainingSession.new(config, digits_data)
    records = train(session, 40)
    best = max((r for r in records if r.split == "held_out"), key=lambda record: record.elbo)
    arrays, meta = session.take_best()
    assert meta["step"] == meta["best_step"] == best.step
    assert meta["best_value"] == best.elbo
    assert session.take_best() is None
    session.set_live("learning_rate", 1.0)
    train(session, 10)
    assert session.take_best() is None
    again = TrainingSession.new(config, digits_data)
    train(again, best.step)
    name = next(iter(dict(again.model.named_parameters())))
    np.testing.assert_array_equal(arrays[f"model.{name}"], again.state()[0][f"model.{name}"])


def test_a_learnt_scale_falls_to_its_floor_and_can_leave_it_again(tiny_config):
    constant = ImageData(
        np.full((64, 1, 4, 4), 8, dtype=np.uint8), 16, Splits(np.arange(64), np.arange(0), np.arange(0)),
        Provenance("array", "grey"),
    )  # fmt: skip
    values = {"model.likelihood": "gaussian", "model.variance": "learnt", "train.learning_rate": 0.05}
    session = TrainingSession.new(tiny_config.with_values(values), constant)
    assert session.scale == pytest.approx(0.25)
    assert not session.is_scale_at_floor
    records = train(session, 100)
    assert session.is_scale_at_floor
    assert session.scale == pytest.approx(1 / 16)
    assert records[-1].scale == session.scale
    with torch.no_grad():
        session.model.decoder[-2].bias.add_(4.0)  # now the means are wrong, and the scale must grow
    session.set_live("learning_rate", 0.01)
    train(session, 60)
    assert not session.is_scale_at_floor


def test_looking_at_a_scale_of_other_likelihoods_finds_none(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config, digits_data)
    assert session.scale is None
    assert not session.is_scale_at_floor


def test_a_model_that_could_not_be_trained_in_half_of_the_free_memory_is_refused(tiny_config, digits_data, monkeypatch):
    needed = 16 * TrainingSession.new(tiny_config, digits_data).n_parameters
    monkeypatch.setattr("vae_explorer.model.model.free_memory_bytes", lambda: 2 * needed)
    TrainingSession.new(tiny_config, digits_data)
    monkeypatch.setattr("vae_explorer.model.model.free_memory_bytes", lambda: 2 * needed - 2)
    with pytest.raises(ConfigError, match="half of the free memory"):
        TrainingSession.new(tiny_config, digits_data)
