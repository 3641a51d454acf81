"""A sweep in the engine: slices like a run's, prompt for commands, every model shown, saved and gone on with."""

import threading

import numpy as np
import pytest

from vae_explorer.engine import messages as m
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.sweep_folder import SweepFolder, is_sweep
from vae_explorer.sweep_config import configs_of

BETAS = (0.5, 1.0, 4.0)


@pytest.fixture
def configs(tiny_config):
    return configs_of(tiny_config.with_values({"train.evaluate_every": 50, "train.steps": 100}), BETAS)


def weights_of(run):
    arrays, _ = run.read_checkpoint(run.find_checkpoint("last"))
    return {name: array for name, array in arrays.items() if name.startswith("model.")}


def of_failures(events):
    return [event for event in events if isinstance(event, m.EngineFailed)]


def test_a_sweep_is_trained_to_its_end_and_leaves_a_run_of_each_beta(engine, configs, digits_data, tmp_path):
    path = tmp_path / "sweep"
    engine.put(m.NewSweep(configs, digits_data, path))
    opened = engine.wait_for(m.SweepOpened)
    assert [config.objective.beta for config in opened.configs] == list(BETAS)
    assert [run.name for run in opened.run_paths] == ["beta-0.5", "beta-1", "beta-4"]
    assert engine.wait_for(m.RunOpened).run_path == path / "beta-1"  # nearest to the bound itself
    assert not path.exists()
    engine.put(m.Start())
    status = engine.wait_for_state(m.EngineState.FINISHED, step=100, is_saved=True)
    assert status.run_path == path / "beta-1"
    snapshot = engine.wait_for(m.SweepSnapshot, lambda s: s.step == 100)
    assert snapshot.loc.shape == (3, 500, 2)
    assert not snapshot.loc.flags.writeable
    assert snapshot.active_units.shape == (3,)
    rows = [row for event in engine.of_kind(m.SweepRecordsAdded) for row in event.records]
    assert {(place, r.step) for place, r in rows if r.split == "held_out"} == {
        (p, s) for p in range(3) for s in (50, 100)
    }
    engine.put(m.ShutDown())
    engine.thread.join(60)
    assert is_sweep(path)
    for beta, name in zip(BETAS, ("beta-0.5", "beta-1", "beta-4"), strict=True):
        run = RunFolder.open(path / name)
        assert run.config.objective.beta == beta
        assert [entry.step for entry in run.checkpoints()][-1] == 100
        assert [record.step for record in run.read_records() if record.split == "held_out"] == [50, 100]
        assert run.read_view().step == 100


def test_another_model_is_shown_as_the_open_run_while_all_go_on(engine, configs, digits_data, tmp_path):
    engine.put(m.NewSweep(configs, digits_data, tmp_path / "sweep"), m.Start(10**6))
    engine.wait_for_state(m.EngineState.RUNNING)
    engine.put(m.ShowModel(2))
    opened = engine.wait_for(m.RunOpened, lambda e: e.run_path.name == "beta-4")
    assert opened.config.objective.beta == 4.0
    engine.wait_for(m.CodesSnapshot, lambda s: s.step > opened.step)
    engine.put(m.Decode("here", 1, np.zeros((1, 2), dtype=np.float32)))
    decoded = engine.wait_for(m.Decoded)
    engine.put(m.Pause())
    status = engine.wait_for_state(m.EngineState.PAUSED)
    assert status.run_path.name == "beta-4"
    assert status.step >= decoded.step > 0
    engine.wait_for(m.SweepSnapshot, lambda s: s.step == status.step)
    engine.put(m.ShowModel(7))
    assert "no model 7" in engine.wait_for(m.EngineFailed).message


def test_a_sweep_gone_on_with_is_bit_identical_and_looking_changes_nothing(make_engine, configs, digits_data, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    engine = make_engine()
    engine.put(m.NewSweep(configs, digits_data, whole), m.Start())
    engine.wait_for_state(m.EngineState.FINISHED)
    engine.put(m.NewSweep(configs, digits_data, parts), m.Start(37))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED and s.step == 37)
    engine.put(m.ShutDown())
    engine.thread.join(60)
    again = make_engine(is_watched=False)
    again.put(m.OpenSweep(parts, digits_data), m.Start())
    again.wait_for_state(m.EngineState.FINISHED, step=100)
    again.put(m.ShutDown())
    again.thread.join(60)
    for one, other in zip(SweepFolder.open(whole).runs, SweepFolder.open(parts).runs, strict=True):
        a, b = weights_of(one), weights_of(other)
        assert all(np.array_equal(a[name], b[name]) for name in a)
        assert [r.loss for r in one.read_records()] == [r.loss for r in other.read_records()]


def test_live_values_are_of_all_and_what_a_sweep_has_not_is_refused(engine, configs, digits_data, tmp_path):
    engine.put(m.NewSweep(configs, digits_data, tmp_path / "sweep"), m.Start(5))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED)
    engine.put(m.SetLive("learning_rate", 0.01))
    engine.wait_for(m.RunStatus, lambda s: s.learning_rate == 0.01)
    rows = [row for event in engine.of_kind(m.SweepRecordsAdded) for row in event.records]
    assert sorted(place for place, record in rows if getattr(record, "name", None) == "learning_rate") == [0, 1, 2]
    for command, said in (
        (m.SetLive("beta", 2.0), "differ in"),
        (m.StepPart("encoder", 1), "updated whole"),
        (m.SetCompanion(True), "beside a sweep"),
    ):
        engine.put(command)
        engine.wait_for(m.EngineFailed, lambda e, said=said: said in e.message)
    engine.put(m.StepOnce())
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.PAUSED and s.step == 6)


def test_a_run_of_a_sweep_is_opened_and_trained_by_itself(engine, configs, digits_data, tmp_path):
    path = tmp_path / "sweep"
    engine.put(m.NewSweep(configs, digits_data, path), m.Start(20))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED)
    engine.put(m.OpenRun(path / "beta-4", digits_data, tmp_path / "fork"), m.Start(30))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED and s.step == 30)
    engine.put(m.OpenSweep(path, digits_data))
    opened = engine.wait_until(lambda events: [e for e in events if isinstance(e, m.SweepOpened)][1:])[0]
    assert opened.step == 20
    assert "beta-4 was trained on to step 30 by itself" in engine.wait_for(m.Notice).message
    engine.put(m.OpenRun(path / "beta-4", digits_data, tmp_path / "fork"), m.Start(40))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED and s.step == 40)


def test_a_run_whose_sweep_is_still_being_written_is_opened_whole(engine, configs, digits_data, tmp_path, monkeypatch):
    path, has_been_read = tmp_path / "sweep", threading.Event()
    write, find = RunFolder.write_checkpoint, RunFolder.find_sound_checkpoint

    def write_late(folder, step, *args, **options):
        if step == 20:
            has_been_read.wait(0.5)
        write(folder, step, *args, **options)

    def find_and_tell(folder):
        found = find(folder)
        has_been_read.set()
        return found

    monkeypatch.setattr(RunFolder, "write_checkpoint", write_late)
    monkeypatch.setattr(RunFolder, "find_sound_checkpoint", find_and_tell)
    engine.put(m.NewSweep(configs, digits_data, path), m.Start(20))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED)
    engine.put(m.OpenRun(path / "beta-4", digits_data, tmp_path / "fork"), m.Start(30))
    engine.wait_until(lambda events: any(getattr(e, "step", 0) == 30 for e in events) or of_failures(events))
    assert not of_failures(engine.events)


def test_a_model_that_diverged_stays_behind_when_the_sweep_is_gone_on_with(make_engine, configs, digits_data, tmp_path):
    path = tmp_path / "sweep"
    engine = make_engine()
    engine.put(m.NewSweep(configs, digits_data, path), m.Start(20))
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED)
    engine.wait_until_idle()
    engine.loop._open.run._sweep._updates.live.beta[0] = float("nan")
    engine.put(m.Start(60))
    notice = engine.wait_for(m.Notice)
    assert notice.message.startswith("beta = 0.5 diverged at step 21")
    engine.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED and s.step == 60)
    engine.put(m.ShutDown())
    engine.thread.join(60)
    assert SweepFolder.open(path).left == ("beta-0.5",)
    again = make_engine()
    again.put(m.OpenSweep(path, digits_data), m.Start(80))
    assert again.wait_for(m.SweepOpened).left == (0,)
    again.wait_for(m.RunStatus, lambda s: s.state is m.EngineState.FINISHED and s.step == 80)
    again.put(m.ShutDown())
    again.thread.join(60)
    assert [run.find_checkpoint("last").step for run in SweepFolder.open(path).runs] == [20, 80, 80]
