"""`vae-explorer [gui] [RUN]`: opens the window, once a child process has found that Qt can."""

from __future__ import annotations

import argparse
from pathlib import Path

from vae_explorer.commands.run_config import absolute_data_name
from vae_explorer.data.catalog import dataset_names, is_path
from vae_explorer.errors import DataError, UsageError, nearest_hint
from vae_explorer.qt_probe import QtProbe
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.sweep_folder import SweepFolder, is_sweep
from vae_explorer.start_up import put_off_collection


def run(args: argparse.Namespace) -> int:
    """Open the window on a run, on images for a new one, or on the bundled demo; returns when it is closed.

    Raises what is wrong with RUN or --dataset before there is a window: UsageError, RunError, DataError.
    """
    path = None if args.path is None else _run_path(args.path)
    dataset = None if args.dataset is None else _dataset(args.dataset)
    put_off_collection()
    probe = QtProbe()
    if probe.is_answered:
        probe.wait().raise_for_problem()
    try:
        # While the child asks for a screen, this process reads the window's modules: opening takes no longer for it.
        from vae_explorer.gui.app import run_window
    except ImportError:
        probe.wait().raise_for_problem()
        raise
    probe.wait().raise_for_problem()
    return run_window(path, dataset)


def _run_path(text: str) -> Path:
    """Return the folder of a run or sweep that can be read; a lone word that is none was perhaps meant as a command."""
    path = Path(text).expanduser()
    if not path.exists() and path.name == text:
        from vae_explorer.cli import COMMANDS

        raise UsageError(f"{text!r} is neither a command nor the folder of a run." + nearest_hint(text, COMMANDS))
    return SweepFolder.open(path).path if is_sweep(path) else RunFolder.open(path).path


def _dataset(name: str) -> str:
    if is_path(name):
        path = absolute_data_name(name)
        if not Path(path).exists():
            raise DataError(f"{path} does not exist, expected a folder or file of images; check the path.")
        return path
    names = dataset_names()
    if name not in names:
        raise UsageError(f"Unknown data set {name!r}, expected one of {', '.join(names)}." + nearest_hint(name, names))
    return name
