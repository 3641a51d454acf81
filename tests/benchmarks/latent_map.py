"""Figures of the latent map as JSON: milliseconds a frame for pan, zoom and a new snapshot, and for a pick.

Run: python -m tests.benchmarks.latent_map [points ...]     (without arguments 70000 and 1000000; about a minute)
The panel of 1280 x 800's map is painted off-screen by the real widget, with OMP_NUM_THREADS=1. `_cpu_ms` is the
processor's time of the thread that paints, which other programs on the machine do not lengthen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PySide6.QtWidgets import QApplication

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.engine import messages as m
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.widgets.cloud_tools import CloudLook

SIZE_PX = (717, 470)
FRAMES = 40
CLASSES = 10


def noise(n: int) -> ImageData:
    """Return n images of 2 x 2 pixels with labels."""
    rng, order = np.random.default_rng(0), np.arange(n)
    splits = Splits(order[: n // 2], order[n // 2 : n * 3 // 4], order[n * 3 // 4 :])
    names = tuple(str(label) for label in range(CLASSES))
    images = rng.integers(0, 17, (n, 1, 2, 2), dtype=np.uint8)
    return ImageData(images, 16, splits, Provenance("array", "noise"), rng.integers(0, CLASSES, n), names)


def snapshot(n: int, step: int) -> m.CodesSnapshot:
    """Return codes in ten clouds that move from step to step."""
    rng = np.random.default_rng(0)
    labels, turn = rng.integers(0, CLASSES, n), 0.02 * step
    middles = 1.6 * np.stack([np.cos(np.arange(CLASSES) + turn), np.sin(np.arange(CLASSES) + turn)], axis=1)
    loc = (middles[labels] + rng.normal(scale=0.5, size=(n, 2))).astype(np.float32)
    kl = rng.uniform(2, 6, n).astype(np.float32)
    scale = np.full((n, 2), 0.2, np.float32)
    return m.CodesSnapshot(step, np.arange(n), loc, scale, -kl - 90, kl, np.full(n, 90, np.float32), None, True)


def open_panel(n: int) -> tuple[ModelController, LatentMapPanel]:
    """Return a panel that shows n codes, without an engine; the plane of decoded pictures is another benchmark's."""
    controller = ModelController(lambda _: None, lambda config, data: Path("none"))
    controller.show_data(noise(n))
    config = RunConfig(data=DataConfig(name="digits"))
    controller.handle(m.RunOpened(config, Path("none"), 0, False, (), 1))
    controller.handle(snapshot(n, 0))
    panel = LatentMapPanel(controller)
    panel.resize(*SIZE_PX)
    panel.show()
    panel.map.grab()
    return controller, panel


def timed(act: Callable[[int], object], n: int = FRAMES) -> dict[str, float]:
    """Return median and 99 % of the milliseconds that `act` takes, by the clock and of the processor."""
    wall, cpu = [], []
    for turn in range(n):
        began, began_cpu = time.perf_counter(), time.thread_time()
        act(turn)
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.thread_time() - began_cpu))
    return {
        "ms": round(float(np.median(wall)), 2),
        "p99_ms": round(float(np.quantile(wall, 0.99)), 2),
        "cpu_ms": round(float(np.median(cpu)), 2),
        "cpu_p99_ms": round(float(np.quantile(cpu, 0.99)), 2),
    }


def picks(panel: LatentMapPanel, n: int = 2000) -> dict[str, float]:
    """Return what a look for the nearest point takes, under the pointer and from anywhere."""
    frame, raster = panel.map.frame(), panel.map.cloud.raster
    rng = np.random.default_rng(1)
    places = frame.to_px(panel.latent.points[rng.integers(0, len(panel.latent.points), n)]) + rng.normal(size=(n, 2))
    under = timed(lambda turn: raster.pick(frame, tuple(places[turn].tolist()), 4.0), n)
    corner = (frame.left + 3.0, frame.top + 3.0)
    return {f"pick_{name}": value for name, value in under.items()} | {
        f"nearest_{name}": value for name, value in timed(lambda _: raster.pick(frame, corner, np.inf), 50).items()
    }


def figures(n: int) -> dict[str, Any]:
    """Return the figures of n points."""
    controller, panel = open_panel(n)
    view = panel.map
    result: dict[str, Any] = {}

    def frame_of(act: Callable[[int], object]) -> Callable[[int], object]:
        def paint(turn: int) -> None:
            act(turn)
            view.settle()
            view.grab()

        return paint

    snapshots = [snapshot(n, step) for step in (1, 2)]

    def note(name: str, act: Callable[[int], object]) -> None:
        result.update({f"{name}_{key}": value for key, value in timed(frame_of(act)).items()})

    note("live", lambda turn: controller.handle(replace(snapshots[turn % 2], step=turn + 1)))
    view.cloud.raster.prepare()
    note("still", lambda _: None)
    note("pan", lambda turn: view.pan(7 * (-1) ** (turn // 10), 4 * (-1) ** (turn // 7)))
    note("zoom", lambda turn: view.zoom(1.2 if turn % 20 < 10 else 1 / 1.2))
    result |= picks(panel)
    result["bytes_a_point"] = round(view.cloud.raster.nbytes / n, 1)
    for name, look in (("live_kl", CloudLook("kl")), ("live_density", CloudLook("class", True))):
        panel.colours.set_look(look)
        note(name, lambda turn: controller.handle(replace(snapshots[turn % 2], step=turn + 1)))
    panel.close()
    panel.deleteLater()
    controller.deleteLater()
    return {f"{name}_{n}": value for name, value in result.items()}


def main() -> None:
    """Print the figures."""
    app = QApplication.instance() or QApplication([])
    result: dict[str, Any] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    for n in [int(argument) for argument in sys.argv[1:]] or [70_000, 1_000_000]:
        result |= figures(n)
    del app
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
