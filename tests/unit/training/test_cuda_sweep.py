"""On a GPU: captured slices of a sweep agree with eager updates, record nothing anew, and cost hardly more than one."""

import time

import numpy as np
import pytest
import torch
from test_captured_sweep import CHANGED, go_on_from, spoilt_and_sound, train
from test_sweep import are_same, new_sweep, states

from vae_explorer.bench.task import drawn_images, task_config
from vae_explorer.model.fence import SliceFence
from vae_explorer.training import sliced_updates

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

STEPS = 40
MOST_MS = 0.40
"""Of an update of 25 models 784-400-20 with 128 images."""


def eager(config, data):
    sweep = new_sweep(config, data)
    sweep._updates._slices = None
    return sweep


def check_agreement(found, expected):
    for member, other in zip(found.members, expected.members, strict=True):
        np.testing.assert_allclose(weights_of(member), weights_of(other), atol=2e-3)
    assert np.array_equal(states(found)[0]["generator"], states(expected)[0]["generator"])


def weights_of(member):
    return torch.cat([parameter.detach().flatten() for parameter in member.model.parameters()]).cpu().numpy()


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values(
        {"train.device": "cuda", "train.log_every": 16, "train.evaluate_every": 25, "train.eps": 1e-4}
    )


@pytest.mark.parametrize("kind", CHANGED)
def test_captured_slices_agree_with_eager_updates(config, digits_data, kind):
    config = config.with_values(CHANGED[kind])
    plain, captured = eager(config, digits_data), new_sweep(config, digits_data)
    expected, found = train(plain, STEPS), train(captured, STEPS)
    assert captured.notes == ()
    for records, others in zip(found, expected, strict=True):
        assert [r["loss"] for r in records] == pytest.approx([r["loss"] for r in others], rel=1e-3)
    check_agreement(captured, plain)


def test_compiled_slices_agree_with_eager_updates(config, digits_data, monkeypatch):
    plain = eager(config, digits_data)
    monkeypatch.setattr(sliced_updates, "COMPILE_STEPS", 0)
    fast = new_sweep(config, digits_data)
    for sweep in (plain, fast):
        train(sweep, STEPS)
    assert fast.notes == ()
    check_agreement(fast, plain)


def test_the_same_seed_gives_the_same_records_and_going_on_is_the_same(config, digits_data):
    whole, again, first, second = (new_sweep(config, digits_data) for _ in range(4))
    assert train(whole, 70) == train(again, 70)
    train(first, 29)
    go_on_from(second, first, 29)
    train(second, 70)
    assert are_same(states(whole), states(second))


def test_a_change_of_what_is_steered_records_nothing_anew(config, digits_data):
    sweep = new_sweep(config, digits_data)
    train(sweep, 48)
    recorded = sweep._updates._slices.n_recorded
    for name, value in (("learning_rate", 3e-3), ("free_bits", 0.3), ("warmup", 20)):
        sweep.set_live(name, value)
    records = train(sweep, 96)
    assert sweep._updates._slices.n_recorded == recorded
    assert [of_model[-1]["free_bits"] for of_model in records] == pytest.approx([0.3] * 3)


def test_a_model_that_diverges_within_a_slice_leaves_the_others_untouched(config, digits_data):
    config = config.with_values({"train.log_every": 1000, "train.evaluate_every": 1000})
    sweep, sound = spoilt_and_sound(lambda: new_sweep(config, digits_data))
    before = weights_of(sweep.members[1])
    for one in (sweep, sound):
        train(one, 164)
        one.settle()
    assert [member.step for member in sweep.members] == [164, 100, 164]
    assert np.array_equal(weights_of(sweep.members[1]), before)
    for place in (0, 2):
        assert are_same([sweep.members[place].state()[0]], [sound.members[place].state()[0]])


@pytest.mark.slow
def test_25_models_take_hardly_more_than_one_model_by_single_updates():
    config, data = task_config("cuda"), drawn_images(8192)
    sweep = new_sweep(config, data, betas=tuple(0.2 * (place + 1) for place in range(25)))
    fence = SliceFence.on(sweep.device)
    train(sweep, 1000)
    torch.cuda.synchronize()
    started = time.perf_counter()
    while sweep.step < 3000:
        sweep.advance(3000)
        fence.pass_slice()
    torch.cuda.synchronize()
    assert 1000 * (time.perf_counter() - started) / 2000 <= MOST_MS
