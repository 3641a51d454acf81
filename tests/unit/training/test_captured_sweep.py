"""Slices of recorded updates of a sweep: all its models do what single updates do, and nothing is recorded anew."""

from functools import partial

import numpy as np
import pytest
from test_captured import StandIn, without_time
from test_sweep import are_same, new_sweep, states, weights
from torch.utils._python_dispatch import TorchDispatchMode

from vae_explorer.training import sweep_updates
from vae_explorer.training.captured import StepInputs
from vae_explorer.training.session import Advance
from vae_explorer.training.stacked_adam import StackedAdam

STEPS = 40
CHANGED = {
    "vae": {},
    "binarised anew": {"data.binarize": "dynamic"},
    "schedules": {
        "objective.warmup": "linear", "objective.warmup_steps": 30, "objective.free_bits": 0.1,
        "train.lr_schedule": "1: 0.5",
    },
    "learnt scale": {"model.likelihood": "gaussian", "model.variance": "learnt"},
    "mmd": {"objective.mmd_weight": 2.0},
    "mixture": {"objective.bound": "iwae", "objective.samples": 3, "model.prior": "mixture", "model.components": 3},
    "score function of a bound": {
        "objective.bound": "iwae", "objective.samples": 3, "objective.gradient": "score_function",
    },
}  # fmt: skip


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values({"train.log_every": 16, "train.evaluate_every": 25})


@pytest.fixture(params=["apart", "together"])
def adam(request, monkeypatch):
    """Adam model by model, as on a CPU, and of all models together, as on an accelerator."""
    monkeypatch.setattr(sweep_updates, "StackedAdam", partial(StackedAdam, is_together=request.param == "together"))


def captured(config, data, recorder=None):
    sweep = new_sweep(config, data)
    sweep._updates.capture(recorder or StandIn(), batch_size=config.train.batch_size)
    return sweep


def train(sweep, until_step):
    """As far as a step; return the records of each model."""
    while sweep.step < until_step or sweep.is_evaluating:
        sweep.advance(until_step)
    return [without_time(member.take_records()) for member in sweep.members]


def go_on_from(second, first, step):
    """Let one sweep take over the states of another, which is at a step."""
    for into, member in zip(second.members, first.members, strict=True):
        into.load(*member.state())
    second.begin_from(step)


def spoilt_and_sound(make):
    """Two sweeps at step 100, and in the first nothing is finite any more for its second model."""
    sweep, sound = make(), make()
    for one in (sweep, sound):
        train(one, 100)
    sweep._updates.seats[1].live.beta = float("nan")
    return sweep, sound


class _Names(TorchDispatchMode):
    """Notes which operators are called, below vmap and autograd."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.names.add(str(function.overloadpacket))
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("kind", CHANGED)
def test_no_number_is_read_back_or_made_on_the_host(config, digits_data, monkeypatch, kind):
    """What would break a capture: a wait for the device, a tensor of constants, and indices that vmap makes."""
    monkeypatch.setattr(sweep_updates, "StackedAdam", partial(StackedAdam, is_together=True))
    updates = new_sweep(config.with_values(CHANGED[kind]), digits_data)._updates
    updates.work(0)
    with _Names() as seen:
        updates._one(StepInputs(updates._batches.at(1), None, updates.rates, updates.live))
    broken = {"_local_scalar_dense", "lift_fresh", "nonzero", "index", "index_put", "index_put_", "_index_put_impl_"}
    assert "aten.normal_" in seen.names
    assert not {f"aten.{name}" for name in broken} & seen.names


@pytest.mark.usefixtures("adam")
@pytest.mark.parametrize("kind", CHANGED)
def test_slices_do_bit_for_bit_what_single_updates_do(config, digits_data, kind):
    config = config.with_values(CHANGED[kind])
    plain, sliced = new_sweep(config, digits_data), captured(config, digits_data)
    expected, found = train(plain, STEPS), train(sliced, STEPS)
    assert are_same(states(plain), states(sliced))
    assert found == expected
    assert sliced._updates._slices.n_recorded < STEPS / 2


def test_a_slice_ends_where_something_is_due(config, digits_data):
    sweep = captured(config.with_values({"train.evaluate_every": 23}), digits_data)
    reached = []
    while sweep.step < 37:
        if sweep.advance(37) is Advance.STEP:
            reached.append(sweep.step)
        assert {member.step for member in sweep.members} == {sweep.step}
    assert reached == [1, 2, 4, 5, 9, 10, 14, 16, 20, 22, 23, 31, 32, 36, 37]  # as of a single run


def test_without_a_limit_one_update_is_done(config, digits_data):
    sweep = captured(config, digits_data)
    for step in range(1, 6):
        sweep.advance()
        assert sweep.step == step


def test_what_is_steered_changes_between_slices_and_nothing_is_recorded_anew(config, digits_data):
    plain, sliced = new_sweep(config, digits_data), captured(config, digits_data)
    for sweep in (plain, sliced):
        train(sweep, 48)
    recorded = sliced._updates._slices.n_recorded
    for sweep in (plain, sliced):
        for name, value in (("learning_rate", 3e-3), ("free_bits", 0.3), ("warmup", 20)):
            sweep.set_live(name, value)
        train(sweep, 96)
    assert are_same(states(plain), states(sliced))
    assert sliced._updates._slices.n_recorded == recorded


@pytest.mark.usefixtures("adam")
def test_a_model_that_diverges_within_a_slice_stands_still_and_leaves_the_others_untouched(config, digits_data):
    config = config.with_values({"train.log_every": 1000, "train.evaluate_every": 1000})
    sweep, sound = spoilt_and_sound(lambda: captured(config, digits_data))
    before = weights(sweep.members[1])
    for one in (sweep, sound):
        one.advance(164)
        assert one.step == 164
    sweep.settle()
    assert [member.is_diverged for member in sweep.members] == [False, True, False]
    assert [member.step for member in sweep.members] == [164, 100, 164]
    assert np.array_equal(weights(sweep.members[1]), before)
    for place in (0, 2):
        assert are_same([sweep.members[place].state()[0]], [sound.members[place].state()[0]])


def test_going_on_from_a_state_is_bit_exact_wherever_slices_end(config, digits_data):
    whole, first, second = (captured(config, digits_data) for _ in range(3))
    train(whole, 70)
    train(first, 29)
    go_on_from(second, first, 29)
    train(second, 70)
    assert are_same(states(whole), states(second))


@pytest.mark.usefixtures("adam")
def test_recording_changes_neither_weights_nor_generator(config, digits_data):
    sweep = captured(config, digits_data)
    before = states(sweep)
    sweep._updates._slices._buffers.fill(0, 1)
    sweep._updates._slices._begun()
    assert are_same(before, states(sweep))


def test_where_nothing_can_be_recorded_it_trains_all_the_same_and_says_so(config, digits_data):
    plain = new_sweep(config, digits_data)
    sweep = captured(config, digits_data, StandIn(error=RuntimeError("operation not permitted\nand more")))
    for one in (plain, sweep):
        train(one, STEPS)
    assert are_same(states(plain), states(sweep))
    assert sweep.notes == ("Training runs without captured CUDA graphs, which is slower: operation not permitted.",)
