"""The command line's words, its exit codes, and what it does not load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vae_explorer import cli
from vae_explorer.commands import console
from vae_explorer.commands.export import recipe_from
from vae_explorer.commands.run_config import config_from, note_on
from vae_explorer.config import RunConfig
from vae_explorer.errors import CancelledError, ConfigError, DataError, DivergedError, ScreenError, UsageError


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Logs and runs of these tests stay in their own folder."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def run_cli(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vae_explorer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


# ---- words ----------------------------------------------------------------------------------------------------------


def test_train_options_override_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[data]\nname = "mnist"\n[model]\nlatent_dim = 7\n[train]\nsteps = 9\nseed = 3\n')
    words = ["train", "--config", str(file), "--out", "r"]
    config = config_from(cli.parse(words))
    assert (config.data.name, config.model.latent_dim, config.train.steps, config.train.seed) == ("mnist", 7, 9, 3)
    words += ["--dataset", "digits", "--set", "model.latent_dim=5", "--set", "train.seed=4", "--epochs", "2"]
    words += ["--seed", "8", "--device", "cpu", "--set", "model.kind=autoencoder"]
    config = config_from(cli.parse(words))
    assert (config.data.name, config.model.latent_dim, config.train.seed) == ("digits", 5, 8)
    assert (config.train.steps, config.train.epochs, config.train.device) == (None, 2, "cpu")
    assert config.model.kind == "autoencoder"
    preset = config_from(cli.parse(["train", "--config", "mnist-20d", "--steps", "7", "--out", "r"]))
    assert (preset.model.latent_dim, preset.train.steps) == (20, 7)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("--set model.kind=autoencoder --set objective.bound=iwae", "objective.bound (it goes with model.kind=vae)."),
        ("--set data.labels_per_class=10", "data.labels_per_class (it goes with model.kind=m2)."),
        ("--set model.channels=[8] --set data.fit=pad", "data.fit, model.channels (it goes with model.network=conv)."),
        ("--config m2-100 --set model.kind=vae", "train.labelled_batch (it goes with model.kind=m2)."),
        ("--set model.scale=0.2", "model.scale."),
        ("--set train.epochs=3 --steps 2", None),
        ("--config m2-100 --steps 3", None),
        ("--config iwae-5 --steps 3", None),
    ],
)
def test_what_is_asked_for_in_vain_is_told(words: str, note: str | None) -> None:
    args = cli.parse(["train", *words.split(), "--out", "r"])
    told = note_on(args, config_from(args))
    assert (told is None) == (note is None)
    if told is not None and note is not None:
        assert told.startswith("Without effect under the other settings: ")
        assert told.endswith(note)


def test_a_configuration_file_with_every_default_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(RunConfig().to_toml())
    args = cli.parse(["train", "--config", str(file), "--set", "model.kind=autoencoder", "--out", "r"])
    assert note_on(args, config_from(args)) is None


def test_a_data_path_becomes_absolute_and_a_name_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = config_from(cli.parse(["train", "--dataset", "faces", "--out", "r"]))
    assert named.data.name == "faces"
    folder = config_from(cli.parse(["train", "--dataset", "./faces", "--out", "r"]))
    assert folder.data.name == str(tmp_path / "faces")
    file = config_from(cli.parse(["train", "--dataset", "faces.npz", "--out", "r"]))
    assert file.data.name == str(tmp_path / "faces.npz")


@pytest.mark.parametrize(
    ("words", "command", "path", "dataset"),
    [
        ([], "gui", None, None),
        (["some/run"], "gui", "some/run", None),
        (["gui", "some/run"], "gui", "some/run", None),
        (["--dataset", "mnist"], "gui", None, "mnist"),
        (["--dataset", "train"], "gui", None, "train"),
        (["run", "--dataset", "mnist"], "gui", "run", "mnist"),
    ],
)
def test_without_a_command_the_window_is_meant(
    words: list[str], command: str, path: str | None, dataset: str | None
) -> None:
    args = cli.parse(words)
    assert (args.command, args.path, args.dataset) == (command, path, dataset)


def test_export_options_make_a_recipe(tmp_path: Path) -> None:
    words = "export R --what interpolation --from 3 --to 0.5,-1 --path spherical --cols 12 --draw --out x.png"
    recipe = recipe_from(cli.parse(words.split()))
    assert (recipe.start, recipe.end, recipe.path, recipe.cols) == (3, (0.5, -1.0), "spherical", 12)
    assert recipe.draw
    assert recipe.rows == 10
    recipe = recipe_from(cli.parse(["export", "R", "--what", "samples", "--source", "aggregate", "--out", "x.png"]))
    assert (recipe.what, recipe.source) == ("samples", "aggregate")
    recipe = recipe_from(cli.parse(["export", "R", "--what", "manifold", "--axes", "3,1", "--out", "x.png"]))
    assert recipe.axes == (3, 1)
    assert not recipe.draw
    with pytest.raises(UsageError, match="--what"):
        recipe_from(cli.parse(["export", "R", "--out", "x.png"]))
    saved = tmp_path / "recipe.json"
    saved.write_text(json.dumps({"what": "samples", "rows": 3, "cols": 4, "seed": 9}))
    recipe = recipe_from(cli.parse(["export", "R", "--recipe", str(saved), "--cols", "5", "--out", "x.png"]))
    assert (recipe.what, recipe.rows, recipe.cols, recipe.seed) == ("samples", 3, 5, 9)


@pytest.mark.parametrize(
    ("word", "code"), [("-2,1.5", (-2.0, 1.5)), ("-.5,1", (-0.5, 1.0)), ("-inf,0", (float("-inf"), 0.0))]
)
def test_a_code_that_begins_with_a_minus_is_no_option(word: str, code: tuple[float, ...]) -> None:
    words = ["export", "R", "--what", "interpolation", "--from", word, "--to", word, "--out", "x.png"]
    args = cli.parse(words)
    assert (args.start, args.end) == (code, code)
    assert words[-3] == word, "the caller's list has been changed"


def test_an_option_is_never_taken_for_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parse(["export", "R", "--from", "--to", "-2,1", "--out", "x.png"])
    assert "--from: expected one argument" in capsys.readouterr().err


def test_a_negative_code_is_taken_with_an_equals_sign() -> None:
    args = cli.parse(["export", "R", "--what", "interpolation", "--from=-1,0.5", "--out", "x.png"])
    assert args.start == (-1.0, 0.5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train", "--out --resume is required; see `vae-explorer train --help`."),
        ("train --out a --resume b", "--resume: not allowed with argument --out"),
        ("train --out a --epochs 1 --steps 1", "--steps: not allowed with argument --epochs"),
        ("train --out a --epochs many", "--epochs 'many': expected a whole number."),
        ("train --out a --sed 1", "--sed: no such option or argument of `vae-explorer train`. Did you mean --seed?"),
        ("evaluate", "required: RUN"),
        ("evaluate R --samples nan", "--samples 'nan': expected a whole number."),
        ("evaluate R --split tset", "expected one of train, validation, test, all. Did you mean test?"),
        ("evaluate R --checkpoint bst", "'bst': expected last, best or a step. Did you mean best?"),
        ("export R --what manifold", "required: --out"),
        ("export R --what manifld --out a.png", "Did you mean manifold?"),
        ("export R --what manifold --axes 0 --out a.png", "--axes '0': expected two latent dimensions such as 0,1."),
        ("export R --from first --out a.png", "--from 'first': expected an image's number, or a code such as 0.5,-1."),
        ("tour", "required: --out; see `vae-explorer tour --help`."),
        ("some/run more", "more: no such option or argument of `vae-explorer gui`."),
    ],
)
def test_bad_usage_is_a_sentence_and_ends_with_2(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(words.split())
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("vae-explorer: ")
    assert err.count("\n") == 1
    assert sentence in err


# ---- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a sentence."), 2),
        (DataError("a sentence."), 3),
        (ScreenError("a sentence."), 4),
        (DivergedError("a sentence."), 5),
        (CancelledError("a sentence."), 130),
    ],
)
def test_errors_for_people_are_one_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vae_explorer.commands import datasets

    def fail(_args: object) -> int:
        raise error

    monkeypatch.setattr(datasets, "run", fail)
    assert cli.main(["datasets"]) == code
    assert capsys.readouterr().err == "vae-explorer: a sentence.\n"


def test_the_unforeseen_is_one_line_and_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vae_explorer.commands import datasets

    monkeypatch.setattr(datasets, "run", lambda _args: 1 // 0)
    assert cli.main(["datasets"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError" in err
    log = Path(err.rpartition("details are in ")[2].strip().rstrip("."))
    assert "1 // 0" in log.read_text()
    assert cli.main(["datasets", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_word_that_is_no_command_and_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    assert "Did you mean train?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["train", "--dataset", "digits", "--set", "model.latentdim=2", "--out", "r"], 2, "model.latent_dim"),
        (["train", "--dataset", "digits", "--set", "model.latent_dim=0", "--out", "r"], 2, "from 1 to 256"),
        (["train", "--config", "digit-2d", "--out", "r"], 2, "Did you mean digits-2d"),
        (["train", "--config", "missing.toml", "--out", "r"], 3, "missing.toml"),
        (["train", "--dataset", "digit", "--out", "r"], 2, "Did you mean digits"),
        (["train", "--dataset", "./missing", "--out", "r"], 3, "missing"),
        (["train", "--dataset", "digits", "--device", "abacus", "--out", "r"], 2, "train.device"),
        (["train", "--dataset", "digits", "--out", "."], 2, "exists"),
        (["train", "--dataset", "digits", "--out", "empty"], 2, "exists"),
        (["train", "--set", "model.likelihood=gaussian", "--set", "data.binarize=static", "--out", "r"], 2, "none"),
        (["train", "--config", "gaussian.toml", "--out", "r"], 2, "data.binarize"),
        (["train", "--resume", "nothing/here"], 3, "nothing/here"),
        (["train", "--resume", ".", "--set", "model.latent_dim=3"], 2, "--set"),
        (["train", "--resume", ".", "--seed", "0"], 2, "--seed"),
        (["train", "--resume", ".", "--epochs", "0"], 2, "--epochs"),
        (["train", "--resume", ".", "--config", ""], 2, "--config"),
        (["evaluate", "nothing/here"], 3, "nothing/here"),
        (["evaluate", ".", "--samples", "0"], 2, "--samples"),
        (["evaluate", ".", "--exact", "-1"], 2, "--exact -1: expected a whole number from 0"),
        (["evaluate", ".", "--seed", "-1"], 2, "--seed -1: expected a whole number from 0 to 2,147,483,647"),
        (["export", "nothing/here", "--what", "manifold", "--out", "a.png"], 3, "nothing/here"),
        (["export", ".", "--what", "manifold", "--out", "a.csv"], 2, ".png"),
        (["export", ".", "--what", "manifold", "--out", "mine.png"], 2, "exists"),
        (["export", ".", "--recipe", "mine.png", "--out", "b.png"], 3, "mine.png"),
        (["tour", "--out", "."], 2, "exists"),
        (["tour", "--out", "empty"], 2, "exists"),
        (["tour", "--out", "dangling"], 2, "exists"),
        (["nothing/here"], 3, "nothing/here"),
        (["gui", "."], 3, "run.toml"),
        (["--dataset", "digit"], 2, "Did you mean digits"),
        (["--dataset", "./missing"], 3, "missing"),
    ],
)
def test_bad_input_is_a_sentence_before_torch_is_loaded(
    words: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.png").write_bytes(b"not a picture")
    (tmp_path / "gaussian.toml").write_text('[data]\nbinarize = "dynamic"\n[model]\nlikelihood = "gaussian"\n')
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(words) == code
    err = capsys.readouterr().err
    assert err.startswith("vae-explorer: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(tmp_path.iterdir()) == before


def test_without_a_screen_the_window_names_the_tour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "PySide6", None)
    assert cli.main([]) == ScreenError.exit_code
    err = capsys.readouterr().err
    assert "no screen" in err
    assert "vae-explorer tour --out" in err
    assert err.count("\n") == 1


# ---- interrupts -----------------------------------------------------------------------------------------------------


def test_the_first_interrupt_is_a_flag_and_the_second_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with console.catch_interrupts() as interrupts:
        assert not interrupts()
        interrupts.check()
        signal.raise_signal(signal.SIGTERM)
        assert interrupts()
        with pytest.raises(CancelledError):
            interrupts.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert "again to leave" in capsys.readouterr().err


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    console.write_json({"a": float("nan"), "b": [1.5, float("inf")], "c": (1, None, "σ")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": [1, None, "σ"]}


# ---- what is not loaded ---------------------------------------------------------------------------------------------


def test_help_is_quick_and_light() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = run_cli("--help")
        times.append(time.perf_counter() - start)
        assert done.returncode == 0
        assert "exit codes" in done.stdout
    assert min(times) < 0.3
    code = (
        "import sys, vae_explorer.cli as c; c.build_parser(); print({'torch', 'numpy', 'PySide6'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_help_of_train_lists_every_setting_and_preset() -> None:
    text = run_cli("train", "--help").stdout
    for word in ("model.latent_dim", "data.binarize", "objective.beta", "train.seed", "mnist-20d", "--resume"):
        assert word in text


def test_version_and_datasets() -> None:
    assert run_cli("--version").stdout.startswith("vae-explorer 0.")
    rows = json.loads(run_cli("datasets", "--json").stdout)
    names = {row["name"] for row in rows}
    assert {"digits", "shapes", "mnist", "fashion-mnist", "kmnist"} <= names
    assert next(row for row in rows if row["name"] == "digits")["available"]
    assert "digits" in run_cli("datasets").stdout


def test_datasets_lists_the_folders_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sets" / "my-own-faces-in-colour").mkdir(parents=True)
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path / "sets"))
    assert cli.main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("my-own-faces-in-colour ")
    assert " here " in lines[-1]
    assert str(tmp_path / "sets" / "my-own-faces-in-colour") in lines[-1]
    assert "None" not in lines[-1]
    assert cli.main(["datasets", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[-1]
    assert (row["name"], row["images"], row["shape"]) == ("my-own-faces-in-colour", None, None)


def test_a_closed_pipe_is_no_traceback() -> None:
    command = (
        f"{sys.executable!r} -m vae_explorer train --help | true; {sys.executable!r} -m vae_explorer datasets | true"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of another process")
def test_a_signal_in_the_middle_of_a_write_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file that is being written to must not be entered again: Python raises RuntimeError, and training is lost."""

    class Busy:
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call")

        def fileno(self) -> int:
            return 2

    with console.catch_interrupts() as interrupts:
        monkeypatch.setattr(sys, "stderr", Busy())
        os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.undo()
        assert interrupts()
    assert console.LAST_WORD in capfd.readouterr().err
