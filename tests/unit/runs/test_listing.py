"""Where runs are, what they are called, and which are recent."""

import os

import numpy as np
import pytest
from run_makers import make_data, metrics

from vae_explorer.config import RunConfig
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.listing import default_runs_dir, new_run_path, recent_runs, slug
from vae_explorer.runs.sweep_folder import write_sweep


@pytest.fixture(autouse=True)
def runs_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_EXPLORER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def make_run(path, *, modified):
    run = RunFolder.create(path, config=RunConfig(), data=make_data(), device="cpu")
    os.utime(path / "run.toml", (modified, modified))
    return run


def test_the_folder_is_the_chosen_one_else_the_platforms(runs_dir, monkeypatch):
    assert default_runs_dir() == runs_dir
    monkeypatch.delenv("VAE_EXPLORER_RUNS")
    assert default_runs_dir().name == "runs"
    assert default_runs_dir().is_absolute()


def test_a_new_run_is_named_by_time_data_and_model_and_never_an_old_one(runs_dir):
    config = RunConfig().with_values({"model.latent_dim": 20})
    data = make_data(title="Fashion MNIST")
    paths = []
    for _ in range(3):
        path = new_run_path(config, data)
        assert path.parent == runs_dir
        assert "-fashion-mnist-vae-20d" in path.name
        assert not path.exists()
        RunFolder.create(path, config=config, data=data, device="cpu")
        paths.append(path)
    assert len(set(paths)) == 3


def test_a_dangling_link_is_not_taken_for_a_free_name(runs_dir):
    runs_dir.mkdir()
    first = new_run_path(RunConfig(), make_data())
    first.symlink_to(runs_dir / "nowhere")
    assert new_run_path(RunConfig(), make_data()) != first


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("../../etc/passwd", "etc-passwd"), ("C:\\Users\\me", "c-users-me"), ("..", "data"), ("", "data"),
        ("图片", "data"), ("Müllers Bilder!", "mullers-bilder"), ("a\0b\nc", "a-b-c"), ("x" * 300, "x" * 40),
        ("~root", "root"), ("-rf", "rf"),
    ],
)  # fmt: skip
def test_no_title_can_leave_the_folder(runs_dir, title, expected):
    assert slug(title) == expected
    path = new_run_path(RunConfig(), make_data(title=title))
    assert path.parent == runs_dir
    assert path.resolve().parent == runs_dir.resolve()


def test_recent_runs_come_newest_first(runs_dir):
    assert recent_runs() == []
    for name, modified in (("a", 100), ("b", 300), ("c", 200)):
        make_run(runs_dir / name, modified=modified)
    assert [summary.name for summary in recent_runs()] == ["b", "c", "a"]
    assert [summary.name for summary in recent_runs(2)] == ["b", "c"]


def test_a_log_that_grows_makes_a_run_recent_and_its_last_step_is_told(runs_dir):
    old = make_run(runs_dir / "old", modified=100)
    make_run(runs_dir / "new", modified=200)
    old.append(metrics(1))
    old.write_checkpoint(70, {"w": np.zeros(1)}, {})
    first, second = recent_runs()
    assert (first.name, first.step, first.data_title) == ("old", 70, "tiny")
    assert (second.name, second.step) == ("new", None)
    assert first.config == RunConfig()
    assert first.modified > second.modified


def test_what_is_no_readable_run_is_left_out(runs_dir):
    make_run(runs_dir / "good", modified=100)
    (runs_dir / "empty").mkdir()
    (runs_dir / "file").write_text("x")
    (runs_dir / "bad").mkdir()
    (runs_dir / "bad" / "run.toml").write_text("format = 99")
    assert [summary.name for summary in recent_runs()] == ["good"]


def test_a_sweep_is_listed_as_one_that_changed_with_its_first_run(runs_dir):
    make_run(runs_dir / "alone", modified=200)
    for name, modified in (("beta-1", 300), ("beta-2", 100)):
        make_run(runs_dir / "swept" / name, modified=modified)
    write_sweep(runs_dir / "swept", ["beta-1", "beta-2"])
    (runs_dir / "damaged").mkdir()
    (runs_dir / "damaged" / "sweep.toml").write_text("format = 99")
    assert [summary.name for summary in recent_runs()] == ["swept", "alone"]
    assert recent_runs()[0].path == runs_dir / "swept"
