"""A sweep of beta from the command line: trained, interrupted, gone on with, and each run used as any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.end_to_end.conftest import Cli
from vae_explorer.commands.console import Interrupts
from vae_explorer.commands.gui import _run_path

SMALL = ("--dataset", "digits", "--set", "model.hidden=[16]", "--device", "cpu")
BETAS = ("--set", "objective.beta=[0.5, 1, 4]")
NAMES = ("beta-0.5", "beta-1", "beta-4")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def swept(cli: Cli, place: Path) -> Path:
    """A sweep of 60 steps."""
    done = cli("train", *SMALL, *BETAS, "--steps", 60, "--out", "swept", "--json", cwd=place)
    summaries = json.loads(done.stdout)
    assert [one["beta"] for one in summaries] == [0.5, 1.0, 4.0]
    assert [Path(one["run"]).name for one in summaries] == list(NAMES)
    assert all(one["step"] == 60 and one["state"] == "finished" for one in summaries)
    kls = [one["train"]["kl"] for one in summaries]
    assert kls == sorted(kls, reverse=True)
    assert "3 models side by side, beta 0.5, 1, 4" in done.stderr
    return place / "swept"


def last_state(run: Path) -> dict[str, np.ndarray]:
    return load_file(sorted((run / "checkpoints").iterdir())[-1])


def test_each_run_of_a_sweep_is_a_run_as_any_other(cli: Cli, swept: Path, place: Path) -> None:
    run = swept / "beta-4"
    report = json.loads(cli("evaluate", run, "--samples", 4, "--exact", 0, "--json", cwd=place).stdout)
    assert report["step"] == 60
    cli("export", run, "--what", "samples", "--out", "samples.png", cwd=place)
    cli("train", *SMALL, "--set", "objective.beta=4", "--steps", 60, "--out", "plain", cwd=place)
    ours, theirs = last_state(run), last_state(place / "plain")
    assert set(ours) == set(theirs)
    for name, array in theirs.items():
        assert (ours[name].shape, ours[name].dtype) == (array.shape, array.dtype)
        if name.startswith("model."):
            assert np.abs(ours[name] - array).max() <= 1e-4 * np.abs(array).max()


def test_the_window_can_be_opened_on_a_sweep(swept: Path) -> None:
    assert _run_path(str(swept)) == swept
    assert _run_path(str(swept / "beta-1")) == swept / "beta-1"


def test_a_sweep_is_interrupted_and_gone_on_with_bit_by_bit(
    cli: Cli, swept: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        turns = iter(range(1000))
        patch.setattr(Interrupts, "__call__", lambda self: next(turns) > 12)
        done = cli("train", *SMALL, *BETAS, "--steps", 60, "--out", "parts", cwd=place, code=130)
    assert "interrupted and saved; go on with: vae-explorer train --resume" in done.stderr
    steps = {sorted((place / "parts" / name / "checkpoints").iterdir())[-1].name for name in NAMES}
    assert len(steps) == 1
    cli("train", "--resume", "parts", cwd=place)
    for name in NAMES:
        ours, theirs = last_state(place / "parts" / name), last_state(swept / name)
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


def test_a_sweep_goes_on_beyond_its_length_and_with_another_rate(cli: Cli, place: Path, swept: Path) -> None:
    cli("train", *SMALL, *BETAS, "--steps", 10, "--out", "longer", cwd=place)
    rate = ("--set", "train.learning_rate=0.01")
    summaries = json.loads(cli("train", "--resume", "longer", "--steps", 20, *rate, "--json", cwd=place).stdout)
    assert [one["step"] for one in summaries] == [20] * 3
    log = (place / "longer" / "beta-4" / "metrics.jsonl").read_text()
    assert '"learning_rate","value":0.01' in log.replace(" ", "")
    done = cli("train", "--resume", "longer", "--set", "objective.beta=2", cwd=place, code=2)
    assert "differ in" in done.stderr
    cli("train", "--resume", "longer/beta-4", "--steps", 25, cwd=place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "objective.beta=[1]"), "1 values found, expected 2 to 32"),
        (("--set", "objective.beta=[1, 1]"), "1 is there twice"),
        ((*BETAS, "--set", "model.kind=autoencoder"), "set model.kind=vae"),
        ((*BETAS, "--set", "model.network=conv"), "model.network=mlp only"),
    ],
)
def test_what_is_no_sweep_is_refused_before_anything_is_made(cli: Cli, place: Path, words, said) -> None:
    done = cli("train", *SMALL, *words, "--out", "never", cwd=place, code=2)
    assert said in done.stderr
    assert not (place / "never").exists()


def test_the_list_may_come_from_a_file_and_gives_way_to_one_beta(cli: Cli, place: Path) -> None:
    (place / "betas.toml").write_text("[objective]\nbeta = [0.5, 2]\n[model]\nhidden = [16]\n[train]\nsteps = 5\n")
    summaries = json.loads(cli("train", "--config", "./betas.toml", "--out", "a", "--json", cwd=place).stdout)
    assert [one["beta"] for one in summaries] == [0.5, 2.0]
    words = ("--config", "./betas.toml", "--set", "objective.beta=3", "--out", "b", "--json")
    assert json.loads(cli("train", *words, cwd=place).stdout)["step"] == 5
