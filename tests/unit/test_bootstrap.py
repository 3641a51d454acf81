"""What `make run` does before the program itself is there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCE = CHECKOUT / ".ci" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The script in a checkout of its own, whose path has a space."""
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (checkout / name).write_text(f"{name} as it is\n")
    copy = checkout / ".ci" / "bootstrap.py"
    copy.parent.mkdir()
    copy.write_text(SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def calls(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Commands that would have been run; pip 'installs' a package, everything ends well."""
    made: list[list[str]] = []

    def run(command: list[str]) -> int:
        made.append([os.path.basename(command[0]), *command[1:]])
        if "pip" in command:
            (Path(bootstrap.VENV) / "lib/python3/site-packages/torch-2.13.0.dist-info").mkdir(
                parents=True, exist_ok=True
            )
        return 0

    def make_venv() -> int:
        made.append(["make venv"])
        (Path(bootstrap.VENV) / "bin").mkdir(parents=True)
        Path(bootstrap.venv_program("python")).touch()
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "run", run)
    monkeypatch.setattr(bootstrap, "make_venv", make_venv)
    return made


needs_posix = pytest.mark.skipif(os.name == "nt", reason="the fake environment is laid out as on Unix")


@needs_posix
def test_the_second_run_installs_nothing(bootstrap: ModuleType, calls: list[list[str]]) -> None:
    assert bootstrap.main(["run", "my run"]) == 0
    assert [call[0] for call in calls] == ["make venv", "python", "python"]
    assert calls[1][4:] == ["install", "--constraint", "constraints.txt", "--editable", "."]
    assert calls[2] == ["python", "-m", "vae_explorer", "my run"]
    calls.clear()
    assert bootstrap.main(["run"]) == 0
    assert calls == [["python", "-m", "vae_explorer"]]


@needs_posix
@pytest.mark.parametrize("change", ["pins", "package gone", "half made", "moved", "interpreter gone"])
def test_what_no_longer_fits_is_mended(
    bootstrap: ModuleType, calls: list[list[str]], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install(extras="")
    calls.clear()
    monkeypatch.setattr(bootstrap, "venv_answers", lambda: change != "interpreter gone")
    if change == "package gone":
        (Path(bootstrap.VENV) / "lib/python3/site-packages/torch-2.13.0.dist-info").rmdir()
    elif change == "pins":
        Path(bootstrap.ROOT, "constraints.txt").write_text("torch==99\n")
    elif change == "half made":
        Path(bootstrap.STAMP).unlink()
    elif change == "moved":
        stamp = bootstrap.read_stamp()
        bootstrap.write_stamp({**stamp, "place": "/elsewhere"})
    elif change == "interpreter gone":
        Path(bootstrap.venv_program("python")).unlink()
    if change in ("moved", "interpreter gone"):
        monkeypatch.setattr(bootstrap, "make_venv", lambda: calls.append(["make venv"]) or 0)
    assert bootstrap.install(extras="") == 0
    is_anew = change in ("moved", "interpreter gone")
    assert [call[0] for call in calls] == (["make venv", "python"] if is_anew else ["python"])
    assert bootstrap.read_stamp()["place"] == bootstrap.ROOT


@needs_posix
def test_the_test_extra_serves_both_and_is_added_once(bootstrap: ModuleType, calls: list[list[str]]) -> None:
    bootstrap.install(extras="[test]")
    calls.clear()
    bootstrap.install(extras="")
    bootstrap.install(extras="[test]")
    assert calls == []


@needs_posix
def test_pip_that_fails_leaves_no_stamp(
    bootstrap: ModuleType, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "run", lambda command: 1)
    assert bootstrap.main(["run"]) == 1
    assert not Path(bootstrap.STAMP).exists()


@needs_posix
def test_without_a_screen_the_tour_is_run(
    bootstrap: ModuleType,
    calls: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from vae_explorer.errors import ScreenError

    assert ScreenError.exit_code == bootstrap.NO_SCREEN
    bootstrap.install(extras="")
    calls.clear()

    def run(command: list[str]) -> int:
        calls.append(command[3:])
        return 0 if "tour" in command else bootstrap.NO_SCREEN

    monkeypatch.setattr(bootstrap, "run", run)
    assert bootstrap.main(["run"]) == 0
    assert calls[1][:2] == ["tour", "--out"]
    assert os.path.join(bootstrap.ROOT, calls[1][2]) in capsys.readouterr().err


@needs_posix
def test_every_check_runs_even_when_one_fails(
    bootstrap: ModuleType,
    calls: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bootstrap.install(extras="[test]")
    calls.clear()

    def run(command: list[str]) -> int:
        calls.append(command)
        return 1 if "mypy" in command else 0

    monkeypatch.setattr(bootstrap, "run", run)
    assert bootstrap.main(["test"]) == 1
    words = " ".join(" ".join(call) for call in calls)
    assert len(calls) == 7
    assert all(tool in words for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"))
    assert "failed: mypy." in capsys.readouterr().err


def test_missing_venv_package_is_named(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert bootstrap.make_venv() == 1
    assert "sudo apt install python3-venv." in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", "/opt/python/bin/python3")
    assert bootstrap.make_venv() == 1
    assert f"sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv." in capsys.readouterr().err


def test_an_old_python_hands_over_or_says_so(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handed: list[list[str]] = []
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(bootstrap, "run", lambda command: handed.append(command) or 7)
    monkeypatch.setattr("shutil.which", lambda name: f"/opt/{name}" if name == "python3.12" else None)
    assert bootstrap.main(["run", "x"]) == 7
    assert handed[0][0] == "/opt/python3.12"
    assert handed[0][2:] == ["run", "x"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert bootstrap.main(["run"]) == 1
    assert "Python 3.10" in capsys.readouterr().err
    assert bootstrap.main(["dance"]) == 2


def test_make_names_every_task(bootstrap: ModuleType) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert f".PHONY: {' '.join(bootstrap.TASKS)}\n" in makefile
    assert subprocess.run(["sh", "-n", CHECKOUT / ".ci" / "run"], check=False).returncode == 0
