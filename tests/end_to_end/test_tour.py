"""The tour drives the real window, off-screen, and leaves its pictures and the exported grid."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import Cli
from vae_explorer.export.picture import read_recipe

LIMIT_S = 60
"""The tour's own promise, on 2 cores."""


@pytest.fixture(scope="module")
def tour(own_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tour") / "pictures"
    started_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "vae_explorer", "tour", "--out", str(out)], env=own_environment,
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert time.perf_counter() - started_s < LIMIT_S
    return out


def test_pictures_show_a_window_in_both_sizes_and_themes(tour: Path) -> None:
    sizes = {}
    for path in tour.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
            colours = picture.convert("RGB").getcolors(maxcolors=1 << 20)
            assert colours is None or len(colours) > 50, f"{path.name} is nearly empty"
    assert sizes["window"] == (1280, 800)
    assert {"bound", "em", "formula", "collapse"} <= set(sizes)
    assert (1920, 1080) in sizes.values()
    light, dark = (np.asarray(Image.open(tour / f"{name}.png").convert("L")).mean() for name in ("window", "dark"))
    assert light > 150 > 90 > dark


def test_the_exported_grid_carries_its_recipe(tour: Path) -> None:
    recipe = read_recipe(tour / "manifold.png")
    assert recipe.what == "manifold"
    assert recipe.step
    assert recipe.run
    assert (tour / "codes.csv").read_text().startswith("index,")


def test_the_report_says_what_was_done(tour: Path) -> None:
    report = json.loads((tour / "tour.json").read_text())
    assert report["seconds"] < LIMIT_S
    assert set(report["pictures"]) <= {path.name for path in tour.iterdir()}


def test_an_existing_folder_is_refused(tour: Path, cli: Cli) -> None:
    before = sorted(tour.iterdir())
    assert "exists" in cli("tour", "--out", tour, cwd=tour.parent, code=2).stderr
    assert sorted(tour.iterdir()) == before
