"""Exports as jobs: the same bytes as without the engine, progress, cancel without a trace, one sentence on failure."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from conftest import Engine

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import jobs
from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless
from vae_explorer.engine.jobs import JobQueue
from vae_explorer.engine.outbox import Outbox
from vae_explorer.evaluation.pictures import make_picture
from vae_explorer.evaluation.report import evaluate
from vae_explorer.evaluation.report_words import history_of
from vae_explorer.export.recipe import Recipe
from vae_explorer.export.write import write_export
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.checkpoint import open_frozen
from vae_explorer.training.session import TrainingSession

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


# ---- what a model is worth ------------------------------------------------------------------------------------------


def test_a_report_is_the_one_of_the_command_line(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=30))
    engine.wait_for_state(m.EngineState.FINISHED, step=30)
    engine.put(m.Assess(1, "validation", samples=8, exact_images=2))
    done = engine.wait_for(m.JobDone)
    fractions = [event.fraction for event in engine.of_kind(m.JobProgress)]
    assert fractions == sorted(fractions)
    engine.shut_down()
    folder = RunFolder.open(new_run.run_path)
    frozen, history = open_frozen(folder, new_run.data), history_of(folder.iter_records(up_to_step=30))
    expected = evaluate(frozen, new_run.data, split="validation", samples=8, exact_images=2, history=history)
    assert done.report == expected | {"is_partial": False}
    assert (done.path, done.step, done.report["n"], done.report["n_exact"]) == (None, 30, 20, 2)


def test_a_cancelled_report_keeps_the_images_that_were_done(config: RunConfig, data: ImageData) -> None:
    outbox = Outbox(lambda: None)
    queue = JobQueue(outbox, clock=itertools.count().__next__)  # a slice is one piece of work
    queue.add(m.Assess(1, "train", samples=500), TrainingSession.new(config, data).frozen(), data, records=list)
    share = 0.0
    while share < 0.03:
        queue.work()
        share = max(event.fraction for event in outbox.take_all() if isinstance(event, m.JobProgress))
    queue.cancel(1)
    failed, done = outbox.take_all()
    assert isinstance(failed, m.JobFailed)
    assert isinstance(done, m.JobDone)
    assert failed.is_cancelled
    assert done.report is not None
    assert (done.report["is_partial"], done.report["gap"]) == (True, None)
    assert 0 < done.report["n"] < 240
    assert not queue.has_work


def test_a_report_that_was_not_begun_leaves_nothing_when_it_is_cancelled(
    engine: Engine, new_run: m.NewRun, tmp_path: Path, held: HeldSlices
) -> None:
    engine.put(new_run, m.Export(1, MANIFOLD, tmp_path / "grid.png"), m.Assess(2, "test"))
    assert held.is_under_way.wait(60)
    engine.put(m.CancelJob(2))
    held.go_on.set()
    engine.wait_for(m.JobDone, lambda event: event.job == 1)
    engine.wait_until_idle()
    assert [(event.job, event.is_cancelled) for event in engine.of_kind(m.JobFailed)] == [(2, True)]
    assert len(engine.of_kind(m.JobDone)) == 1
