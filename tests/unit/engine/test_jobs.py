"""Exports as jobs: the same bytes as without the engine, progress, cancel without a trace, one sentence on failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from conftest import Engine

from vae_explorer.engine import jobs
from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless
from vae_explorer.evaluation.pictures import make_picture
from vae_explorer.export.recipe import Recipe
from vae_explorer.export.write import write_export
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.checkpoint import open_frozen

MANIFOLD = Recipe(what="manifold", rows=12, cols=12)


def test_an_export_has_the_bytes_that_the_command_line_writes(
    engine: Engine, new_run: m.NewRun, tmp_path: Path
) -> None:
    train_headless(config=new_run.config, data=new_run.data, run_path=new_run.run_path, until_step=20)
    engine.put(m.OpenRun(new_run.run_path, new_run.data, tmp_path / "fork"))
    engine.put(m.Export(1, MANIFOLD, tmp_path / "window.png"))
    done = engine.wait_for(m.JobDone)
    assert (done.job, done.step, done.path) == (1, 20, tmp_path / "window.png")
    fractions = [event.fraction for event in engine.of_kind(m.JobProgress)]
    assert fractions == sorted(fractions)
    frozen = open_frozen(RunFolder.open(new_run.run_path), new_run.data)
    write_export(tmp_path / "line.png", make_picture(frozen, new_run.data, MANIFOLD))
    assert (tmp_path / "window.png").read_bytes() == (tmp_path / "line.png").read_bytes()


class HeldSlices:
    """Picture slices that stand still in the middle until the test lets them go."""

    def __init__(self) -> None:
        self.is_under_way, self.go_on = threading.Event(), threading.Event()

    def __call__(self, model: Any, data: Any, recipe: Recipe) -> Generator[float, None, Any]:
        yield 0.25
        self.is_under_way.set()
        self.go_on.wait()
        yield 0.5
        result = make_picture(model, data, recipe)
        yield 1.0
        return result


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldSlices:
    slices = HeldSlices()
    monkeypatch.setattr(jobs, "picture_slices", slices)
    monkeypatch.setattr(jobs, "SLICE_S", 0.0)
    return slices


def test_a_cancelled_job_leaves_no_file(engine: Engine, new_run: m.NewRun, tmp_path: Path, held: HeldSlices) -> None:
    """One job is cancelled under way, the next before it begins, the third is done."""
    out = tmp_path / "out"
    engine.put(new_run, *(m.Export(job, MANIFOLD, out / f"{job}.png") for job in (1, 2, 3)))
    assert held.is_under_way.wait(60)
    engine.put(m.CancelJob(1), m.CancelJob(2))
    held.go_on.set()
    assert engine.wait_for(m.JobDone).job == 3
    ended = [(event.job, event.is_cancelled) for event in engine.of_kind(m.JobFailed)]
    assert ended == [(1, True), (2, True)]
    assert [path.name for path in out.iterdir()] == ["3.png"]


def test_cancelling_what_is_over_does_nothing(engine: Engine, new_run: m.NewRun, tmp_path: Path) -> None:
    engine.put(new_run, m.Export(1, MANIFOLD, tmp_path / "grid.png"))
    engine.wait_for(m.JobDone)
    engine.put(m.CancelJob(1), m.Export(2, MANIFOLD, tmp_path / "grid2.png"))
    engine.wait_for(m.JobDone, lambda event: event.job == 2)
    assert not engine.of_kind(m.JobFailed)


@pytest.mark.parametrize(
    ("recipe", "name", "expected"),
    [
        (MANIFOLD, "grid.docx", "can be exported as"),
        (Recipe(what="manifold", rows=1000), "grid.png", "rows"),
    ],
)  # fmt: skip
def test_a_bad_job_fails_alone(
    engine: Engine, new_run: m.NewRun, tmp_path: Path, recipe: Recipe, name: str, expected: str
) -> None:
    engine.put(new_run, m.Export(1, recipe, tmp_path / name), m.Export(2, MANIFOLD, tmp_path / "good.png"))
    engine.wait_for(m.JobDone)
    failure = engine.wait_for(m.JobFailed)
    assert expected in failure.message
    assert (failure.job, failure.is_cancelled) == (1, False)


def test_a_job_keeps_the_weights_of_its_asking_while_training_goes_on(
    make_engine: Callable[..., Engine], new_run: m.NewRun, tmp_path: Path
) -> None:
    engine = make_engine()
    engine.put(new_run, m.Start(until_step=10))
    engine.wait_for_state(m.EngineState.FINISHED)
    engine.put(m.Export(1, MANIFOLD, tmp_path / "ten.npz"), m.Start(until_step=100))
    assert engine.wait_for(m.JobDone).step >= 10
    engine.wait_for_state(m.EngineState.FINISHED, step=100)


def test_shutting_down_ends_jobs_without_a_file(
    engine: Engine, new_run: m.NewRun, tmp_path: Path, held: HeldSlices
) -> None:
    engine.put(new_run, m.Export(1, MANIFOLD, tmp_path / "grid.png"))
    assert held.is_under_way.wait(60)
    engine.put(m.ShutDown())
    held.go_on.set()
    assert engine.wait_for(m.JobFailed).is_cancelled
    engine.thread.join(60)
    assert not (tmp_path / "grid.png").exists()
