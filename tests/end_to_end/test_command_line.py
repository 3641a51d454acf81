"""The main job from the command line: train, go on, evaluate, export, stop, on the embedded digits."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.end_to_end.conftest import Cli
from vae_explorer.commands.console import Interrupts

SMALL = ("--dataset", "digits", "--set", "model.hidden=[32]", "--device", "cpu")
FIGURES = {"elbo", "distortion", "kl", "loss", "step"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def trained(cli: Cli, place: Path) -> Path:
    """A run of 60 steps."""
    done = cli("train", *SMALL, "--steps", "60", "--seed", "5", "--out", "trained", "--json", cwd=place)
    summary = json.loads(done.stdout)
    assert summary["step"] == 60
    assert set(summary["held_out"]) == FIGURES
    assert set(summary["train"]) == FIGURES
    assert summary["held_out"]["elbo"] == pytest.approx(
        -summary["held_out"]["distortion"] - summary["held_out"]["kl"], abs=1e-6
    )
    assert summary["state"] == "finished"
    return place / "trained"


@pytest.fixture(scope="module")
def autoencoder(cli: Cli, place: Path) -> Path:
    cli("train", *SMALL, "--set", "model.kind=autoencoder", "--steps", "20", "--out", "plain", cwd=place)
    return place / "plain"


def weights(run: Path, step: int) -> dict[str, np.ndarray[Any, Any]]:
    return load_file(run / "checkpoints" / f"step-{step:09d}.safetensors")


def assert_same_weights(first: Path, second: Path, step: int) -> None:
    one, other = weights(first, step), weights(second, step)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# ---- train ----------------------------------------------------------------------------------------------------------


def test_training_is_repeatable_and_resuming_is_bit_exact(cli: Cli, place: Path, trained: Path) -> None:
    cli("train", *SMALL, "--steps", "25", "--seed", "5", "--out", "halves", cwd=place)
    done = cli("train", "--resume", "halves", "--steps", "60", "--json", cwd=place)
    assert json.loads(done.stdout)["step"] == 60
    assert_same_weights(trained, place / "halves", 60)
    cli("train", *SMALL, "--steps", "60", "--seed", "6", "--out", "other", cwd=place)
    with pytest.raises(AssertionError):
        assert_same_weights(trained, place / "other", 60)


def test_a_run_that_is_done_stays_as_it_is(cli: Cli, place: Path, trained: Path) -> None:
    before = (trained / "metrics.jsonl").read_bytes()
    summary = json.loads(cli("train", "--resume", trained, "--json", cwd=place).stdout)
    assert (summary["step"], summary["state"]) == (60, "finished")
    log = [json.loads(line) for line in before.splitlines()]
    for split in ("train", "held_out"):
        newest = [record for record in log if record.get("split") == split][-1]
        assert summary[split] == {name: newest[name] for name in FIGURES}
    assert summary["epoch"] == pytest.approx(60 * 128 / 1437, rel=1e-3)
    assert (trained / "metrics.jsonl").read_bytes() == before


def test_talk_is_on_stderr_and_a_finished_run_is_quiet(cli: Cli, place: Path) -> None:
    done = cli("train", *SMALL, "--epochs", "2", "--out", "talk", cwd=place)
    assert done.stdout == ""
    assert "held-out elbo" in done.stderr
    assert "WARNING" not in done.stderr


def test_qt_is_never_imported(place: Path, trained: Path, own_environment: dict[str, str]) -> None:
    code = f"""
import sys
from vae_explorer.cli import main
assert main(["train", "--resume", {str(trained)!r}]) == 0
assert main(["evaluate", {str(trained)!r}, "--samples", "1", "--exact", "0"]) == 0
assert main(["export", {str(trained)!r}, "--what", "samples", "--out", "no-qt.png"]) == 0
assert main(["doctor"]) == 0
assert "torch" in sys.modules
print("Qt:", [name for name in sys.modules if name.split(".")[0] in ("PySide6", "shiboken6", "pyqtgraph")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, env=own_environment, capture_output=True, text=True, check=True
    )
    assert "Qt: []" in done.stdout


def test_an_existing_out_is_refused_and_left_alone(cli: Cli, place: Path, trained: Path) -> None:
    before = sorted(trained.rglob("*"))
    done = cli("train", *SMALL, "--steps", "5", "--out", "trained", cwd=place, code=2)
    assert "exists" in done.stderr
    assert sorted(trained.rglob("*")) == before


def test_what_a_run_is_cannot_be_changed_by_resuming(cli: Cli, place: Path, trained: Path) -> None:
    done = cli("train", "--resume", trained, "--set", "model.latent_dim=3", cwd=place, code=2)
    assert "--set" in done.stderr
    done = cli("train", "--resume", trained, "--dataset", "shapes", cwd=place, code=3)
    assert "digest" in done.stderr


def test_other_images_than_a_runs_are_refused_with_a_way_on(cli: Cli, place: Path, trained: Path) -> None:
    for words in (
        ("train", "--resume", trained),
        ("evaluate", trained),
        ("export", trained, "--what", "samples", "--out", "other.png"),
    ):
        done = cli(*words, "--dataset", "shapes", cwd=place, code=3)
        assert "digest" in done.stderr
        assert done.stderr.rstrip().endswith("name them with --dataset.")


def test_divergence_ends_with_5_and_keeps_finite_weights(cli: Cli, place: Path) -> None:
    rate = ("--set", "train.learning_rate=10")
    done = cli("train", *SMALL, *rate, "--steps", "3000", "--out", "wild", "--json", cwd=place, code=5)
    summary = json.loads(done.stdout)
    assert summary["state"] == "diverged"
    assert "learning rate" in done.stderr
    kept = weights(place / "wild", summary["step"])
    assert all(np.isfinite(array).all() for array in kept.values() if array.dtype.kind == "f")
    assert "--resume wild --set train.learning_rate=" in done.stderr


def test_live_values_can_be_set_on_going_on_and_are_marked_in_the_log(cli: Cli, place: Path) -> None:
    cli("train", *SMALL, "--steps", "5", "--out", "steered", cwd=place)
    values = ("--set", "train.learning_rate=0.0005", "--set", "objective.beta=2")
    cli("train", "--resume", "steered", "--steps", "10", *values, cwd=place)
    log = [json.loads(line) for line in (place / "steered" / "metrics.jsonl").read_text().splitlines()]
    marks = [(row["step"], row["name"], row["value"]) for row in log if "name" in row]
    assert marks == [(5, "learning_rate", 0.0005), (5, "beta", 2.0)]
    after = [row for row in log if row["step"] > 5 and "split" in row]
    assert after
    assert {(row["learning_rate"], row["beta"]) for row in after} == {(0.0005, 2.0)}
    done = cli("train", "--resume", "steered", "--set", "train.learning_rate=-1", cwd=place, code=2)
    assert "train.learning_rate" in done.stderr


def test_a_damaged_last_checkpoint_is_told_once_and_gone_on_from_the_one_before(
    cli: Cli, place: Path, trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cli("train", *SMALL, "--steps", "25", "--seed", "5", "--out", "hurt", cwd=place)
    cli("train", "--resume", "hurt", "--steps", "40", cwd=place)
    last = place / "hurt" / "checkpoints" / "step-000000040.safetensors"
    last.write_bytes(last.read_bytes()[:1000])
    assert "damaged" in cli("evaluate", "hurt", cwd=place, code=3).stderr
    caplog.clear()
    done = cli("train", "--resume", "hurt", "--steps", "60", cwd=place)
    assert re.search(r"The checkpoint of step 40 is damaged; going on from that of step (25|3\d)\.", done.stderr)
    assert done.stderr.count("damaged") == 1
    assert "damaged" not in caplog.text
    assert_same_weights(trained, place / "hurt", 60)
    log = [json.loads(line)["step"] for line in (place / "hurt" / "metrics.jsonl").read_text().splitlines()]
    assert log == sorted(log)


@pytest.mark.skipif(os.name == "nt", reason="signals of another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_can_be_gone_on_from(
    cli: Cli, place: Path, own_environment: dict[str, str], number: signal.Signals
) -> None:
    out = f"interrupted-{number.name}"
    command = [sys.executable, "-m", "vae_explorer", "train", *SMALL, "--steps", "1000000", "--out", out, "--json"]
    child = subprocess.Popen(
        command, cwd=place, env=own_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    first = child.stderr.readline()
    assert first.startswith("step "), first + child.stderr.read()
    child.send_signal(number)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 130, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    step = json.loads(stdout)["step"]
    assert weights(place / out, step)
    done = cli("train", "--resume", out, "--steps", step + 10, "--json", cwd=place)
    assert json.loads(done.stdout)["step"] == step + 10


def test_an_array_file_given_by_path(cli: Cli, place: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8), dtype=np.uint8)
    np.save(place / "noise.npy", images)
    cli("train", "--dataset", "noise.npy", "--set", "model.hidden=[8]", "--steps", "4", "--out", "noise", cwd=place)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    cli("evaluate", place / "noise", "--samples", "2", cwd=elsewhere)
    (place / "noise.npy").rename(elsewhere / "moved.npy")
    done = cli("evaluate", place / "noise", cwd=elsewhere, code=3)
    assert "--dataset" in done.stderr
    cli("evaluate", place / "noise", "--samples", "2", "--dataset", "./moved.npy", cwd=elsewhere)
    picture = elsewhere / "m.png"
    cli("export", place / "noise", "--what", "samples", "--dataset", "./moved.npy", "--out", picture, cwd=elsewhere)
    assert str(place).encode() not in picture.read_bytes()


def test_a_run_is_repeated_from_its_own_description(cli: Cli, place: Path, trained: Path) -> None:
    cli("train", "--config", trained / "run.toml", "--out", "repeated", cwd=place)
    assert_same_weights(trained, place / "repeated", 60)


# ---- evaluate -------------------------------------------------------------------------------------------------------

EVALUATION = {
    "elbo", "distortion", "kl", "elbo_se", "distortion_se", "kl_se", "elbo_mc_se", "kl_per_dim", "n", "step",
    "samples", "bits_per_dim", "unit", "log_px", "log_px_se", "log_px_mc_se", "log_px_exact", "log_px_exact_error",
    "elbo_exact", "gap", "gap_estimate", "amortisation_gap", "active_units", "mutual_information", "ess_median",
    "k_hat_median", "k_hat_bad_share", "classification_error", "n_exact", "is_complete", "words",
}  # fmt: skip
"""What is promised; a report has errors of more of its figures too."""


def test_evaluation_is_flat_consistent_and_repeatable(cli: Cli, place: Path, trained: Path) -> None:
    words = ("evaluate", trained, "--split", "test", "--exact", "4", "--samples", "8", "--seed", "3", "--json")
    first = cli(*words, cwd=place).stdout
    figures = json.loads(first)
    assert set(figures) >= EVALUATION
    assert figures["elbo"] == pytest.approx(-figures["distortion"] - figures["kl"], abs=1e-6)
    assert figures["kl"] == pytest.approx(sum(figures["kl_per_dim"]), rel=1e-5)
    assert figures["kl"] >= 0
    assert (figures["n"], figures["step"], figures["samples"]) == (180, 60, 8)
    assert figures["bits_per_dim"] is None
    assert figures["unit"] == "nats per image"
    assert figures["n_exact"] == 4
    assert figures["gap"] == pytest.approx(figures["log_px_exact"] - figures["elbo_exact"], abs=1e-9)
    assert cli(*words, cwd=place).stdout == first
    other = json.loads(cli(*words[:-2], "4", "--json", cwd=place).stdout)
    assert other["elbo"] != figures["elbo"]
    assert other["elbo"] == pytest.approx(figures["elbo"], abs=6 * figures["elbo_mc_se"])


def test_one_image_has_no_error_over_images(cli: Cli, place: Path) -> None:
    np.save(place / "ten.npy", np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8))
    cli("train", "--dataset", "ten.npy", "--set", "model.hidden=[8]", "--steps", "2", "--out", "ten", cwd=place)
    words = ("evaluate", "ten", "--split", "validation", "--samples", "2")
    lines = cli(*words, cwd=place).stdout.splitlines()
    assert lines[0].startswith("validation: 1 image, step 2")
    assert lines[1].endswith(" +- - over images")
    assert json.loads(cli(*words, "--json", cwd=place).stdout)["elbo_se"] is None


def test_a_table_says_every_figure_with_its_errors_and_what_to_make_of_it(cli: Cli, place: Path, trained: Path) -> None:
    lines = cli("evaluate", trained, "--exact", "3", "--samples", "30", cwd=place).stdout.splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert {"elbo", "log_px", "log_px_exact", "gap", "amortisation_gap", "active_units", "kl_per_dim"} <= set(rows)
    assert re.search(r"log_px +-\d+\.\d{4}  \+- \d\.\d{4} by draws  \+- \d\.\d{4} over images", rows["log_px"])
    assert "of the integral" in rows["gap"]
    assert "gap_estimate" not in rows
    assert any("means over 3 of the" in line for line in lines)


def test_an_interrupted_evaluation_writes_what_it_has_and_ends_with_130(
    cli: Cli, place: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def is_interrupted(self: Interrupts) -> bool:
        asked.append(self)
        return len(asked) > 40

    monkeypatch.setattr(Interrupts, "__call__", is_interrupted)
    done = cli("evaluate", trained, "--split", "all", "--samples", "200", "--json", cwd=place, code=130)
    report = json.loads(done.stdout)
    assert not report["is_complete"]
    assert 0 < report["n"] < 1797
    assert report["words"][0].startswith("The evaluation was ended early")
    assert "interrupted; these are the figures of what was done." in done.stderr
    asked.extend([Interrupts()] * 40)
    assert cli("evaluate", trained, "--json", cwd=place, code=130).stdout == ""


def test_checkpoints_by_name_and_step(cli: Cli, place: Path, trained: Path) -> None:
    assert (
        json.loads(cli("evaluate", trained, "--checkpoint", "60", "--exact", "0", "--json", cwd=place).stdout)["step"]
        == 60
    )
    cli("evaluate", trained, "--checkpoint", "best", "--samples", "1", "--exact", "0", cwd=place)
    done = cli("evaluate", trained, "--checkpoint", "7", cwd=place, code=2)
    assert "60" in done.stderr


def test_an_autoencoder_has_no_bound(cli: Cli, place: Path, autoencoder: Path) -> None:
    figures = json.loads(cli("evaluate", autoencoder, "--samples", "2", "--json", cwd=place).stdout)
    assert set(figures) >= EVALUATION
    assert figures["elbo"] is None
    assert figures["kl"] is None
    assert figures["distortion"] > 0
    assert "distortion" in cli("evaluate", autoencoder, "--samples", "2", cwd=place).stdout


# ---- export ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["manifold", "samples", "reconstructions", "traversal", "interpolation"])
def test_pictures_of_both_kinds_of_model(cli: Cli, place: Path, trained: Path, autoencoder: Path, what: str) -> None:
    for run in (trained, autoencoder):
        out = place / f"{run.name}-{what}.png"
        cli("export", run, "--what", what, "--rows", "2", "--cols", "3", "--out", out, cwd=place)
        with Image.open(out) as picture:
            assert picture.width > 3 * 28
            assert len(set(picture.convert("L").tobytes())) > 4
    arrays = place / f"{what}.npz"
    cli("export", trained, "--what", what, "--rows", "2", "--cols", "3", "--out", arrays, cwd=place)
    with np.load(arrays) as content:
        assert content["tiles"].shape[-3:] == (1, 8, 8)
        assert content["codes"].shape == (*content["tiles"].shape[:2], 2)
        assert np.isfinite(content["tiles"]).any()


def test_a_recipe_gives_the_same_bytes_again(cli: Cli, place: Path, trained: Path) -> None:
    words = (
        "export",
        trained,
        "--what",
        "samples",
        "--rows",
        "3",
        "--cols",
        "4",
        "--seed",
        "9",
        "--draw",
        "--scale",
        "2",
    )
    cli(*words, "--out", "one.png", cwd=place)
    cli(*words, "--out", "two.png", cwd=place)
    cli("export", trained, "--recipe", "one.png", "--out", "three.png", cwd=place)
    cli("export", trained, "--recipe", "one.png", "--seed", "10", "--out", "four.png", cwd=place)
    one = (place / "one.png").read_bytes()
    assert (place / "two.png").read_bytes() == one
    assert (place / "three.png").read_bytes() == one
    assert (place / "four.png").read_bytes() != one
    assert str(place).encode() not in one
    done = cli(*words, "--out", "one.png", cwd=place, code=2)
    assert "exists" in done.stderr
    assert (place / "one.png").read_bytes() == one


def test_codes_as_a_table_and_as_arrays(cli: Cli, place: Path, trained: Path) -> None:
    cli("export", trained, "--what", "codes", "--split", "test", "--out", "codes.csv", cwd=place)
    cli("export", trained, "--what", "codes", "--split", "test", "--out", "codes.npz", cwd=place)
    with (place / "codes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "label", "z0", "z1", "sigma0", "sigma1", "elbo", "kl", "distortion"]
    assert len(rows) == 180
    with np.load(place / "codes.npz") as arrays:
        assert arrays["z"].shape == arrays["sigma"].shape == (180, 2)
        np.testing.assert_allclose([float(row["z1"]) for row in rows], arrays["z"][:, 1], rtol=1e-6)
        np.testing.assert_allclose(arrays["elbo"], -arrays["distortion"] - arrays["kl"], rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--what", "traversal", "--image", "5000"), "--image"),
        (("--what", "manifold", "--axes", "0,2"), "--axes"),
        (("--what", "samples", "--rows", "0"), "--rows"),
        (("--what", "samples", "--seed", "-5"), "--seed"),
        (("--what", "samples", "--checkpoint", "7"), "checkpoint 7"),
        (("--what", "interpolation", "--from", "1,2,3"), "--from"),
    ],
)
def test_what_cannot_be_drawn_leaves_no_file(
    cli: Cli, place: Path, trained: Path, words: tuple[str, ...], sentence: str
) -> None:
    done = cli("export", trained, *words, "--out", "never.png", cwd=place, code=2)
    assert sentence in done.stderr
    assert not (place / "never.png").exists()
