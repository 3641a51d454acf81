"""What this machine and this installation can do: versions, devices, the screen, folders, memory."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from vae_explorer import __version__
from vae_explorer.data.known_sets import datasets_dir
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import VaeExplorerError
from vae_explorer.qt_probe import QtProbe, probe_qt
from vae_explorer.resource_files import resources_dir
from vae_explorer.runs.listing import default_runs_dir

DISTRIBUTIONS = (
    "torch", "numpy", "PySide6-Essentials", "pyqtgraph", "Pillow", "safetensors", "msgspec", "tomlkit",
    "platformdirs", "tqdm", "pooch", "scikit-learn", "openTSNE",
)  # fmt: skip


def examine() -> dict[str, Any]:
    """Return the findings as plain values. Loads torch (a second); Qt is asked in child processes only."""
    screen = QtProbe()
    return {
        "vae_explorer": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in DISTRIBUTIONS},
        "cores": os.cpu_count(),
        "free_memory_bytes": free_memory_bytes(),
        "devices": _devices(),
        "window": _qt_finding(screen),
        "off_screen": _qt_finding(None),
        "folders": {
            "runs": str(default_runs_dir()), "data": str(datasets_dir()), "resources": _resources(),
            "python": sys.prefix,
        },
    }  # fmt: skip


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    try:
        import torch
    except (ImportError, OSError) as error:
        return [{"name": "none", "title": f"torch cannot be loaded: {error}"}]
    found: list[dict[str, Any]] = [{"name": "cpu", "title": platform.processor() or platform.machine()}]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            title = torch.cuda.get_device_name(index)
            found.append({"name": f"cuda:{index}", "title": title, "free_bytes": free, "total_bytes": total})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "title": "Metal"})
    return found


def _qt_finding(probe: QtProbe | None) -> dict[str, Any]:
    report = probe_qt(platform="offscreen") if probe is None else probe.wait()
    return {"works": report.problem is None, "platform": report.platform, "message": report.message}


def _resources() -> str | None:
    try:
        return str(Path(resources_dir()))
    except VaeExplorerError:
        return None
