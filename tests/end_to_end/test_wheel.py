"""A wheel in an empty place finds its presets, data, icons and demo run, and its command line runs."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

QUESTION = """
import json
import vae_explorer
from vae_explorer.config import DataConfig, read_config_file
from vae_explorer.data.catalog import open_data
from vae_explorer.resource_files import demo_run_dir, preset_names, preset_path, resource
print(json.dumps({
    "package": vae_explorer.__file__,
    "presets": {name: read_config_file(preset_path(name)).data.name for name in preset_names()},
    "digits": len(open_data(DataConfig())),
    "icons": sorted(path.name for path in resource("icons").iterdir()),
    "demo": (demo_run_dir() / "run.toml").is_file(),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the wheel in it; what it depends on comes from the environment of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(wheel)], check=True, capture_output=True)
    return folder / "site"


def ask(installed: Path, environment: dict[str, str], cwd: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *arguments], cwd=cwd, check=True, capture_output=True, text=True,
        env={**environment, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    return done.stdout


def test_resources_are_found(installed: Path, own_environment: dict[str, str], tmp_path: Path) -> None:
    found = json.loads(ask(installed, own_environment, tmp_path, "-c", QUESTION))
    assert Path(found["package"]).is_relative_to(installed)
    assert found["presets"] == {
        "aevb": "mnist", "digits-2d": "digits", "iwae-1": "mnist", "iwae-5": "mnist", "iwae-50": "mnist",
        "m1m2-100": "mnist", "m2-100": "mnist", "mnist-20d": "mnist", "mnist-2d": "mnist", "ppca": "digits",
        "shapes-conv": "shapes",
    }  # fmt: skip
    assert found["digits"] == 1797
    assert found["icons"]
    assert found["demo"]


def test_the_command_line_runs(installed: Path, own_environment: dict[str, str], tmp_path: Path) -> None:
    rows = json.loads(ask(installed, own_environment, tmp_path, "-m", "vae_explorer", "datasets", "--json"))
    assert "digits" in [row["name"] for row in rows]
    assert "vae_explorer.cli:main" in (next(installed.glob("*.dist-info")) / "entry_points.txt").read_text()


def test_the_wheel_holds_no_tests_and_nothing_secret(installed: Path) -> None:
    (wheel,) = (installed.parent / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"vae_explorer"}
    assert not [name for name in names if name.endswith((".pyc", ".pkl", ".pt"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)
