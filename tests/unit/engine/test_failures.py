"""What goes wrong is said in one sentence, and the engine goes on serving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Engine
from engine_fakes import FakeSession, FakeSessions

from vae_explorer.engine import messages as m
from vae_explorer.errors import RunError
from vae_explorer.export.recipe import Recipe
from vae_explorer.model.pixels import Pixels
from vae_explorer.runs.folder import RunFolder

ORIGIN = np.zeros((1, 2), dtype=np.float32)
State = m.EngineState


def raise_(error: Exception) -> Any:
    raise error


def test_a_failing_turn_is_told_and_another_run_can_be_made(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, tmp_path: Path
) -> None:
    engine = make_engine(sessions=sessions)
    sessions.prepare = lambda session: setattr(session, "on_step", lambda: raise_(ZeroDivisionError("oh")))
    engine.put(new_run, m.Start())
    engine.wait_for_state(State.FAILED)
    failure = engine.wait_for(m.EngineFailed)
    assert "ZeroDivisionError" in failure.message
    assert "Traceback" in failure.details
    engine.put(m.Start(), m.Decode("map", 1, ORIGIN), m.Export(4, Recipe(what="manifold"), tmp_path / "x.png"))
    engine.wait_for(m.RequestFailed)
    assert engine.wait_for(m.JobFailed).job == 4
    sessions.prepare = lambda session: None
    engine.forget()
    engine.put(m.NewRun(new_run.config, new_run.data, tmp_path / "second"), m.Start(until_step=5))
    assert engine.wait_for_state(State.FINISHED).step == 5


def test_a_failing_answer_is_told_to_its_channel_and_training_goes_on(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    engine = make_engine(sessions=sessions)
    sessions.prepare = lambda session: setattr(session, "on_decode", lambda: raise_(ValueError("no such code")))
    engine.put(new_run, m.Start(until_step=200), m.Decode("map", 3, ORIGIN))
    failure = engine.wait_for(m.RequestFailed)
    assert (failure.channel, failure.id) == ("map", 3)
    assert "no such code" in failure.message
    engine.wait_for_state(State.FINISHED, step=200)
    assert not engine.of_kind(m.EngineFailed)


def test_a_run_that_cannot_be_opened_leaves_the_open_one_alone(
    engine: Engine, new_run: m.NewRun, tmp_path: Path
) -> None:
    engine.put(new_run, m.OpenRun(tmp_path / "nowhere", new_run.data, tmp_path / "fork"))
    assert "nowhere" in engine.wait_for(m.EngineFailed).message
    engine.put(m.Decode("map", 1, ORIGIN))
    assert engine.wait_for(m.Decoded).step == 0


def test_a_folder_that_is_taken_is_refused_when_training_starts(engine: Engine, new_run: m.NewRun) -> None:
    new_run.run_path.mkdir()
    (new_run.run_path / "letter.txt").write_text("not a run")
    engine.put(new_run, m.Start())
    assert "not empty" in engine.wait_for(m.EngineFailed).message
    engine.wait_until_idle()
    assert {status.state for status in engine.of_kind(m.RunStatus)} == {State.READY}
    assert [path.name for path in new_run.run_path.iterdir()] == ["letter.txt"]


def test_a_full_disk_is_told_the_last_good_checkpoint_stays_and_saving_can_be_tried_again(
    engine: Engine, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.put(new_run, m.Start(until_step=20))
    engine.wait_for_state(State.FINISHED, step=20, is_saved=True)
    write = RunFolder.write_checkpoint
    monkeypatch.setattr(RunFolder, "write_checkpoint", lambda *_, **__: raise_(RunError("The disk is full.")))
    engine.put(m.Start(until_step=40))
    engine.wait_for_state(State.FINISHED, step=40)
    assert engine.wait_for(m.EngineFailed).message == "The disk is full."
    assert not engine.of_kind(m.RunStatus)[-1].is_saved
    assert RunFolder.open(new_run.run_path).find_checkpoint("last").step == 20
    monkeypatch.setattr(RunFolder, "write_checkpoint", write)
    engine.put(m.Save())
    engine.wait_for_state(State.FINISHED, step=40, is_saved=True)
    assert RunFolder.open(new_run.run_path).find_checkpoint("last").step == 40


def test_a_log_that_cannot_be_written_pauses_and_loses_no_record(
    engine: Engine, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunFolder.append
    engine.put(new_run, m.Start(until_step=10))
    engine.wait_for_state(State.FINISHED, step=10, is_saved=True)
    monkeypatch.setattr(RunFolder, "append", lambda *_: raise_(RunError("The disk is full.")))
    engine.put(m.Start(until_step=10_000))
    assert engine.wait_for_state(State.PAUSED).step < 10_000
    monkeypatch.setattr(RunFolder, "append", append)
    engine.put(m.Start(until_step=100))
    engine.wait_for_state(State.FINISHED, step=100, is_saved=True)
    train = [r for r in RunFolder.open(new_run.run_path).read_records() if getattr(r, "split", "") == "train"]
    regular = [record.step for record in train if record.step % 10 == 0]
    assert regular == list(range(10, 101, 10))


def test_divergence_pauses_keeps_finite_weights_and_says_what_to_try(engine: Engine, new_run: m.NewRun) -> None:
    values = {"model.likelihood": "gaussian", "model.variance": "fixed", "model.scale": 1e-4, "train.learning_rate": 10}
    engine.put(m.NewRun(new_run.config.with_values(values), new_run.data, new_run.run_path), m.Start())
    engine.wait_for_state(State.DIVERGED, is_saved=True)
    assert "learning rate" in engine.wait_for(m.EngineFailed).message
    folder = RunFolder.open(new_run.run_path)
    arrays, _ = folder.read_checkpoint(folder.find_checkpoint("last"))
    assert all(np.isfinite(array).all() for name, array in arrays.items() if name.startswith("model."))
    engine.forget()
    engine.put(m.SetLive("learning_rate", 1e-8), m.StepOnce())
    engine.wait_until(lambda events: [e for e in events if isinstance(e, m.RunStatus) and e.learning_rate == 1e-8])


@pytest.mark.parametrize("command", [m.Start(until_step=213), m.StepOnce()])
def test_an_update_that_is_refused_at_the_very_end_is_told(
    engine: Engine, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch, command: m.Start | m.StepOnce
) -> None:
    config = new_run.config.with_values({"train.log_every": 1000, "train.evaluate_every": 1000})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start(until_step=211))
    engine.wait_for_state(State.FINISHED, step=211)
    engine.forget()
    with monkeypatch.context() as patch:
        grey = Pixels.grey
        patch.setattr(Pixels, "grey", lambda pixels, rows: grey(pixels, rows) * float("nan"))
        engine.put(command)
        engine.wait_for_state(State.DIVERGED, step=211, is_saved=True)
    (failure,) = engine.of_kind(m.EngineFailed)
    assert "diverged at step 212" in failure.message
    engine.put(m.Start(until_step=215))
    engine.wait_for_state(State.FINISHED, step=215)
    assert len(engine.of_kind(m.EngineFailed)) == 1


def test_shutting_down_after_a_failure_ends_cleanly(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    engine = make_engine(sessions=sessions)
    engine.put(new_run)
    engine.wait_for_state(State.READY)
    session: FakeSession = sessions.made[0]
    session.state = lambda: raise_(OSError(28, "No space left on device"))  # type: ignore[method-assign]
    engine.put(m.Start())
    engine.wait_for(m.EngineFailed)
    engine.shut_down()
