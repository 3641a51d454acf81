"""`vae-explorer tour`: drives the real window through its main job, off-screen where there is no screen."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vae_explorer.commands.console import say
from vae_explorer.errors import UsageError
from vae_explorer.qt_probe import probe_qt


def run(args: argparse.Namespace) -> int:
    """Leave the pictures and the exported grid in a new folder."""
    out = Path(args.out).expanduser().absolute()
    if os.path.lexists(out):
        raise UsageError(f"{out} exists already; name a new folder for the pictures of the tour.")
    report = probe_qt()
    if report.problem == "no_screen":
        say(f"off-screen: {report.message.partition(';')[0]}")
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        report = probe_qt(platform="offscreen")
    report.raise_for_problem()
    from vae_explorer.gui.tour import run_tour

    return run_tour(out, theme=args.theme)
