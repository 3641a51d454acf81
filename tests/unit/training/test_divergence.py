"""Divergence: an update that is not finite is not applied, and everything stays at the last finite step."""

import numpy as np
import pytest
import torch
from test_session import train, weights

from vae_explorer.errors import DivergedError
from vae_explorer.training.session import Advance, TrainingSession


@pytest.fixture
def session(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config.with_values({"train.log_every": 10}), digits_data)
    train(session, 12)
    return session


def poison(session, monkeypatch, *, at_step, value=float("nan")):
    """From `at_step` on every image is `value`, so that loss and gradient are not finite."""
    grey = session._pixels.grey
    monkeypatch.setattr(session._pixels, "grey", lambda rows: grey(rows) * (value if session.step >= at_step else 1.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_neither_weights_nor_moments_take_it(session, monkeypatch, value):
    clean, _ = session.state()
    poison(session, monkeypatch, at_step=12, value=value)
    found = [session.advance() for _ in range(8)]
    assert found == [Advance.STEP] * 7 + [Advance.DIVERGED]
    assert session.is_diverged
    assert session.step == 12
    now, meta = session.state()
    assert meta["step"] == 12
    for name in now:
        if name != "generator":
            np.testing.assert_array_equal(now[name], clean[name], err_msg=name)


def test_the_step_is_that_of_the_last_finite_update(session, monkeypatch):
    poison(session, monkeypatch, at_step=15)
    while session.advance() is not Advance.DIVERGED:
        pass
    assert session.step == 15
    assert session.take_records() == []
    with pytest.raises(DivergedError, match=r"diverged at step 16.*lower the learning rate \(now 0.001\).*step 15"):
        session.raise_if_diverged()


def test_looking_finds_it_at_once_so_that_no_picture_has_a_wrong_step(session, monkeypatch):
    poison(session, monkeypatch, at_step=13)
    for _ in range(3):
        session.advance()
    assert session.frozen().step == 13
    assert session.is_diverged
    assert session.advance() is Advance.DIVERGED


def test_going_on_tries_again_from_there(session, monkeypatch):
    with monkeypatch.context() as patch:
        poison(session, patch, at_step=14)
        while session.advance() is not Advance.DIVERGED:
            pass
    session.set_live("learning_rate", 1e-4)
    assert session.advance() is Advance.STEP
    assert not session.is_diverged
    session.raise_if_diverged()
    train(session, 4)
    (record,) = train(session, 1)
    assert (record.step, record.split) == (20, "train")
    assert np.isfinite(record.loss)


def test_a_learning_rate_far_too_high_ends_in_divergence_with_finite_weights(tiny_config, digits_data):
    values = {"train.learning_rate": 10.0, "model.hidden": [64, 64], "train.log_every": 20}
    session = TrainingSession.new(tiny_config.with_values(values), digits_data)
    for _ in range(3000):
        if session.advance() is Advance.DIVERGED:
            break
    assert session.is_diverged
    assert np.isfinite(weights(session)).all()
    assert all(np.isfinite(array).all() for array in session.state()[0].values())
    assert torch.isfinite(torch.tensor(session.decode(np.zeros((1, 2), dtype=np.float32)))).all()
