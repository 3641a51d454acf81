"""Slow steps: the reader thread answers while a step is under way, from one consistent copy, with its step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Engine
from engine_fakes import FakeSessions

from vae_explorer.engine import messages as m
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.reader import Reader

ORIGIN = np.zeros((1, 2), dtype=np.float32)


class StepTime:
    """A clock that a step moves by `step_s` and nothing else moves."""

    def __init__(self, step_s: float = 0.6) -> None:
        self.now, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        return self.now

    def pass_step(self) -> None:
        self.now += self._step_s


def test_it_answers_while_a_step_is_under_way(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    """Step 21 is half done: its first weight is new, its second old. Answers are of step 20, whole."""
    clock = StepTime()

    def prepare(session: Any) -> None:
        session.on_step, session.hold_at = clock.pass_step, 21

    sessions.prepare = prepare
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(new_run, m.Start(until_step=40))
    engine.wait_for(m.RunOpened)
    session = sessions.made[0]
    assert session.is_held.wait(60)
    assert (session.first, session.second) == (21, 20)
    for id_ in range(1, 6):
        engine.put(m.Decode("map", id_, ORIGIN))
        answer = engine.wait_for(m.Decoded, lambda a, id_=id_: a.id == id_)
        assert answer.step == 20
        assert answer.images[0, 0, 0, :2].tolist() == [20, 20]
    session.go_on.set()
    engine.wait_for_state(m.EngineState.FINISHED, step=40)
    engine.put(m.Decode("map", 6, ORIGIN))
    assert engine.wait_for(m.Decoded, lambda a: a.id == 6).step == 40


@pytest.mark.parametrize("hold_at", [20, 23, 27])
def test_what_is_clicked_is_of_no_older_weights_than_the_newest_codes(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, hold_at: int
) -> None:
    clock = StepTime(0.05)
    sessions.prepare = lambda session: session.__dict__.update(on_step=clock.pass_step, hold_at=hold_at)
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(new_run, m.Start())
    engine.wait_for(m.RunOpened)
    assert sessions.made[0].is_held.wait(60)
    newest = engine.of_kind(m.CodesSnapshot)[-1].step
    engine.put(m.Decode("map", 1, ORIGIN))
    assert hold_at > engine.wait_for(m.Decoded).step >= newest > hold_at - 6
    sessions.made[0].go_on.set()


def test_a_failing_answer_leaves_the_reader_serving(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    clock = StepTime()
    sessions.prepare = lambda session: session.__dict__.update(on_step=clock.pass_step, hold_at=21)
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(new_run, m.Start())
    engine.wait_for(m.RunOpened)
    assert sessions.made[0].is_held.wait(60)
    engine.put(m.Decode("map", 1, np.zeros((1, 5), np.float32)))
    assert "(n, 2)" in engine.wait_for(m.RequestFailed).message
    engine.put(m.Decode("map", 2, ORIGIN))
    engine.wait_for(m.Decoded)
    sessions.made[0].go_on.set()


def test_fast_steps_need_no_reader(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned_on: list[int] = []
    monkeypatch.setattr(Reader, "turn_on", lambda self, model, data, *, now_s: turned_on.append(model.step))
    engine = make_engine(sessions=sessions, clock=lambda: 0.0)
    engine.put(new_run, m.Start(until_step=100), m.Decode("map", 1, ORIGIN))
    engine.wait_for(m.Decoded)
    engine.wait_for_state(m.EngineState.FINISHED)
    assert turned_on == []


def test_the_copy_is_renewed_often_only_while_it_is_asked() -> None:
    mailbox, answered = Mailbox(), threading.Event()
    config = SimpleNamespace(model=SimpleNamespace(latent_dim=2))
    model = SimpleNamespace(
        step=0, config=config, decode=lambda z, *, draw_seed, label: np.zeros((len(z), 1, 8, 8), np.float32)
    )
    reader = Reader(mailbox, Outbox(answered.set))
    assert reader.is_due(0.0)
    try:
        reader.turn_on(model, None, now_s=10.0)  # type: ignore[arg-type]
        assert [reader.is_due(10.0 + age_s) for age_s in (0.0, 0.06, 0.4, 0.6)] == [False, False, False, True]
        mailbox.put(m.Decode("map", 1, ORIGIN))
        assert answered.wait(60)
        assert [reader.is_due(10.0 + age_s) for age_s in (0.0, 0.03, 0.06)] == [False, False, True]
        reader.turn_on(model, None, now_s=10.06)  # type: ignore[arg-type]
        assert not reader.is_due(10.2)
        reader.turn_off()
        assert reader.is_due(10.2)
    finally:
        mailbox.close()
        reader.close()


def test_the_reader_works_on_one_thread_and_leaves_the_others_to_the_training() -> None:
    """The engine's own sums must be split as ever: over another number of threads they would end in other bits."""
    mailbox, answered = Mailbox(), threading.Event()
    counts: list[int] = []

    def decode(z: np.ndarray, *, draw_seed: int | None, label: int | None) -> np.ndarray:
        counts.append(torch.get_num_threads())
        return np.zeros((len(z), 1, 8, 8), np.float32)

    config = SimpleNamespace(model=SimpleNamespace(latent_dim=2))
    model = SimpleNamespace(step=0, config=config, decode=decode)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    reader = Reader(mailbox, Outbox(answered.set))
    try:
        reader.turn_on(model, None, now_s=0.0)  # type: ignore[arg-type]
        mailbox.put(m.Decode("map", 1, ORIGIN))
        assert answered.wait(60)
        assert counts == [1]
        assert torch.get_num_threads() == 2
    finally:
        mailbox.close()
        reader.close()
        torch.set_num_threads(before)
