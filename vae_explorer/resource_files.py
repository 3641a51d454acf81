"""Finds the program's own files (icons, presets, digits, the demo run) in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

from vae_explorer.errors import UsageError, VaeExplorerError, nearest_hint

_PACKAGE = Path(__file__).resolve().parent


def resources_dir() -> Path:
    """Return the folder of resources; VaeExplorerError when the installation lacks it."""
    for folder in (_PACKAGE / "_resources", _PACKAGE.parent / "resources"):
        if folder.is_dir():
            return folder
    raise VaeExplorerError(f"The folder resources is missing beside {_PACKAGE}; install vae-explorer again.")


def resource(*parts: str) -> Path:
    """Return the path of a resource, such as resource('data', 'digits.npz')."""
    return resources_dir().joinpath(*parts)


def preset_names() -> list[str]:
    """Return the names of the presets, sorted."""
    return sorted(path.stem for path in resource("presets").glob("*.toml"))


def preset_path(name: str) -> Path:
    """Return the TOML file of a preset; UsageError names the nearest known one."""
    names = preset_names()
    if name not in names:
        raise UsageError(f"Unknown preset {name!r}, expected one of {', '.join(names)}." + nearest_hint(name, names))
    return resource("presets", f"{name}.toml")


def preset_title(name: str) -> str:
    """Return the sentence that describes a preset: the comment on its file's first line."""
    first = preset_path(name).read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ")


def demo_run_dir() -> Path:
    """Return the folder of the bundled demo run (read-only by convention)."""
    return resource("demo")
