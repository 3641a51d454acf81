"""The loop with real sessions: commands, answers, what it tells, and that it rests when there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Engine

from vae_explorer.engine import messages as m
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import MarkRecord, MetricRecord

ORIGIN = np.zeros((1, 2), dtype=np.float32)
State = m.EngineState


def test_a_new_run_is_ready_and_has_no_folder_until_it_is_trained(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run)
    status = engine.wait_for_state(State.READY)
    opened = engine.wait_for(m.RunOpened)
    assert (status.step, status.is_saved, opened.step, opened.is_read_only) == (0, True, 0, False)
    assert opened.n_parameters > 64 * 16
    engine.shut_down()
    assert not new_run.run_path.exists()


def test_it_trains_until_it_is_told_to_pause_and_saves(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start())
    running = engine.wait_for_state(State.RUNNING)
    assert running.target_step == 100_000
    engine.wait_for(m.RecordsAdded)
    engine.put(m.Pause())
    paused = engine.wait_for_state(State.PAUSED, is_saved=True)
    assert RunFolder.open(new_run.run_path).find_checkpoint("last").step == paused.step > 0


def test_training_ends_at_its_step_and_goes_on_as_long_again(engine: Engine, new_run: m.NewRun) -> None:
    config = new_run.config.with_values({"train.steps": 60})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start())
    engine.wait_for_state(State.FINISHED, step=60)
    engine.put(m.Start())
    engine.wait_for_state(State.FINISHED, step=120)
    engine.put(m.Start(until_step=130))
    engine.wait_for_state(State.FINISHED, step=130)


def test_every_status_of_a_training_tells_the_step_that_it_goes_on_to(engine: Engine, new_run: m.NewRun) -> None:
    config = new_run.config.with_values({"train.steps": 60})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start())
    engine.wait_for_state(State.FINISHED, step=60)
    engine.forget()
    engine.put(m.Start(until_step=90))
    engine.wait_for_state(State.FINISHED, step=90)
    running = [status for status in engine.of_kind(m.RunStatus) if status.state is State.RUNNING]
    assert {status.target_step for status in running} == {90}


def test_one_step_is_exactly_one(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run)
    for step in (1, 2, 3):
        engine.put(m.StepOnce())
        engine.wait_for_state(State.PAUSED, step=step)
    engine.wait_until_idle()
    assert max(status.step for status in engine.of_kind(m.RunStatus)) == 3


def test_steps_asked_for_together_are_all_done(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.StepOnce(), m.StepOnce(), m.StepOnce())
    engine.wait_for_state(State.PAUSED, step=3)
    engine.wait_until_idle()
    assert engine.of_kind(m.RunStatus)[-1].step == 3


def test_stop_evaluates_what_is_due_and_finishes(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=50))
    engine.wait_for_state(State.FINISHED, step=50)
    engine.wait_until_idle()
    records = [record for event in engine.of_kind(m.RecordsAdded) for record in event.records]
    held_out = [r for r in records if isinstance(r, MetricRecord) and r.split == "held_out"]
    assert [record.step for record in held_out] == [50]
    engine.forget()
    engine.put(m.Start(), m.Stop())
    assert engine.wait_for_state(State.FINISHED).step >= 50


def test_a_live_value_is_marked_at_its_step(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=20))
    engine.wait_for_state(State.FINISHED)
    engine.put(m.SetLive("beta", 4.0), m.Start(until_step=40))
    status = engine.wait_for_state(State.FINISHED, step=40)
    assert status.beta == 4.0
    engine.shut_down()
    records = RunFolder.open(new_run.run_path).read_records()
    marks = [record for record in records if isinstance(record, MarkRecord)]
    assert [(mark.step, mark.name, mark.value) for mark in marks] == [(20, "beta", 4.0)]
    train = [r for r in records if isinstance(r, MetricRecord) and r.split == "train"]
    betas = [(record.step, record.beta) for record in train if record.step % 10 == 0]
    assert betas == [(10, 1.0), (20, 1.0), (30, 4.0), (40, 4.0)]


def test_questions_are_answered_with_their_step(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Decode("map", 1, ORIGIN), m.Encode("here", 7, np.array([3, 5])))
    decoded, encoded = engine.wait_for(m.Decoded), engine.wait_for(m.Encoded)
    assert (decoded.id, decoded.step, decoded.images.shape) == (1, 0, (1, 1, 8, 8))
    assert not decoded.images.flags.writeable
    assert (encoded.id, encoded.loc.shape, encoded.reconstructions.shape) == (7, (2, 2), (2, 1, 8, 8))
    np.testing.assert_allclose(encoded.elbo, -(encoded.distortion + encoded.kl), rtol=1e-5)


def test_of_a_burst_only_the_newest_question_of_a_channel_is_answered(engine: Engine, new_run: m.NewRun) -> None:
    """The mailbox is filled before the engine can look: NewRun takes far longer than 500 puts."""
    engine.put(new_run)
    for id_ in range(1, 501):
        engine.put(m.Decode("map", id_, ORIGIN))
    engine.wait_for(m.Decoded, lambda answer: answer.id == 500)
    assert len(engine.of_kind(m.Decoded)) < 50


def test_without_a_model_every_question_has_an_answer(engine: Engine, tmp_path: Path) -> None:
    engine.put(m.Decode("map", 1, ORIGIN), m.Start(), m.CancelJob(9))
    assert "open a run" in engine.wait_for(m.RequestFailed).message
    assert engine.wait_for(m.EngineFailed).during == "Start"


def test_it_rests_when_there_is_nothing_to_do(engine: Engine, new_run: m.NewRun) -> None:
    """Idle, it waits without a time limit (it never polls), and one question costs a turn or two."""
    engine.put(new_run)
    engine.wait_for(m.CodesSnapshot, lambda snapshot: snapshot.is_complete)
    engine.wait_until_idle()
    turns = engine.loop.n_turns
    engine.put(m.Decode("map", 1, ORIGIN))
    engine.wait_for(m.Decoded)
    engine.wait_until_idle()
    assert engine.loop.n_turns - turns <= 2
    assert set(engine.mailbox.timeouts) == {None}


def test_codes_are_shown_while_it_trains_and_all_of_them_when_paused(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start())
    live = engine.wait_for(m.CodesSnapshot, lambda s: s.step > 0)
    assert live.loc.shape == (len(live.indices), 2)
    engine.put(m.Pause())
    step = engine.wait_for_state(State.PAUSED).step
    full = engine.wait_for(m.CodesSnapshot, lambda s: s.step == step and s.is_complete)
    np.testing.assert_array_equal(full.indices, np.arange(300))
    assert full.kl_per_dim.shape == (2,)
    np.testing.assert_allclose(full.kl_per_dim.sum(), full.kl.mean(), rtol=1e-4)


def test_a_large_question_is_answered_whole(engine: Engine, new_run: m.NewRun) -> None:
    z = np.random.Generator(np.random.Philox(0)).normal(size=(200, 2)).astype(np.float32)
    engine.put(new_run, m.Decode("plane", 1, z), m.Encode("many", 2, np.arange(100)))
    decoded, encoded = engine.wait_for(m.Decoded), engine.wait_for(m.Encoded)
    assert decoded.images.shape == (200, 1, 8, 8)
    assert encoded.elbo.shape == (100,)
    for place in (0, 64, 199):
        engine.forget()
        engine.put(m.Decode("one", place + 1, z[place : place + 1]))
        np.testing.assert_allclose(engine.wait_for(m.Decoded).images[0], decoded.images[place], atol=1e-6)


@pytest.mark.parametrize("z", [np.zeros((1, 3), np.float32), np.full((1, 2), np.nan, np.float32)])
def test_a_bad_question_fails_alone(engine: Engine, new_run: m.NewRun, z: np.ndarray) -> None:
    engine.put(new_run, m.Start(), m.Decode("map", 1, z))
    assert "(n, 2)" in engine.wait_for(m.RequestFailed).message
    engine.wait_for(m.RecordsAdded)
    assert not engine.of_kind(m.EngineFailed)
