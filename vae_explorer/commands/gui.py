"""`vae-explorer [gui] [RUN]`: opens the window, once a child process has found that Qt can."""

from __future__ import annotations

import argparse
from pathlib import Path

from vae_explorer.commands.run_config import absolute_data_name
from vae_explorer.errors import UsageError, nearest_hint
from vae_explorer.qt_probe import QtProbe


def run(args: argparse.Namespace) -> int:
    """Open the window on a run, on images for a new one, or on the bundled demo; returns when it is closed."""
    path = None if args.path is None else _run_path(args.path)
    dataset = None if args.dataset is None else absolute_data_name(args.dataset)
    probe = QtProbe()
    try:
        # While the child asks for a screen, this process reads the window's modules: opening takes no longer for it.
        from vae_explorer.gui.app import run_window
    except ImportError:
        probe.wait().raise_for_problem()
        raise
    probe.wait().raise_for_problem()
    return run_window(path, dataset=dataset)


def _run_path(text: str) -> Path:
    """Return the run's folder; a lone word that is none was perhaps meant as a command."""
    path = Path(text).expanduser()
    if not path.exists() and path.name == text:
        from vae_explorer.cli import COMMANDS

        raise UsageError(f"{text!r} is neither a command nor the folder of a run." + nearest_hint(text, COMMANDS))
    return path
