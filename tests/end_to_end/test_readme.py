"""The README's commands work as they stand there, in the order in which they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vae_explorer.cli import COMMANDS
from vae_explorer.resource_files import preset_names

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def _tested_blocks() -> list[str]:
    return re.findall(r"<!-- tested -->\n```bash\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.timeout(420)  # a dozen starts of the program; a minute where nothing else runs
def test_commands_run_as_written(tmp_path: Path, own_environment: dict[str, str]) -> None:
    tools, place = tmp_path / "bin", tmp_path / "place"
    tools.mkdir()
    place.mkdir()
    program = tools / "vae-explorer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vae_explorer "$@"\n')
    program.chmod(0o755)
    environment = {**own_environment, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    (block,) = _tested_blocks()
    done = subprocess.run(
        ["sh", "-eu", "-c", block], cwd=place, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "figures.json").read_text())["unit"] == "nats per image"
    assert {"manifold.png", "path.png", "aggregate.png", "codes.csv", "again.png"} <= {
        path.name for path in place.iterdir()
    }
    assert len((place / "codes.csv").read_text().splitlines()) == 1798


def test_every_command_task_preset_and_picture_is_real() -> None:
    named = set(re.findall(r"vae-explorer ([a-z]+)", README))
    assert named <= set(COMMANDS), named - set(COMMANDS)
    tasks = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    for task in re.findall(r"`make ([a-z-]+)", README):
        assert f" {task}" in tasks, task
    assert all(f"`{name}`" in README for name in preset_names())
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (CHECKOUT / picture).is_file(), picture
