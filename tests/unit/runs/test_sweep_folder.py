"""The folder of a sweep: what it says is checked, and which step all of its runs have is found."""

import re
from pathlib import Path

import numpy as np
import pytest

from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.sweep_folder import SWEEP_NAME, SweepFolder, check_new, is_sweep, write_sweep
from vae_explorer.sweep_config import configs_of, run_name

BETAS = (0.5, 1.0, 4.0)
NAMES = tuple(run_name(beta) for beta in BETAS)
META = {"step": 0}


@pytest.fixture
def sweep(tmp_path, tiny_config, digits_data) -> Path:
    for config, name in zip(configs_of(tiny_config, BETAS), NAMES, strict=True):
        RunFolder.create(tmp_path / "sweep" / name, config=config, data=digits_data, device="cpu")
    write_sweep(tmp_path / "sweep", NAMES)
    return tmp_path / "sweep"


def save(run: RunFolder, step: int) -> Path:
    return run.write_checkpoint(step, {"a": np.zeros(3, dtype=np.float32)}, META)


def test_a_sweep_is_told_by_its_file_and_has_its_runs_in_order(sweep):
    assert is_sweep(sweep)
    assert not is_sweep(sweep / "beta-1")
    found = SweepFolder.open(sweep)
    assert [run.name for run in found.runs] == list(NAMES)
    assert found.left == ()


def test_the_newest_step_that_all_have_is_gone_on_from(sweep):
    found = SweepFolder.open(sweep)
    for run, steps in zip(found.runs, ((10, 20), (10, 20, 30), (10, 20)), strict=True):
        for step in steps:
            save(run, step)
    assert [entry.step for entry in found.entries_to_resume()] == [20, 20, 20]
    damaged = found.runs[2].find_checkpoint(20).path
    damaged.write_bytes(damaged.read_bytes()[:-4])
    assert [entry.step for entry in found.entries_to_resume()] == [10, 10, 10]


def test_a_run_that_was_left_stays_where_it_was(sweep):
    found = SweepFolder.open(sweep)
    for run, step in zip(found.runs, (5, 20, 20), strict=True):
        save(run, step)
    with pytest.raises(RunError, match="no sound checkpoint of a common step"):
        found.entries_to_resume()
    write_sweep(sweep, NAMES, left=["beta-0.5"])
    assert [entry.step for entry in SweepFolder.open(sweep).entries_to_resume()] == [5, 20, 20]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        'format = 1\nruns = ["beta-1"]\n',
        'format = 2\nruns = ["beta-0.5", "beta-1"]\n',
        'format = 1\nruns = ["beta-0.5", "../../elsewhere"]\n',
        'format = 1\nruns = ["beta-1", "beta-1"]\n',
        'format = 1\nruns = ["beta-0.5", "beta-7"]\n',
        'format = 1\nruns = ["beta-0.5", "beta-1"]\nleft = ["/etc"]\n',
        "runs = 3\n" + "#" * 200_000,
    ],
)
def test_what_a_stranger_wrote_is_refused(sweep, text):
    (sweep / SWEEP_NAME).write_text(text)
    with pytest.raises(RunError):
        SweepFolder.open(sweep)


def test_runs_that_differ_in_more_than_beta_are_no_sweep(sweep, tiny_config, digits_data):
    other = tiny_config.with_values({"objective.beta": 9.0, "model.latent_dim": 5})
    RunFolder.create(sweep / "beta-9", config=other, data=digits_data, device="cpu")
    write_sweep(sweep, [*NAMES, "beta-9"])
    with pytest.raises(RunError, match=r"differs from beta-0.5 in more than beta"):
        SweepFolder.open(sweep)


def test_a_new_sweep_needs_a_folder_of_its_own(sweep, tmp_path):
    check_new(tmp_path / "new")
    with pytest.raises(UsageError, match="not empty"):
        check_new(sweep)


def test_a_sweep_given_as_a_run_is_refused_with_one_of_its_runs_named(sweep):
    first = min(run.path for run in SweepFolder.open(sweep).runs)
    with pytest.raises(RunError, match=f"no run.toml; give one of the runs in it, such as {re.escape(str(first))}"):
        RunFolder.open(sweep)


def test_a_sweep_whose_models_all_diverged_is_not_gone_on_with(sweep):
    names = [run.name for run in SweepFolder.open(sweep).runs]
    write_sweep(sweep, names, left=names)
    with pytest.raises(RunError, match="diverged; begin a new sweep with a lower learning rate"):
        SweepFolder.open(sweep).entries_to_resume()
