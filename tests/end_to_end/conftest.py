"""The program as people start it, with its own data and log folders.

`cli` runs commands in this process, because a process of its own spends two seconds on loading torch; what only a
process can show (signals, what is loaded, the README) starts one with `own_environment`.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vae_explorer.cli import main

FOREIGN = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "VAE_EXPLORER_RUNS", "VAE_EXPLORER_DATA")


@dataclass(frozen=True)
class Done:
    """What a command has written."""

    stdout: str
    stderr: str


Cli = Callable[..., Done]


@pytest.fixture(scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that keep the program out of the folders of the person who runs the tests."""
    home = tmp_path_factory.mktemp("home")
    return {
        f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "STATE", "CACHE", "CONFIG")
    }  # fmt: skip


@pytest.fixture(scope="session")
def own_environment(own_folders: dict[str, str]) -> dict[str, str]:
    """Variables for child processes: own folders, no screen, one thread for torch."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, **own_folders, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def cli(own_folders: dict[str, str]) -> Iterator[Cli]:
    """Run `vae-explorer` with arguments in a folder; fails unless it ends with `code` and without a traceback."""

    def run(*arguments: object, cwd: Path, code: int = 0) -> Done:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.chdir(cwd), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            ended = main([str(argument) for argument in arguments])
        done = Done(stdout.getvalue(), stderr.getvalue())
        assert ended == code, f"{arguments}: ended with {ended}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        for name, value in own_folders.items():
            patch.setenv(name, value)
        yield run
