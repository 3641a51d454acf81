"""Slices of recorded updates: the same static buffers and bodies as on a GPU, where only what records is a stand-in."""

from functools import partial

import numpy as np
import pytest
from test_divergence import poison
from test_session import weights
from training_kinds import KINDS

from vae_explorer.training import updates
from vae_explorer.training.optimiser import GuardedOptimiser
from vae_explorer.training.session import Advance, TrainingSession

STEPS = 40


class StandIn:
    """Plays a slice by doing it again from the buffers it was recorded with; n_played: how often."""

    def __init__(self, *, seconds=0.0, error=None):
        self.n_played, self._seconds, self._error = 0, seconds, error

    def warm_up(self, body):
        body()

    def record(self, body):
        if self._error is not None:
            raise self._error

        def replay():
            self.n_played += 1
            body()

        return replay

    def seconds(self, replay):
        replay()
        return self._seconds


def captured(config, data, recorder=None):
    session = TrainingSession.new(config, data)
    session._updates.capture(recorder or StandIn(), batch_size=config.train.batch_size)
    return session


def train(session, until_step):
    while session.step < until_step or session.is_evaluating:
        session.advance(until_step)
    return session.take_records()


def without_time(records):
    return [{**{field: getattr(r, field) for field in r.__struct_fields__}, "time_s": 0} for r in records]


def are_same(first, second):
    (a, _), (b, _) = first.state(), second.state()
    return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values({"train.log_every": 16, "train.evaluate_every": 25})


@pytest.mark.parametrize("kind", KINDS)
def test_slices_do_bit_for_bit_what_single_updates_do(config, digits_data, kind):
    config = config.with_values(KINDS[kind])
    plain, sliced = TrainingSession.new(config, digits_data), captured(config, digits_data)
    expected, found = train(plain, STEPS), train(sliced, STEPS)
    assert are_same(plain, sliced)
    assert without_time(found) == without_time(expected)
    assert sliced._updates._slices.n_recorded < STEPS / 2


def test_a_slice_ends_where_something_is_due(config, digits_data):
    session = captured(config.with_values({"train.evaluate_every": 23}), digits_data)
    reached = []
    while session.step < 37:
        if session.advance(37) is Advance.STEP:
            reached.append(session.step)
    assert {16, 23, 32, 37} <= set(reached)
    assert reached == [1, 2, 4, 5, 9, 10, 14, 16, 20, 22, 23, 31, 32, 36, 37]  # records of a young run come first


def test_without_a_limit_one_update_is_done(config, digits_data):
    session = captured(config, digits_data)
    for step in range(1, 6):
        session.advance()
        assert session.step == step


def test_a_slice_is_no_longer_than_what_it_may_take(config, digits_data):
    session = captured(config.with_values({"train.log_every": 1000}), digits_data, StandIn(seconds=0.001))
    train(session, 24)
    before = session.step
    session.advance(1000)
    assert session.step - before == 1  # to the evaluation at 25
    train(session, 30)
    session.advance(1000)
    assert session.step == 34  # 4 updates of a millisecond each


def test_live_values_change_between_slices_and_nothing_is_recorded_anew(config, digits_data):
    plain, sliced = TrainingSession.new(config, digits_data), captured(config, digits_data)
    for session in (plain, sliced):
        train(session, 48)
    recorded = sliced._updates._slices.n_recorded
    for session in (plain, sliced):
        for name, value in (("beta", 4.0), ("learning_rate", 3e-3), ("free_bits", 0.3), ("warmup", 20)):
            session.set_live(name, value)
        train(session, 96)
    assert are_same(plain, sliced)
    assert sliced._updates._slices.n_recorded == recorded


def test_another_part_is_recorded_once_and_kept(config, digits_data):
    config = config.with_values({"train.evaluate_every": 1000})
    plain, sliced = TrainingSession.new(config, digits_data), captured(config, digits_data)
    counts = []
    for part in (None, None, "encoder", "decoder", "encoder", None):
        for session in (plain, sliced):
            session.set_part(part)
            train(session, session.step + 16)
        counts.append(sliced._updates._slices.n_recorded)
    assert are_same(plain, sliced)
    assert counts[1] < counts[2] < counts[3] == counts[4] == counts[5]


def test_divergence_within_a_slice_leaves_the_weights_and_the_step_of_the_last_sound_update(config, digits_data):
    config = config.with_values({"train.log_every": 1000, "train.evaluate_every": 1000})
    session = captured(config, digits_data)
    train(session, 100)
    clean = weights(session)
    with pytest.MonkeyPatch.context() as patch:
        poison(session, patch, at_step=100)
        session.advance(164)
        assert session.step == 164  # nobody has asked the device
        session.settle()
    assert session.step == 100
    np.testing.assert_array_equal(weights(session), clean)
    assert session.advance(164) is Advance.DIVERGED
    assert session.advance(164) is Advance.STEP
    assert np.isfinite(weights(session)).all()
    assert not np.array_equal(weights(session), clean)


def test_going_on_from_a_state_is_bit_exact_wherever_slices_end(config, digits_data):
    whole, first = captured(config, digits_data), captured(config, digits_data)
    train(whole, 70)
    train(first, 29)
    second = captured(config, digits_data)
    second.load(*first.state())
    train(second, 70)
    assert are_same(whole, second)


def test_recording_changes_neither_weights_nor_generator(config, digits_data):
    session = captured(config, digits_data)
    before = session.state()[0]
    session._updates._slices._buffers.fill(0, 1)
    session._updates._slices._begun()
    after = session.state()[0]
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_where_nothing_can_be_recorded_it_trains_all_the_same_and_says_so(config, digits_data):
    plain = TrainingSession.new(config, digits_data)
    session = captured(config, digits_data, StandIn(error=RuntimeError("operation not permitted\nand more")))
    for one in (plain, session):
        train(one, STEPS)
    assert are_same(plain, session)
    (note,) = session.notes
    assert note == "Training runs without captured CUDA graphs, which is slower: operation not permitted."


# ---- flat buffers, as on an accelerator -----------------------------------------------------------------------------


@pytest.fixture
def flat(monkeypatch):
    """Optimisers whose pieces are runs of flat buffers, and whose latch is predicated."""
    monkeypatch.setattr(updates, "GuardedOptimiser", partial(GuardedOptimiser, is_flat=True))


@pytest.mark.parametrize("kind", KINDS)
def test_flat_buffers_do_what_single_parameters_do(config, digits_data, monkeypatch, kind):
    config = config.with_values({"train.eps": 1e-4, **KINDS[kind]})
    plain = TrainingSession.new(config, digits_data)
    monkeypatch.setattr(updates, "GuardedOptimiser", partial(GuardedOptimiser, is_flat=True))
    gathered, sliced = TrainingSession.new(config, digits_data), captured(config, digits_data)
    records = [train(session, STEPS) for session in (plain, gathered, sliced)]
    assert are_same(gathered, sliced)
    np.testing.assert_allclose(weights(gathered), weights(plain), rtol=0, atol=1e-3)
    assert [r.loss for r in records[1]] == pytest.approx([r.loss for r in records[0]], rel=1e-4)
    (state, _), (other, _) = gathered.state(), plain.state()
    assert set(state) == set(other)
    assert all(np.array_equal(state[key], other[key]) for key in state if key.startswith("adam.step."))


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_a_latched_slice_changes_no_bit(config, digits_data, monkeypatch, value):
    session = captured(config.with_values({"train.log_every": 1000}), digits_data)
    train(session, 16)
    clean, _ = session.state()
    poison(session, monkeypatch, at_step=16, value=value)
    session.advance(20)
    now, meta = session.state()
    assert meta["step"] == 16
    assert all(np.array_equal(now[name], clean[name]) for name in clean if name != "generator")


@pytest.mark.usefixtures("flat")
def test_one_part_at_a_time_moves_that_part_alone(config, digits_data):
    session = captured(config, digits_data)
    train(session, 10)
    for part, other in (("encoder", "decoder"), ("decoder", "encoder")):
        before, _ = session.state()
        session.set_part(part)
        train(session, session.step + 3)
        after, _ = session.state()
        still = {name for name in before if f".{other}." in name}
        assert all(np.array_equal(before[name], after[name]) for name in still)
        assert not any(np.array_equal(before[name], after[name]) for name in before if f".{part}." in name)
