"""A run that another program trains: opened, kept up with, left alone, taken over when that one has ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conftest import Engine

from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless
from vae_explorer.errors import RunError
from vae_explorer.runs import watch as watch_module
from vae_explorer.runs.folder import RunFolder

State = m.EngineState


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "LOOK_EVERY_S", 0.01)


@pytest.fixture
def writer(make_engine: Callable[..., Engine], new_run: m.NewRun) -> Engine:
    """Another engine with the run, trained to step 60 and paused: it still holds the lock."""
    engine = make_engine()
    engine.put(new_run, m.Start(until_step=60))
    engine.wait_for_state(State.FINISHED, step=60, is_saved=True)
    return engine


@pytest.fixture
def follower(make_engine: Callable[..., Engine], writer: Engine, new_run: m.NewRun, tmp_path: Path) -> Engine:
    """An engine that follows that run."""
    engine = make_engine()
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    engine.wait_for_state(State.FOLLOWING, step=60)
    return engine


@pytest.fixture
def held(new_run: m.NewRun) -> Iterator[RunFolder]:
    """The run, trained to step 60, held by somebody who does nothing by itself."""
    train_headless(config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=60)
    folder = RunFolder.open(new_run.run_path)
    with folder.lock():
        yield folder


@pytest.fixture
def onlooker(make_engine: Callable[..., Engine], held: RunFolder, new_run: m.NewRun, tmp_path: Path) -> Engine:
    """An engine that follows `held`."""
    engine = make_engine()
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    engine.wait_for_state(State.FOLLOWING, step=60)
    return engine


def times(folder: RunFolder) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}


def log_steps(engine: Engine) -> list[int]:
    """The steps of all records of the run as the window knows them."""
    steps: list[int] = []
    for event in engine.of_kind(m.RunOpened | m.RecordsAdded):
        steps = [] if isinstance(event, m.RunOpened) else steps
        steps += [record.step for record in event.records]
    return steps


def expected_steps(path: Path) -> list[int]:
    return [record.step for record in RunFolder.open(path).iter_records()]


def test_it_goes_on_as_the_other_one_trains(writer: Engine, follower: Engine, new_run: m.NewRun) -> None:
    status = follower.of_kind(m.RunStatus)[-1]
    assert status.elsewhere is not None
    assert (status.elsewhere.log_step, status.is_saved) == (60, True)
    writer.put(m.Start(until_step=130))
    writer.wait_for_state(State.FINISHED, step=130, is_saved=True)
    later = follower.wait_for_state(State.FOLLOWING, step=130)
    assert later.epoch == pytest.approx(130 * 32 / 240)
    follower.wait_until(lambda _: log_steps(follower) == expected_steps(new_run.run_path))
    # Each picture belongs to the step of the weights that were taken over.
    follower.wait_for(m.CodesSnapshot, lambda codes: codes.step == 130 and codes.is_complete)
    z = np.zeros((1, 2), np.float32)
    for engine in (writer, follower):
        engine.put(m.Decode("here", 1, z))
    ours, theirs = (engine.wait_for(m.Decoded) for engine in (follower, writer))
    assert ours.step == theirs.step == 130
    np.testing.assert_array_equal(ours.images, theirs.images)


def test_rows_beyond_the_checkpoint_are_shown_at_once(
    make_engine: Callable[..., Engine], held: RunFolder, new_run: m.NewRun, tmp_path: Path
) -> None:
    held.append(msgspec.structs.replace(held.read_records()[-1], step=70))
    engine = make_engine()
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    status = engine.wait_for_state(State.FOLLOWING, step=60)
    opened = engine.wait_for(m.RunOpened)
    assert opened.records[-1].step == 60
    assert engine.wait_for(m.RecordsAdded).records[-1].step == 70
    engine.wait_for(m.RunStatus, lambda status: status.elsewhere.log_step == 70)
    assert status.step == 60


@pytest.mark.parametrize(
    "command",
    [m.Start(), m.StepOnce(), m.StepPart("encoder", 1), m.SetLive("beta", 2.0), m.Save(), m.Stop()],
    ids=lambda command: type(command).__name__,
)
def test_it_cannot_be_trained_here_meanwhile(onlooker: Engine, held: RunFolder, command: m.Command) -> None:
    before = times(held)
    onlooker.put(command)
    failure = onlooker.wait_for(m.EngineFailed)
    assert "is being trained by process" in failure.message
    assert failure.message.endswith("wait until that one has ended, or begin a new run.")
    assert onlooker.of_kind(m.RunStatus)[-1].state is State.FOLLOWING
    assert times(held) == before


def test_when_the_other_one_ends_it_can_be_taken_over(
    writer: Engine, follower: Engine, new_run: m.NewRun, tmp_path: Path
) -> None:
    writer.put(m.Start(until_step=90))
    writer.wait_for_state(State.FINISHED, step=90)
    writer.shut_down()
    ended = follower.wait_for_state(State.PAUSED, step=90)
    assert ended.elsewhere is None
    follower.put(m.Start(until_step=130))
    follower.wait_for_state(State.FINISHED, step=130, is_saved=True)
    follower.shut_down()
    train_headless(config=new_run.config, data=new_run.data, run_path=tmp_path / "whole", until_step=130)
    ours, whole = (RunFolder.open(path) for path in (new_run.run_path, tmp_path / "whole"))
    arrays = [folder.read_checkpoint(folder.find_checkpoint(130))[0] for folder in (ours, whole)]
    assert all(arrays[0][name].tobytes() == arrays[1][name].tobytes() for name in arrays[1])
    assert expected_steps(new_run.run_path) == expected_steps(tmp_path / "whole")


def test_one_that_begins_again_is_followed_again(
    make_engine: Callable[..., Engine], writer: Engine, follower: Engine, new_run: m.NewRun, tmp_path: Path
) -> None:
    writer.shut_down()
    follower.wait_for_state(State.PAUSED)
    follower.forget()
    again = make_engine()
    again.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"), m.Start(until_step=80))
    follower.wait_for_state(State.FOLLOWING, step=80)


def test_rows_that_a_resumed_run_dropped_leave_the_curves(onlooker: Engine, held: RunFolder) -> None:
    held.truncate_records(30)
    onlooker.wait_until(lambda _: log_steps(onlooker) == expected_steps(held.path))
    assert max(log_steps(onlooker)) == 30
    assert len(onlooker.of_kind(m.RunOpened)) == 2


def test_a_checkpoint_of_another_model_is_told_and_the_last_one_stays(onlooker: Engine, held: RunFolder) -> None:
    arrays, meta = held.read_checkpoint(held.find_checkpoint("last"))
    held.write_checkpoint(70, {**arrays, "metrics": np.zeros(3, np.float32)}, {**meta, "step": 70})
    assert "checkpoint's metrics is" in onlooker.wait_for(m.Notice).message
    assert onlooker.of_kind(m.RunStatus)[-1].step == 60
    held.write_checkpoint(80, arrays, {**meta, "step": 80})
    onlooker.wait_for_state(State.FOLLOWING, step=80)


def test_a_holder_that_was_not_heard_of_for_long_is_said_so_with_the_way_out(
    make_engine: Callable[..., Engine], held: RunFolder, new_run: m.NewRun, tmp_path: Path
) -> None:
    held.unlock()
    text = {"host": "gone", "pid": 4711, "since": "2026-01-01T00:00:00+00:00"}
    (held.path / ".lock").write_text(json.dumps(text))
    for path in held.path.rglob("*"):
        os.utime(path, (1.7e9, 1.7e9))
    engine = make_engine()
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    engine.wait_for(m.RunStatus, lambda status: status.elsewhere is not None and status.elsewhere.is_quiet)
    engine.put(m.Start())
    assert (
        f"process 4711 on gone, which has written nothing for a while; if that one has ended, remove {held.path}"
        in (engine.wait_for(m.EngineFailed).message)
    )
    (held.path / ".lock").write_text("")
    engine.wait_for_state(State.PAUSED, elsewhere=None)


def test_leaving_it_leaves_no_thread_and_nothing_in_the_folder(onlooker: Engine, held: RunFolder) -> None:
    before = times(held)
    onlooker.shut_down()
    assert times(held) == before


def test_the_command_line_refuses_to_go_on_with_it(held: RunFolder, new_run: m.NewRun) -> None:
    with pytest.raises(RunError, match="is being written by process"):
        train_headless(data=new_run.data, run_path=new_run.run_path, resume=True, until_step=100)
