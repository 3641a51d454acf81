"""Resuming: N + N steps across a restart are the same as 2 N, bit by bit."""

import numpy as np
import pytest
import torch
from test_session import images_of, train, weights

from vae_explorer.data.catalog import open_data
from vae_explorer.errors import ConfigError, RunError, UsageError
from vae_explorer.resource_files import demo_run_dir
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.checkpoint import open_frozen
from vae_explorer.training.devices import resolve_device
from vae_explorer.training.session import TrainingSession

KINDS = {
    "vae": {},
    "binarised": {"data.binarize": "dynamic"},
    "learnt scale": {"model.likelihood": "gaussian", "model.variance": "learnt"},
    "autoencoder": {"model.kind": "autoencoder"},
    "conv": {"model.network": "conv", "model.channels": [3]},
    "warm-up, rate steps": {
        "objective.warmup": "cyclic", "objective.warmup_steps": 11, "train.lr_schedule": "1: 0.5",
        "objective.free_bits": 0.1,
    },
    "adagrad": {"train.optimizer": "adagrad"},
    "rmsprop": {"train.optimizer": "rmsprop"},
    "importance weighted": {"objective.bound": "iwae", "objective.samples": 3, "objective.gradient": "dreg"},
    "score function": {"objective.kl": "monte_carlo", "objective.gradient": "score_function"},
    "mixture": {"model.prior": "mixture", "model.components": 3, "objective.mmd_weight": 2.0},
    "vampprior": {"model.prior": "vampprior", "model.components": 5},
    "all beside": {
        "objective.similarity": "renyi", "objective.tc_weight": 1.0, "objective.mmd_weight": 1.0,
        "objective.weight_prior": 1.0, "objective.samples": 2,
    },
    "scale a pixel": {"model.likelihood": "gaussian", "model.variance": "per_pixel"},
    "m2": {"model.kind": "m2", "data.labels_per_class": 10, "train.labelled_batch": 16},
    "m1m2": {
        "model.kind": "m1m2", "data.labels_per_class": 10, "train.labelled_batch": 16, "train.pretrain_steps": 20,
        "model.style_dim": 3,
    },
}  # fmt: skip


def make_run(path, session):
    return RunFolder.create(path, config=session.config, data=session.data, device=session.device)


def save(session, run, *, is_best=False):
    arrays, meta = session.state()
    run.write_checkpoint(meta["step"], arrays, meta, is_best=is_best)


def without_time(records):
    return [{name: value for name, value in vars_of(record).items() if name != "time_s"} for record in records]


def vars_of(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


@pytest.mark.parametrize("kind", KINDS)
def test_n_and_n_steps_are_two_n(tiny_config, digits_data, tmp_path, kind):
    config = tiny_config.with_values({**KINDS[kind], "train.log_every": 7, "train.evaluate_every": 9})
    whole = TrainingSession.new(config, digits_data)
    expected = train(whole, 34)

    first = TrainingSession.new(config, digits_data)
    records = train(first, 17)  # in the middle of an interval of the log
    run = make_run(tmp_path / "run", first)
    save(first, run)
    second = TrainingSession.resume(RunFolder.open(run.path), digits_data)
    assert second.step == 17
    assert second.notes == ()
    assert second.run_name == "run"
    records += train(second, 17)

    np.testing.assert_array_equal(weights(second), weights(whole))
    assert without_time(records) == without_time(expected)
    expected_arrays, expected_meta = whole.state()
    arrays, meta = second.state()
    assert arrays.keys() == expected_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected_arrays[name], err_msg=name)
    assert {**meta, "time_s": 0} == {**expected_meta, "time_s": 0}


@pytest.mark.parametrize("warmup", [12, 0])
def test_live_changes_survive_a_restart(tiny_config, digits_data, tmp_path, warmup):
    tiny_config = tiny_config.with_values({"objective.warmup": "cyclic", "objective.warmup_steps": 30})

    def changed(session):
        train(session, 8)
        session.set_live("learning_rate", 0.02)
        session.set_live("beta", 0.3)
        session.set_live("free_bits", 0.2)
        session.set_live("warmup", 12)
        session.set_live("warmup", warmup)
        session.set_part("encoder")
        train(session, 5)
        return session

    whole = changed(TrainingSession.new(tiny_config, digits_data))
    first = changed(TrainingSession.new(tiny_config, digits_data))
    run = make_run(tmp_path / "run", first)
    save(first, run)
    second = TrainingSession.resume(run, digits_data)
    assert (second.learning_rate, second.beta, second.free_bits, second.part) == (0.02, 0.3, 0.2, "encoder")
    for session in (whole, second):
        train(session, 3)
        session.set_part(None)
    assert without_time(train(second, 10)) == without_time(train(whole, 10))
    np.testing.assert_array_equal(weights(second), weights(whole))


def test_a_state_from_before_there_were_schedules_goes_on(tiny_config, digits_data):
    """Checkpoints of the first version lack the newer live values: they are those of the configuration."""
    config = tiny_config.with_values({"objective.free_bits": 0.5})
    first = TrainingSession.new(config, digits_data)
    train(first, 5)
    arrays, meta = first.state()
    newer = {"free_bits", "warmup_start", "warmup_steps", "part"}
    assert newer <= meta.keys()
    second = TrainingSession.new(config, digits_data)
    second.load(arrays, {name: value for name, value in meta.items() if name not in newer})
    assert (second.free_bits, second.part) == (0.5, None)
    for session in (first, second):
        train(session, 5)
    np.testing.assert_array_equal(weights(second), weights(first))


def test_a_run_goes_on_although_the_rules_for_new_ones_have_changed(tiny_config, digits_data, tmp_path):
    """Binarised images under a Gaussian were once let pass, and taken as they are."""
    values = {"model.likelihood": "gaussian", "data.binarize": "dynamic"}
    config = tiny_config.with_values(values)
    with pytest.raises(ConfigError, match=r"data.binarize"):
        TrainingSession.new(config, digits_data)
    first = TrainingSession(config, digits_data, device=torch.device("cpu"))
    run = make_run(tmp_path / "run", first)
    save(first, run)
    second = TrainingSession.resume(run, digits_data)
    second.set_live("beta", 2.0)
    train(second, 3)


def test_the_bundled_run_of_an_earlier_version_opens_and_goes_on():
    run = RunFolder.open(demo_run_dir())
    data = open_data(run.config.data)
    session = TrainingSession.resume(run, data)
    frozen, z = open_frozen(run, data), np.ones((2, 2), dtype=np.float32)
    np.testing.assert_array_equal(frozen.decode(z), session.decode(z))
    train(session, 2)
    assert session.step == frozen.step + 2


def test_a_checkpoint_in_the_middle_of_an_evaluation_does_it_again(tiny_config, digits_data, tmp_path):
    config = tiny_config.with_values({"train.evaluate_every": 6, "train.batch_size": 16})
    whole = TrainingSession.new(config, digits_data)
    expected = train(whole, 6)[-1]
    first = TrainingSession.new(config, digits_data)
    for _ in range(7):
        first.advance()
    assert first.is_evaluating
    run = make_run(tmp_path / "run", first)
    save(first, run)
    second = TrainingSession.resume(run, digits_data)
    assert second.is_evaluating
    (record,) = train(second, 0)
    assert without_time([record]) == without_time([expected])


def test_the_best_before_a_restart_is_not_forgotten(tiny_config, digits_data, tmp_path):
    config = tiny_config.with_values({"train.evaluate_every": 5, "train.learning_rate": 0.01})
    first = TrainingSession.new(config, digits_data)
    best = max(record.elbo for record in train(first, 40) if record.split == "held_out")
    run = make_run(tmp_path / "run", first)
    best_arrays, best_meta = first.take_best()
    run.write_checkpoint(best_meta["step"], best_arrays, best_meta, is_best=True)
    save(first, run, is_best=best_meta["step"] == 40)
    second = TrainingSession.resume(run, digits_data)
    assert second.state()[1]["best_value"] == best
    second.set_live("learning_rate", 1.0)
    train(second, 5)
    assert second.take_best() is None
    assert TrainingSession.resume(run, digits_data, checkpoint="best").step == best_meta["step"]


def test_an_earlier_checkpoint_goes_on_as_the_run_did(tiny_config, digits_data, tmp_path):
    session = TrainingSession.new(tiny_config, digits_data)
    run = make_run(tmp_path / "run", session)
    for _ in range(3):
        train(session, 4)
        save(session, run)
    earlier = TrainingSession.resume(run, digits_data, checkpoint=8)
    train(earlier, 4)
    np.testing.assert_array_equal(weights(earlier), weights(session))


def test_a_model_to_look_at_is_that_of_the_checkpoint(tiny_config, digits_data, tmp_path):
    session = TrainingSession.new(tiny_config, digits_data)
    train(session, 10)
    run = make_run(tmp_path / "seen", session)
    save(session, run)
    frozen, z = open_frozen(run, digits_data), np.ones((2, 2), dtype=np.float32)
    np.testing.assert_array_equal(frozen.decode(z), session.decode(z))
    np.testing.assert_array_equal(frozen.encode(np.arange(5)).elbo, session.encode(np.arange(5)).elbo)
    assert (frozen.step, frozen.run_name) == (10, "seen")


def test_other_data_are_refused(tiny_config, digits_data, tmp_path):
    session = TrainingSession.new(tiny_config, digits_data)
    run = make_run(tmp_path / "run", session)
    save(session, run)
    for opener in (TrainingSession.resume, open_frozen):
        with pytest.raises(RunError, match="was trained on digits"):
            opener(run, images_of(20))


@pytest.mark.parametrize("damage", ["missing", "shape", "type", "header", "generator"])
def test_a_state_that_does_not_fit_is_refused_and_nothing_changes(tiny_config, digits_data, damage):
    session = TrainingSession.new(tiny_config, digits_data)
    arrays, meta = session.state()
    before = weights(session)
    train(session, 3)
    good, _ = session.state()
    name = next(iter(arrays))
    bad = {
        "missing": ({key: value for key, value in good.items() if key != name}, meta),
        "shape": ({**good, name: np.zeros((1, 2), dtype=np.float32)}, meta),
        "type": ({**good, name: good[name].astype(np.float64)}, meta),
        "header": (good, {**meta, "step": "three"}),
        "generator": ({**good, "generator": np.zeros(3, dtype=np.uint8)}, meta),
    }[damage]
    fresh = TrainingSession.new(tiny_config, digits_data)
    with pytest.raises(RunError, match="use another"):
        fresh.load(*bad)
    np.testing.assert_array_equal(weights(fresh), before)
    assert fresh.step == 0


def test_another_torch_or_device_is_said_to_be_not_bit_exact(tiny_config, digits_data):
    arrays, meta = TrainingSession.new(tiny_config, digits_data).state()
    session = TrainingSession.new(tiny_config, digits_data)
    session.load(arrays, {**meta, "torch": "2.0.0"})
    assert "not bit-exact" in session.notes[0]
    session = TrainingSession.new(tiny_config, digits_data)
    session.load({**arrays, "generator": np.zeros(16, dtype=np.uint8)}, {**meta, "device": "cuda"})
    version = torch.__version__
    assert session.notes == (
        f"Trained on cuda with torch {version}, resumed on cpu with torch {version}: not bit-exact.",
    )
    train(session, 3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_missing_cuda_device_is_one_sentence(tiny_config, digits_data, name):
    with pytest.raises(UsageError, match=rf"train.device = '{name}'.*no CUDA device.*set auto or cpu"):
        TrainingSession.new(tiny_config, digits_data, device=name)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has a Metal device")
def test_a_missing_metal_device_is_one_sentence():
    with pytest.raises(UsageError, match=r"train.device = 'mps'.*set auto or cpu"):
        resolve_device("mps")


def test_auto_is_the_first_accelerator_else_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(resolve_device("auto")) == "cuda:0"
    assert str(resolve_device("cuda:1")) == "cuda:1"
    with pytest.raises(UsageError, match="devices 0 to 1"):
        resolve_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert str(resolve_device("auto")) == "cpu"
