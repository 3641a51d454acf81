"""The program as people start it: a process of its own, with its own data and log folders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for child processes: no screen, no folders of the person who runs the tests, one thread for torch."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "VAE_EXPLORER_RUNS")
    }
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        environment[name] = str(home / name)
    environment["OMP_NUM_THREADS"] = "1"
    return environment


@pytest.fixture(scope="session")
def cli(own_environment: dict[str, str]) -> Cli:
    """Run `vae-explorer` with arguments; fails unless it ends with `code`, and never lets a traceback pass."""

    def run(
        *arguments: str | Path, cwd: Path, code: int = 0, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "vae_explorer", *map(str, arguments)], cwd=cwd, env=own_environment,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run
