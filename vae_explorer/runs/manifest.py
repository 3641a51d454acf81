"""`run.toml`: the whole configuration, versions, device and data digest of a run, enough to repeat it."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from vae_explorer import __version__
from vae_explorer.atomic_files import write_bytes_atomically
from vae_explorer.config import RunConfig
from vae_explorer.errors import ConfigError, RunError

FORMAT_VERSION = 1
"""Of the run folder. Raised when an older program could not read what a newer one writes."""

MANIFEST_NAME = "run.toml"
MAX_MANIFEST_BYTES = 1_000_000


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What run.toml says. created: ISO 8601 with zone; device: where it was trained first; versions: of programs."""

    format: int
    created: str
    device: str
    data_digest: str
    data_title: str
    parent: str | None = None
    """Name of the run that this one was forked from."""
    versions: dict[str, str]
    config: dict[str, dict[str, Any]]


def program_versions() -> dict[str, str]:
    """Return the versions of this program and of what decides its numbers, without importing any of them."""
    from importlib import metadata

    versions = {"vae-explorer": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write run.toml atomically; OSError when the disk refuses."""
    import tomlkit

    table = {key: value for key, value in msgspec.to_builtins(manifest).items() if value is not None}
    write_bytes_atomically(folder / MANIFEST_NAME, tomlkit.dumps(table).encode())


def read_manifest(folder: Path) -> tuple[Manifest, RunConfig]:
    """Read and check run.toml; RunError when it is missing, damaged, or of a newer format than this program knows."""
    path = folder / MANIFEST_NAME
    table = _read_table(folder, path)
    found = table.get("format")
    if type(found) is int and found > FORMAT_VERSION:
        versions = table.get("versions")
        needed = versions.get("vae-explorer", "newer") if isinstance(versions, dict) else "newer"
        raise RunError(
            f"{path} is of run format {found} and this vae-explorer {__version__} reads up to {FORMAT_VERSION}; "
            f"install vae-explorer {needed} or later to open it."
        )
    try:
        manifest = msgspec.convert(table, type=Manifest, strict=True)
        if manifest.format < 1:
            raise msgspec.ValidationError(f"format {manifest.format} does not exist")
        return manifest, RunConfig.from_dict(manifest.config, where="its configuration")
    except (msgspec.ValidationError, ConfigError) as error:
        raise RunError(f"{path} is damaged or not ours: {str(error).rstrip('.')}.") from None


def _read_table(folder: Path, path: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise RunError(f"{folder} is no run: there is no such folder; give the folder that a training wrote.")
    try:
        size = path.stat().st_size
        if size > MAX_MANIFEST_BYTES:
            raise RunError(f"{path} has {size:,} bytes, expected at most {MAX_MANIFEST_BYTES:,}; this is no run.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} is no run: it has no {MANIFEST_NAME}; {_what_to_give(folder)}.") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RunError(f"{path} is damaged: it is not valid TOML ({error}).") from None


def _what_to_give(folder: Path) -> str:
    """Say what to name instead of a folder that is no run: a run in it, where it is a sweep or holds several runs."""
    inside = min((path.parent for path in folder.glob(f"*/{MANIFEST_NAME}")), default=None)
    return (
        "give the folder that a training wrote" if inside is None else f"give one of the runs in it, such as {inside}"
    )
