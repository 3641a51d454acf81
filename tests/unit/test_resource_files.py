"""The program's own files are found in a checkout and in a wheel's layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from vae_explorer import resource_files
from vae_explorer.errors import UsageError, VaeExplorerError


def test_resources_of_the_checkout_are_found() -> None:
    assert resource_files.resource("presets").is_dir()
    assert resource_files.preset_path("digits-2d").is_file()
    assert resource_files.demo_run_dir().parent == resource_files.resources_dir()


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean digits-2d"):
        resource_files.preset_path("digit-2d")
    with pytest.raises(UsageError):
        resource_files.preset_path("../presets/digits-2d")


def test_a_wheel_keeps_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "vae_explorer"
    package.mkdir(parents=True)
    monkeypatch.setattr(resource_files, "_PACKAGE", package)
    with pytest.raises(VaeExplorerError, match="install vae-explorer again"):
        resource_files.resources_dir()
    (package / "_resources").mkdir()
    assert resource_files.resources_dir() == package / "_resources"
