"""Figures of the live window as JSON: first paint, lateness, click to pixels, speed beside the command line, memory.

Run: python -m tests.benchmarks.window [startup] [mnist] [conv] [memory] [cycles]     (all without arguments)
Off-screen unless there is a screen; MNIST from VAE_EXPLORER_TEST_DATA or ../shared/data. Takes about 12 minutes, of
which `memory` takes 6 and `cycles` 2.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import psutil
import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QThread, QTimer, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from tests.benchmarks.training import mnist_config
from vae_explorer.config import RunConfig, read_config_file
from vae_explorer.data.catalog import open_data
from vae_explorer.engine.messages import EngineState
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.failures import on_qt_message
from vae_explorer.gui.tour_hands import wait_for
from vae_explorer.resource_files import preset_path

FRAME_S = 1 / 60
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


@contextlib.contextmanager
def training_window(config: RunConfig) -> Iterator[Explorer]:
    """The real window, training `config` at full speed."""
    QApplication.instance() or QApplication([])
    QApplication.setQuitOnLastWindowClosed(False)
    qInstallMessageHandler(on_qt_message)
    explorer = Explorer()
    is_closed: list[bool] = []
    explorer.closed.connect(lambda: is_closed.append(True))
    data = open_data(config.data)
    explorer.window.resize(1280, 800)
    explorer.window.show()
    explorer.controller.new_run(config, data)
    explorer.controller.train()
    wait_for(lambda: is_running(explorer) and step_of(explorer) > 20, 120_000)
    try:
        yield explorer
    finally:
        explorer.window.close()
        if not wait_for(lambda: bool(is_closed), 60_000):
            raise RuntimeError("the window did not close")
        explorer.window.deleteLater()
        explorer.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()


def is_running(explorer: Explorer) -> bool:
    """Whether the engine trains."""
    status = explorer.controller.status
    return status is not None and status.state is EngineState.RUNNING


def step_of(explorer: Explorer) -> int:
    """The newest step that the window knows."""
    status = explorer.controller.status
    return status.step if status else 0


class LatenessMeter(QObject):
    """A 60 Hz timer of the window: how much later than a frame after the last tick each tick comes."""

    def __init__(self) -> None:
        super().__init__()
        self.late_s: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(self, interval=round(1000 * FRAME_S), timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self._timer.start()

    def _on_tick(self) -> None:
        now = time.perf_counter()
        self.late_s.append(max(0.0, now - self._last - self._timer.interval() / 1000))
        self._last = now

    def stop(self) -> None:
        """End the timer."""
        self._timer.stop()


class ClickMeter(QObject):
    """Presses at random places of the map and times until the large picture of that place has been painted."""

    def __init__(self, explorer: Explorer) -> None:
        super().__init__()
        self.latency_s: list[float] = []
        self._map = explorer.window.docks.panels.map.map
        self._channel = explorer.controller.channel("here")
        picture = explorer.window.findChild(QWidget, "here_picture")
        assert picture is not None
        self._picture = picture
        self._rng = np.random.default_rng(0)
        self._asked = self._pressed_at = 0.0
        self._answered_id = -1
        self._is_open = False
        self._channel.answered.connect(self._on_answer)
        self._picture.installEventFilter(self)
        self._timer = QTimer(self, interval=170)
        self._timer.timeout.connect(self._press)
        self._timer.start()

    def _press(self) -> None:
        if self._is_open:
            return
        frame = self._map.frame()
        x = frame.left + frame.width * self._rng.uniform(0.2, 0.8)
        y = frame.top + frame.height * self._rng.uniform(0.2, 0.8)
        self._pressed_at = time.perf_counter()
        self._is_open, self._answered_id = True, -1
        QTest.mousePress(self._map.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
        self._asked = self._channel.asked
        QTest.mouseRelease(self._map.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))

    def _on_answer(self, answer: Any) -> None:
        if answer.id >= self._asked:
            self._answered_id = answer.id

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the time once the picture that came with the answer is painted."""
        if event.type() == QEvent.Type.Paint and self._is_open and self._answered_id >= self._asked:
            self._is_open = False
            pressed = self._pressed_at
            QTimer.singleShot(0, self, lambda: self.latency_s.append(time.perf_counter() - pressed))
        return False

    def stop(self) -> None:
        """End the presses."""
        self._timer.stop()
        self._picture.removeEventFilter(self)


def live(config: RunConfig, *, seconds: float) -> dict[str, Any]:
    """Lateness, click to pixels and steps a second while `config` trains, first untouched, then under clicks."""
    with training_window(config) as explorer:
        wait_for(lambda: False, 3000)
        undisturbed = steps_per_s(explorer, seconds)
        meter = LatenessMeter()
        clicks = ClickMeter(explorer)
        under_clicks = steps_per_s(explorer, seconds)
        meter.stop()
        clicks.stop()
        return {
            "late_p50_ms": percentile_ms(meter.late_s, 50),
            "late_p99_ms": percentile_ms(meter.late_s, 99),
            "late_max_ms": percentile_ms(meter.late_s, 100),
            "click_p50_ms": percentile_ms(clicks.latency_s, 50),
            "click_p99_ms": percentile_ms(clicks.latency_s, 99),
            "clicks": len(clicks.latency_s),
            "window_steps_per_s": undisturbed,
            "window_steps_per_s_under_clicks": under_clicks,
        }


def steps_per_s(explorer: Explorer, seconds: float) -> float:
    """Steps a second over a stretch, from the statuses that the window gets."""
    first, began = step_of(explorer), time.perf_counter()
    wait_for(lambda: False, round(1000 * seconds))
    return (step_of(explorer) - first) / (time.perf_counter() - began)


def percentile_ms(values: list[float], percent: float) -> float:
    """A percentile in milliseconds."""
    return round(1000 * float(np.percentile(values, percent)), 2)


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
    with training_window(mnist_config(**{"train.epochs": 1000})) as explorer:
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
    with training_window(config):
        pass
    before = {name: count() for name, count in left.items()}
    rss = [psutil.Process().memory_info().rss / 2**20]
    for _ in range(n):
        with training_window(config):
            pass
        rss.append(psutil.Process().memory_info().rss / 2**20)
    after = {name: count() for name, count in left.items()}
    return {"cycles": n, "before": before, "after": after, "seconds": time.perf_counter() - began,
            "rss_mib_first_middle_last": [rss[0], rss[n // 2], rss[-1]]}  # fmt: skip


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "startup": lambda: startup() | help_s(), "mnist": mnist, "conv": conv, "memory": memory, "cycles": cycles,
}  # fmt: skip


def main(names: list[str]) -> None:
    """Print one JSON object with the parts that are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({"VAE_EXPLORER_CONFIG": f"{folder}/config", "VAE_EXPLORER_RUNS": f"{folder}/runs"})
        figures = {"cores": os.cpu_count(), "platform": os.environ.get("QT_QPA_PLATFORM", "screen")}
        print(json.dumps(figures | {name: PARTS[name]() for name in names or PARTS}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
