"""The outbox: what may be dropped, what may not, and one wake for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vae_explorer.config import RunConfig
from vae_explorer.engine import messages as m
from vae_explorer.engine.outbox import Outbox
from vae_explorer.runs.records import MarkRecord


class Wakes:
    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> None:
        self.n += 1


def status(state: m.EngineState, step: int) -> m.RunStatus:
    return m.RunStatus(state, step, 100, 0.0, 0.0, None, "cpu", None, True, 1e-3, 1.0)


def mark(step: int) -> MarkRecord:
    return MarkRecord(step=step, time_s=0.0, name="beta", value=1.0)


def decoded(channel: str, id_: int) -> m.Decoded:
    return m.Decoded(channel, id_, 0, np.zeros((1, 2), np.float32), np.zeros((1, 1, 8, 8), np.float32))


def opened(step: int) -> m.RunOpened:
    return m.RunOpened(RunConfig(), Path("run"), step, False, (), 1)


def test_it_wakes_only_when_it_was_empty() -> None:
    wakes = Wakes()
    outbox = Outbox(wakes)
    for step in range(5):
        outbox.put(status(m.EngineState.RUNNING, step))
    assert wakes.n == 1
    outbox.take_all()
    outbox.put(m.Notice("again"))
    assert wakes.n == 2


def test_metrics_concatenate_in_order() -> None:
    outbox = Outbox(Wakes())
    for step in range(10):
        outbox.put(m.RecordsAdded((mark(step),)))
        outbox.put(decoded("map", step))
    records, answer = outbox.take_all()
    assert isinstance(records, m.RecordsAdded)
    assert [record.step for record in records.records] == list(range(10))
    assert isinstance(answer, m.Decoded)
    assert answer.id == 9


def test_a_failure_replaces_the_older_answer_of_its_channel_only() -> None:
    outbox = Outbox(Wakes())
    outbox.put(decoded("map", 1))
    outbox.put(decoded("here", 1))
    outbox.put(m.RequestFailed("map", 2, "no"))
    assert [(type(e).__name__, e.channel) for e in outbox.take_all()] == [("Decoded", "here"), ("RequestFailed", "map")]


def test_no_change_of_state_is_dropped_and_of_one_state_the_newest_is_kept() -> None:
    outbox = Outbox(Wakes())
    run, pause = m.EngineState.RUNNING, m.EngineState.PAUSED
    for state, step in ((run, 1), (run, 2), (pause, 3), (pause, 4), (run, 4), (run, 9)):
        outbox.put(status(state, step))
    assert [(e.state, e.step) for e in outbox.take_all()] == [(run, 2), (pause, 4), (run, 9)]


def test_failures_and_notices_are_all_kept() -> None:
    outbox = Outbox(Wakes())
    events = [m.Notice("a"), m.EngineFailed("b"), m.Notice("a"), m.EngineFailed("b"), m.JobFailed(1, "c")]
    for event in events:
        outbox.put(event)
    assert outbox.take_all() == tuple(events)


def test_nothing_of_one_run_is_merged_into_the_next() -> None:
    outbox = Outbox(Wakes())
    outbox.put(m.RecordsAdded((mark(1),)))
    outbox.put(opened(0))
    outbox.put(m.RecordsAdded((mark(2),)))
    before, run, after = outbox.take_all()
    assert isinstance(before, m.RecordsAdded)
    assert isinstance(run, m.RunOpened)
    assert isinstance(after, m.RecordsAdded)
    assert [r.step for r in before.records] == [1]
    assert [r.step for r in after.records] == [2]


def test_of_a_job_s_progress_the_newest_is_kept_and_its_end_comes_last() -> None:
    outbox = Outbox(Wakes())
    for fraction in (0.1, 0.5, 0.9):
        outbox.put(m.JobProgress(1, fraction))
    outbox.put(m.JobProgress(2, 0.2))
    outbox.put(m.JobFailed(1, "no"))
    assert outbox.take_all() == (m.JobProgress(1, 0.9), m.JobProgress(2, 0.2), m.JobFailed(1, "no"))


def test_the_companions_codes_do_not_replace_the_runs() -> None:
    outbox = Outbox(Wakes())
    one = np.zeros(1, np.float32)
    for step in (1, 2):
        for of in ("run", "companion"):
            codes = np.zeros((1, 2), np.float32)
            outbox.put(m.CodesSnapshot(step, np.arange(1), codes, codes, one, one, one, None, True, of=of))
    assert [(event.of, event.step) for event in outbox.take_all()] == [("run", 2), ("companion", 2)]


def test_every_kind_of_answer_keeps_the_newest_of_its_channel() -> None:
    outbox = Outbox(Wakes())
    one = np.zeros(1, np.float32)
    for id_ in (1, 2):
        outbox.put(m.Climbed("ladder", id_, 1, 0, np.arange(1), one, one, 1.0, 0.1, -1.0, 0.1))
    assert [event.id for event in outbox.take_all()] == [2]
