"""What `vae-explorer bench` measures of the window, as one JSON object on stdout: run as a program of its own.

The window and its engine have a process to themselves, as they have in use.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from vae_explorer.bench.task import drawn_images, task_config
from vae_explorer.openmp import sleep_soon


def main(device: str, seconds: str) -> None:
    """Measure while the task trains on `device`, for `seconds` untouched and as long under clicks."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and sys.platform.startswith("linux"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sleep_soon()
    from vae_explorer.gui.meters import live_figures

    with tempfile.TemporaryDirectory() as folder:
        # Neither the person's window settings nor their runs are touched.
        os.environ.update({"VAE_EXPLORER_CONFIG": f"{folder}/config", "VAE_EXPLORER_RUNS": f"{folder}/runs"})
        figures = live_figures(task_config(device), drawn_images(), seconds=float(seconds))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
