"""A run on disk: resumed bit-exactly, forked where it is read-only, locked while it is trained, saved when left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Engine
from engine_fakes import FakeSession, FakeSessions

from vae_explorer import resource_files
from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless
from vae_explorer.errors import RunError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import MarkRecord

State = m.EngineState


def last_arrays(path: Path) -> dict[str, np.ndarray]:
    folder = RunFolder.open(path)
    return folder.read_checkpoint(folder.find_checkpoint("last"))[0]


def same_bits(one: Path, other: Path) -> bool:
    first, second = last_arrays(one), last_arrays(other)
    return first.keys() == second.keys() and all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_shutting_down_while_it_trains_saves_and_the_rest_is_bit_exact(
    make_engine: Callable[..., Engine], new_run: m.NewRun, tmp_path: Path
) -> None:
    engine = make_engine()
    engine.put(new_run, m.Start())
    engine.wait_for(m.RecordsAdded)
    engine.shut_down()
    last = engine.of_kind(m.RunStatus)[-1]
    assert last.is_saved
    folder = RunFolder.open(new_run.run_path)
    assert folder.find_checkpoint("last").step == last.step > 0
    again = make_engine()
    until = last.step + 35
    again.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"), m.Start(until_step=until))
    opened = again.wait_for(m.RunOpened)
    assert (opened.step, opened.is_read_only, opened.notes) == (last.step, False, ())
    again.wait_for_state(State.FINISHED, step=until)
    again.shut_down()
    train_headless(config=new_run.config, data=new_run.data, run_path=tmp_path / "whole", until_step=until)
    assert same_bits(new_run.run_path, tmp_path / "whole")
    assert not (tmp_path / "fork").exists()


def test_records_past_the_checkpoint_are_dropped_when_training_goes_on(engine: Engine, new_run: m.NewRun) -> None:
    train_headless(config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=30)
    folder = RunFolder.open(new_run.run_path)
    for step in (40, 50):
        folder.append(MarkRecord(step=step, time_s=0.0, name="beta", value=9.0))
    engine.put(m.OpenRun(new_run.run_path, new_run.data, new_run.run_path.with_name("fork")))
    assert max(record.step for record in engine.wait_for(m.RunOpened).records) == 30
    assert max(record.step for record in folder.read_records()) == 50
    engine.put(m.Start(until_step=60))
    engine.wait_for_state(State.FINISHED, step=60)
    engine.shut_down()
    steps = [record.step for record in folder.read_records() if not isinstance(record, MarkRecord)]
    assert [step for step in steps if step % 10 == 0] == [10, 20, 30, 40, 50, 50, 60]
    assert not [record for record in folder.read_records() if isinstance(record, MarkRecord)]


def test_training_a_read_only_run_forks_it(
    engine: Engine, new_run: m.NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo, fork = tmp_path / "resources" / "demo", tmp_path / "fork"
    train_headless(config=new_run.config, data=new_run.data, run_path=demo, until_step=60)
    monkeypatch.setattr(resource_files, "resources_dir", lambda: tmp_path / "resources")
    before = {path: path.read_bytes() for path in demo.rglob("*") if path.is_file()}
    engine.put(m.OpenRun(demo, new_run.data, fork))
    opened = engine.wait_for(m.RunOpened)
    assert (opened.run_path, opened.is_read_only, opened.step) == (demo, True, 60)
    engine.put(m.Decode("map", 1, np.zeros((1, 2), np.float32)))
    engine.wait_for(m.Decoded)
    assert not fork.exists()
    engine.put(m.Start(until_step=100))
    engine.wait_for_state(State.FINISHED, step=100, run_path=fork)
    assert str(fork) in engine.wait_for(m.Notice).message
    engine.shut_down()
    assert {path: path.read_bytes() for path in demo.rglob("*") if path.is_file()} == before
    forked = RunFolder.open(fork)
    assert (forked.parent, forked.config) == ("demo", new_run.config)
    assert forked.read_records(50) == RunFolder.open(demo).read_records(50)
    train_headless(config=new_run.config, data=new_run.data, run_path=tmp_path / "whole", until_step=100)
    assert same_bits(fork, tmp_path / "whole")


def test_one_run_is_trained_by_one_engine(
    make_engine: Callable[..., Engine], new_run: m.NewRun, tmp_path: Path
) -> None:
    first, second = make_engine(), make_engine()
    first.put(new_run, m.Start(until_step=20))
    first.wait_for_state(State.FINISHED, is_saved=True)
    second.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"), m.Start(until_step=30))
    assert "being trained by process" in second.wait_for(m.EngineFailed).message
    assert second.of_kind(m.RunStatus)[-1].step == 20


def test_a_run_that_was_trained_elsewhere_since_it_was_opened_is_not_gone_on_with(
    engine: Engine, new_run: m.NewRun, tmp_path: Path
) -> None:
    train_headless(config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=20)
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    engine.wait_for_state(State.PAUSED, step=20)
    train_headless(data=new_run.data, run_path=new_run.run_path, resume=True, until_step=25)
    engine.put(m.Start(until_step=30))
    assert "open it again" in engine.wait_for(m.EngineFailed).message


def test_the_last_three_and_the_best_are_kept(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run)
    for until in (50, 100, 110, 120, 130):
        engine.put(m.Start(until_step=until))
        engine.wait_for_state(State.FINISHED, step=until, is_saved=True)
    entries = RunFolder.open(new_run.run_path).checkpoints()
    assert [entry.step for entry in entries if not entry.is_best][-3:] == [110, 120, 130]
    assert [entry.step for entry in entries if entry.is_best] in ([50], [100])


def test_a_best_step_that_is_saved_twice_stays_the_best(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=50))
    engine.wait_for_state(State.FINISHED, step=50, is_saved=True)
    engine.put(m.SetLive("beta", 2.0), m.Save())
    engine.wait_for_state(State.FINISHED, beta=2.0, is_saved=True)
    assert RunFolder.open(new_run.run_path).find_checkpoint("last").is_best


def test_while_it_trains_it_is_saved_by_time(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes 50 ms and a checkpoint is due every second; training is held while the files are looked at."""
    now, written = [0.0], threading.Event()
    write = RunFolder.write_checkpoint

    def write_and_tell(folder: RunFolder, step: int, *arguments: Any, **options: Any) -> Path:
        path = write(folder, step, *arguments, **options)
        if step > 0:
            written.set()
        return path

    def pass_step() -> None:
        now[0] += 0.05

    def prepare(session: FakeSession) -> None:
        session.on_step, session.hold_at = pass_step, 30

    monkeypatch.setattr(RunFolder, "write_checkpoint", write_and_tell)
    sessions.prepare = prepare
    engine = make_engine(sessions=sessions, clock=lambda: now[0])
    config = new_run.config.with_values({"train.checkpoint_every_s": 1.0})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start(until_step=5))
    engine.wait_for_state(State.FINISHED, step=5, is_saved=True)
    written.clear()
    engine.put(m.Start(until_step=60))
    assert sessions.made[0].is_held.wait(60)
    assert written.wait(60)
    assert RunFolder.open(new_run.run_path).find_checkpoint("last").step in range(25, 30)
    sessions.made[0].go_on.set()
    engine.wait_for_state(State.FINISHED, step=60, is_saved=True)


def test_other_data_are_refused(engine: Engine, new_run: m.NewRun, tmp_path: Path) -> None:
    train_headless(config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=5)
    other = replace(new_run.data, images=new_run.data.images[:, :, ::-1].copy(), digest="")
    engine.put(m.OpenRun(new_run.run_path, other, tmp_path / "fork"))
    assert "digest" in engine.wait_for(m.EngineFailed).message


def test_view_and_timeline_are_kept_for_the_next_look(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=40))
    engine.wait_for_state(State.FINISHED)
    engine.shut_down()
    folder = RunFolder.open(new_run.run_path)
    view = folder.read_view()
    assert view is not None
    assert view.step == 40
    assert view.plane_images.shape == (24 * 24, 1, 8, 8)
    x_low, x_high, y_low, y_high = view.plane_extent
    assert ((view.loc > (x_low, y_low)) & (view.loc < (x_high, y_high))).all()
    assert folder.timeline_steps()[-1] == 40
    np.testing.assert_allclose(folder.read_timeline(40).loc, view.loc, atol=2e-3)


def test_headless_refuses_a_read_only_run_and_a_taken_folder(
    new_run: m.NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = tmp_path / "resources" / "demo"
    result = train_headless(config=new_run.config, data=new_run.data, run_path=demo, until_step=60)
    assert (result.step, result.state, result.best_step) == (60, State.FINISHED, 50)
    assert result.last_held_out is not None
    assert result.last_held_out.step == 50
    with pytest.raises(Exception, match="not empty"):
        train_headless(config=new_run.config, data=new_run.data, run_path=demo)
    monkeypatch.setattr(resource_files, "resources_dir", lambda: tmp_path / "resources")
    with pytest.raises(RunError, match="read-only"):
        train_headless(data=new_run.data, run_path=demo, resume=True)


def test_headless_interrupted_is_saved_and_goes_on_bit_exactly(new_run: m.NewRun, tmp_path: Path) -> None:
    seen: list[int] = []
    result = train_headless(
        config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=200,
        on_progress=lambda progress: seen.append(progress.step), is_interrupted=lambda: len(seen) >= 3,
    )  # fmt: skip
    assert result.state is State.PAUSED
    assert 0 < result.step < 200
    again = train_headless(data=new_run.data, run_path=new_run.run_path, resume=True, until_step=200)
    assert again.state is State.FINISHED
    train_headless(config=new_run.config, data=new_run.data, run_path=tmp_path / "whole", until_step=200)
    assert same_bits(new_run.run_path, tmp_path / "whole")
