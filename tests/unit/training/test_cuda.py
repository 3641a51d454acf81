"""On a GPU: captured slices agree with eager updates, record nothing anew, and are many times as fast."""

import time

import numpy as np
import pytest
import torch
from test_captured import train, without_time
from test_session import weights
from training_kinds import KINDS

from vae_explorer.bench.task import drawn_images, task_config
from vae_explorer.model.fence import SliceFence
from vae_explorer.training import sliced_updates
from vae_explorer.training.session import TrainingSession

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

STEPS = 40


def eager(config, data):
    session = TrainingSession.new(config, data)
    session._updates._slices = None
    return session


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values({"train.device": "cuda", "train.log_every": 16, "train.evaluate_every": 25})


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_captured_slices_agree_with_eager_updates(config, digits_data, kind, precision):
    config = config.with_values({"train.eps": 1e-4, "train.precision": precision, **KINDS[kind]})
    plain, captured = eager(config, digits_data), TrainingSession.new(config, digits_data)
    expected, found = train(plain, STEPS), train(captured, STEPS)
    assert captured.notes == ()
    assert [r.loss for r in found] == pytest.approx([r.loss for r in expected], rel=1e-3)
    np.testing.assert_allclose(weights(captured), weights(plain), atol=2e-3)
    assert np.array_equal(plain.state()[0]["generator"], captured.state()[0]["generator"])


def test_compiled_slices_agree_with_eager_updates(config, digits_data, monkeypatch):
    config = config.with_values({"train.eps": 1e-4})
    plain = eager(config, digits_data)
    monkeypatch.setattr(sliced_updates, "COMPILE_STEPS", 0)
    fast = TrainingSession.new(config, digits_data)
    expected, found = train(plain, STEPS), train(fast, STEPS)
    assert [r.loss for r in found] == pytest.approx([r.loss for r in expected], rel=1e-3)


def test_the_same_seed_gives_the_same_records_and_going_on_is_the_same(config, digits_data):
    whole, again, first = (TrainingSession.new(config, digits_data) for _ in range(3))
    records = [without_time(train(session, 70)) for session in (whole, again)]
    assert records[0] == records[1]
    train(first, 29)
    second = TrainingSession.new(config, digits_data)
    second.load(*first.state())
    train(second, 70)
    np.testing.assert_array_equal(weights(whole), weights(second))


def test_a_change_of_what_is_steered_records_nothing_anew(config, digits_data):
    session = TrainingSession.new(config, digits_data)
    train(session, 48)
    recorded = session._updates._slices.n_recorded
    for name, value in (("beta", 4.0), ("learning_rate", 3e-3), ("free_bits", 0.3), ("warmup", 20)):
        session.set_live(name, value)
    records = train(session, 96)
    assert session._updates._slices.n_recorded == recorded
    assert records[-1].free_bits == pytest.approx(0.3)


def test_divergence_within_a_slice_leaves_sound_weights(config, digits_data):
    session = TrainingSession.new(
        config.with_values({"train.learning_rate": 10.0, "model.hidden": [64, 64]}), digits_data
    )
    while not session.is_diverged and session.step < 3000:
        session.advance(3000)
    assert np.isfinite(weights(session)).all()
    assert all(np.isfinite(array).all() for array in session.state()[0].values())


@pytest.mark.slow
def test_captured_updates_are_many_times_as_fast_as_eager_ones():
    config, data = task_config("cuda"), drawn_images(8192)
    speeds = []
    for session in (eager(config, data), TrainingSession.new(config, data)):
        fence = SliceFence.on(session.device)
        train(session, 1000)
        torch.cuda.synchronize()
        started = time.perf_counter()
        while session.step < 3000:
            session.advance(3000)
            fence.pass_slice()
        torch.cuda.synchronize()
        speeds.append(2000 / (time.perf_counter() - started))
    assert speeds[1] > 8 * speeds[0]
