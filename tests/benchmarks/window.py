"""Figures of the live window as JSON: first paint, lateness, click to pixels, speed beside the command line, memory.

Run: python -m tests.benchmarks.window [startup] [mnist] [conv] [memory] [cycles]     (all without arguments)
Off-screen unless there is a screen; MNIST from VAE_EXPLORER_TEST_DATA or ../shared/data. Takes about 12 minutes, of
which `memory` takes 6 and `cycles` 2.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import psutil
import shiboken6
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QApplication

from tests.benchmarks.training import mnist_config
from vae_explorer.config import RunConfig, read_config_file
from vae_explorer.data.catalog import open_data
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.meters import ClickMeter, live_figures, training_window
from vae_explorer.gui.tour_hands import wait_for
from vae_explorer.resource_files import preset_path

STARTUP_WATCH = """
import sys, threading, time
def watch():
    while not hasattr(sys.modules.get("vae_explorer.gui.app"), "run_window"):
        time.sleep(0.0005)
    app = sys.modules["vae_explorer.gui.app"]
    def on_painted(self):
        print("painted", "torch" in sys.modules, flush=True)
        self.window.close()
    app.Explorer.start_engine = on_painted
threading.Thread(target=watch, daemon=True).start()
from vae_explorer.cli import main
sys.exit(main(["gui"]))
"""

FIRST_CLICK = """
import sys, threading, time
def watch():
    while not hasattr(sys.modules.get("vae_explorer.gui.app"), "run_window"):
        time.sleep(0.0005)
    app = sys.modules["vae_explorer.gui.app"]
    start_engine = app.Explorer.start_engine
    def on_painted(self):
        start_engine(self)
        from vae_explorer.gui.meters import ClickMeter
        self.meter = ClickMeter(self)
        self.meter.press()
        self.meter.shown.connect(lambda: print("shown", flush=True))
    app.Explorer.start_engine = on_painted
threading.Thread(target=watch, daemon=True).start()
from vae_explorer.cli import main
sys.exit(main(["gui"]))
"""


def first_click(runs: int = 5) -> dict[str, Any]:
    """Seconds from starting the command until the picture of a press right after the first paint is painted."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", FIRST_CLICK], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        limit = threading.Timer(60, child.kill)
        limit.start()
        if child.stdout.readline() != "shown\n":
            raise RuntimeError("the first click was not answered within a minute")
        seconds.append(time.perf_counter() - began)
        limit.cancel()
        child.terminate()
        child.wait(timeout=60)
    return {"first_click_s": statistics.median(seconds), "first_clicks_s": seconds}


def startup(runs: int = 7) -> dict[str, Any]:
    """Seconds from starting the command to the first painted window on the demo run."""
    seconds, torch_loaded = [], []
    for _ in range(runs):
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", STARTUP_WATCH], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        line = child.stdout.readline()
        seconds.append(time.perf_counter() - began)
        torch_loaded.append(line.split()[-1:] == ["True"])
        child.communicate(timeout=30)
    return {"painted_s": statistics.median(seconds), "all_s": seconds, "is_torch_loaded": any(torch_loaded)}


def help_s(runs: int = 7) -> dict[str, Any]:
    """Seconds of `vae-explorer --help`."""
    command = [sys.executable, "-m", "vae_explorer", "--help"]
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - began)
    return {"help_s": statistics.median(seconds)}


def window_of(config: RunConfig) -> AbstractContextManager[Explorer]:
    """The real window, training `config` at full speed on its own images."""
    return training_window(config, open_data(config.data))


def live(config: RunConfig, *, seconds: float) -> dict[str, Any]:
    """Lateness, click to pixels and steps a second of a window on `config`."""
    return live_figures(config, open_data(config.data), seconds=seconds)


def command_line_steps_per_s(config: RunConfig, steps: int) -> float:
    """Steps a second of `vae-explorer train`, from the times of its own log, evaluations and logging included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(config.with_values({"train.steps": steps}).to_toml())
        command = [
            sys.executable,
            "-m",
            "vae_explorer",
            "train",
            "--config",
            str(path),
            "--out",
            f"{folder}/run",
            "--json",
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        summary = json.loads(done.stdout)
        return float(summary["step"] / summary["seconds"])


def mnist() -> dict[str, Any]:
    """MNIST 784-400-20 at full speed, window and command line in turn."""
    config = mnist_config(**{"train.epochs": 1000})
    rows, shell = [], []
    for _ in range(3):
        shell.append(command_line_steps_per_s(config, 3000))
        rows.append(live(config, seconds=12))
    figures = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    ratios = [row["window_steps_per_s"] / plain for row, plain in zip(rows, shell, strict=True)]
    return figures | {
        "command_line_steps_per_s": statistics.median(shell),
        "ratio_under_window": statistics.median(ratios),
        "ratios_under_window": ratios,
    }


def conv() -> dict[str, Any]:
    """The shapes preset, whose step is far longer."""
    return live(read_config_file(preset_path("shapes-conv")), seconds=20)


def memory(minutes: float = 6.0) -> dict[str, Any]:
    """Resident memory of the program while MNIST trains under a click every 170 ms; growth after the first minute."""
    process = psutil.Process()
    samples: list[tuple[float, float]] = []
    with window_of(mnist_config(**{"train.epochs": 1000})) as explorer:
        clicks = ClickMeter(explorer)
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < 60 * minutes:
            samples.append((round(elapsed), process.memory_info().rss / 2**20))
            wait_for(lambda: False, 10_000)
        clicks.stop()
    after = [mib for at, mib in samples if at >= 60]
    return {"rss_mib": samples, "growth_mib": after[-1] - after[0], "peak_growth_mib": max(after) - after[0]}


def cycles(n: int = 300) -> dict[str, Any]:
    """Open the window, train, close it while it trains, n times; what is left of threads, timers and widgets."""
    config = RunConfig().with_values({"train.epochs": 1000, "train.device": "cpu"})
    began = time.perf_counter()
    left: dict[str, Callable[[], int]] = {
        "threads": lambda: sum(not isinstance(t, threading._DummyThread) for t in threading.enumerate()),
        "qthreads": lambda: sum(isinstance(w, QThread) and w.isRunning() for w in shiboken6.getAllValidWrappers()),
        "timers": lambda: sum(isinstance(w, QTimer) and w.isActive() for w in shiboken6.getAllValidWrappers()),
        "windows": lambda: len(QApplication.topLevelWidgets()),
    }
    with window_of(config):
        pass
    before = {name: count() for name, count in left.items()}
    rss = [psutil.Process().memory_info().rss / 2**20]
    for _ in range(n):
        with window_of(config):
            pass
        rss.append(psutil.Process().memory_info().rss / 2**20)
    after = {name: count() for name, count in left.items()}
    return {"cycles": n, "before": before, "after": after, "seconds": time.perf_counter() - began,
            "rss_mib_first_middle_last": [rss[0], rss[n // 2], rss[-1]]}  # fmt: skip


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "startup": lambda: startup() | help_s() | first_click(), "mnist": mnist, "conv": conv, "memory": memory,
    "cycles": cycles,
}  # fmt: skip


def main(names: list[str]) -> None:
    """Print one JSON object with the parts that are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({"VAE_EXPLORER_CONFIG": f"{folder}/config", "VAE_EXPLORER_RUNS": f"{folder}/runs"})
        figures = {"cores": os.cpu_count(), "platform": os.environ.get("QT_QPA_PLATFORM", "screen")}
        print(json.dumps(figures | {name: PARTS[name]() for name in names or PARTS}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
