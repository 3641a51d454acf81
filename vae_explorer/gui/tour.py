"""The tour: drives the real window through its main job with no hands, and leaves pictures and an exported grid."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image
from PySide6.QtCore import QPointF, Qt, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QPushButton, QWidget

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine.messages import EngineState, JobDone, JobFailed
from vae_explorer.errors import VaeExplorerError
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.failures import on_qt_message
from vae_explorer.gui.panels.q_walk import QWalk
from vae_explorer.gui.theme import ThemeName
from vae_explorer.gui.tour_hands import LEFT, Hands, wait_for
from vae_explorer.runs.records import LogRecord, MetricRecord

log = logging.getLogger(__name__)

SMALL, LARGE = (1280, 800), (1920, 1080)
FIRST_LOOK_STEPS, TRAINED_STEPS = 150, 2500
NEAR = 2.5
"""How much nearer the map shows the posterior."""
EM_ROUNDS = 4
TRAINING_MS = 15_000
"""A slow machine trains for so long and shows what it has."""


def run_tour(out: Path, *, theme: ThemeName = "light") -> int:
    """Leave `window.png` and its companions, `manifold.png`, `codes.csv` and `tour.json` in `out`; returns 0.

    Settings and runs of the person are not touched: the tour keeps its own beside the pictures. Raises
    VaeExplorerError naming the step when the window does not do what it should within half a minute.
    """
    out.mkdir(parents=True, exist_ok=True)
    app = cast(QApplication, QApplication.instance() or QApplication(sys.argv[:1]))
    app.setQuitOnLastWindowClosed(False)
    handler_before = qInstallMessageHandler(on_qt_message)
    try:
        with tempfile.TemporaryDirectory() as folder, _own_folders(Path(folder), out / "runs"):
            Tour(out, theme).run()
    finally:
        qInstallMessageHandler(handler_before)
    return 0


@contextmanager
def _own_folders(settings: Path, runs: Path) -> Iterator[None]:
    wanted = {"VAE_EXPLORER_CONFIG": str(settings), "VAE_EXPLORER_RUNS": str(runs)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def write_some_images(folder: Path) -> Path:
    """Write drawn shapes as PNG files into a sub-folder for each shape, as somebody's own images would lie."""
    data = open_data(DataConfig(name="shapes", count=60))
    for index, image in enumerate(data.images):
        label = data.class_names[data.labels[index]] if data.labels is not None else "all"
        path = folder / label / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(path)
    return folder


class Tour(Hands):
    """One walk through the window. Every step waits for what it should bring about, never for a time."""

    def __init__(self, out: Path, theme: ThemeName) -> None:
        super().__init__(Explorer(), out)
        self._started = time.perf_counter()
        self._is_closed = False
        self._last_held_out: MetricRecord | None = None
        self._explorer.closed.connect(self._on_closed)
        self._controller.records_added.connect(self._on_records)
        self._window.view.set_theme(theme)
        self._theme = theme

    def run(self) -> None:
        """Walk all steps; the window is closed and its threads have ended whatever happens."""
        try:
            self._open()
            self._open_own_images()
            self._choose_digits()
            self._train()
            self._click()
            self._pick_image()
            self._look_into_the_bound()
            self._solve_a_mixture()
            self._read_the_formula()
            self._ask_the_doctor()
            self._slide()
            self._interpolate()
            self._export()
            self._other_looks()
            self._report()
        finally:
            self._window.close()
            self._wait(lambda: self._is_closed, "the window closes")
            self._window.deleteLater()
            self._explorer.deleteLater()

    # ---- the steps --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._window.resize(*SMALL)
        self._explorer.open()
        self._window.show()
        self._wait(lambda: bool(self._controller.opened and self._controller.opened.n_parameters), "the demo run opens")
        self._wait_for_pictures()
        self._shoot("demo")

    def _open_own_images(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            images = write_some_images(Path(folder) / "drawings")
            self._window.files.open_path(images)
            dialog = self._find(QDialog, "open_data_dialog")
            load = self._find(QPushButton, "load")
            self._wait(load.isEnabled, "the preview of the images is there")
            self._save(dialog.grab(), "open-data")
            QTest.mouseClick(load, LEFT)
            self._wait(lambda: self._title == images.name, "the images are open")

    def _choose_digits(self) -> None:
        box = self._find(QComboBox, "preset")
        index = box.findData("digits-2d")
        box.setCurrentIndex(index)
        box.activated.emit(index)
        self._wait(lambda: self._title == "digits" and self._state is EngineState.READY, "the digits are open")

    def _train(self) -> None:
        QTest.mouseClick(self._find(QWidget, "run_train"), LEFT)
        self._wait(lambda: self._state is EngineState.RUNNING, "training starts")
        self._wait(lambda: self._step >= FIRST_LOOK_STEPS, "the first steps are trained")
        self._shoot("training")
        wait_for(lambda: self._step >= TRAINED_STEPS, TRAINING_MS)
        QTest.mouseClick(self._find(QWidget, "run_pause"), LEFT)
        self._wait(lambda: self._state in (EngineState.PAUSED, EngineState.FINISHED), "training pauses")
        self._wait_for_pictures()

    def _click(self) -> None:
        self._press_map(np.array([1.0, 1.0], dtype=np.float32))
        self._wait_for_pictures()
        self._shoot("click")

    def _pick_image(self) -> None:
        codes = self._controller.codes
        if codes is None:
            raise VaeExplorerError("The tour found no codes to click on after training; report this with the log.")
        middle = np.median(codes.loc, axis=0)
        lonely = int(np.argmax(np.linalg.norm(codes.loc - middle, axis=1)))
        self._press_map(codes.loc[lonely])
        self._wait(lambda: self._controller.selection.image is not None, "a click on a point selects its image")
        self._wait_for_pictures()
        self._shoot("window")

    def _look_into_the_bound(self) -> None:
        """The selected image's true posterior, and q walking to its best under it."""
        self._raise("bound")
        self._wait_for_pictures()
        self._press("bound_improve")
        walk = QWalk.of(self._controller)
        self._wait(lambda: walk.now is not None and not walk.is_under_way, "q has walked to its best")
        self._zoom_to_the_selected_image(is_near=True)
        self._shoot("bound")
        self._press("bound_improve")
        self._zoom_to_the_selected_image(is_near=False)

    def _zoom_to_the_selected_image(self, *, is_near: bool) -> None:
        panel = self._window.docks.panels.map
        if is_near:
            x, y = panel.map.frame().to_px(panel.latent.project(self._controller.selection.code)).tolist()
            panel.map.zoom(NEAR, QPointF(x, y))
        else:
            panel.reset_view()
        self._wait_for_pictures()

    def _solve_a_mixture(self) -> None:
        """A Gaussian mixture on the codes, a few steps of EM from its start."""
        self._raise("em")
        self._press("em_start")
        self._wait_for_pictures()
        for _ in range(EM_ROUNDS):
            for step in ("em_e", "em_m"):
                self._press(step)
                self._wait_for_pictures()
        self._shoot("em")

    def _read_the_formula(self) -> None:
        """The bound's terms with the selected image's numbers."""
        self._raise("formula")
        self._wait_for_pictures()
        self._shoot("formula")

    def _ask_the_doctor(self) -> None:
        """Which dimensions carry anything, since when, and what would help."""
        self._raise("collapse")
        self._wait_for_pictures()
        self._shoot("collapse")

    def _slide(self) -> None:
        self._raise("sliders")
        slider = self._find(QWidget, "slider_0")
        before = self._controller.selection.code.copy()
        slider.setFocus()
        for _ in range(5):
            QTest.keyClick(slider, Qt.Key.Key_Left)
        self._wait(lambda: not np.array_equal(before, self._controller.selection.code), "a slider moves the code")
        self._wait_for_pictures()
        self._shoot("sliders")

    def _interpolate(self) -> None:
        self._raise("interpolation")
        for label, which in ((0, "a"), (7, "b")):
            self._press_map(self._typical_code(label))
            QTest.mouseClick(self._find(QWidget, f"interpolation_set_{which}"), LEFT)
        slider = self._find(QWidget, "interpolation_slider")
        slider.setFocus()
        QTest.keyClick(slider, Qt.Key.Key_Home)
        for _ in range(3):
            QTest.keyClick(slider, Qt.Key.Key_PageUp)
        self._wait_for_pictures()
        self._shoot("interpolation")

    def _export(self) -> None:
        self._raise("gallery")
        self._wait_for_pictures()
        self._shoot("gallery")
        ended: list[JobDone | JobFailed] = []
        self._controller.job_ended.connect(ended.append)
        files = self._window.files
        files.export_to(Recipe(what="manifold", rows=20, cols=20), self._out / "manifold.png")
        files.export_to(Recipe(what="codes"), self._out / "codes.csv")
        self._wait(lambda: len(ended) == 2, "the exports end")
        for event in ended:
            if isinstance(event, JobFailed):
                raise VaeExplorerError(f"The tour's export failed: {event.message}")
        self._window.notices.dismiss()

    def _other_looks(self) -> None:
        self._raise("interpolation")
        other: ThemeName = "light" if self._theme == "dark" else "dark"
        for theme, size, name in (
            (other, SMALL, other),
            (other, LARGE, f"{other}-large"),
            (self._theme, LARGE, f"{self._theme}-large"),
        ):
            self._window.view.set_theme(theme)
            self._window.resize(*size)
            self._window.docks.share_out()
            self._wait_for_pictures()
            self._shoot(name)

    def _report(self) -> None:
        opened = self._controller.opened
        last = self._last_held_out
        summary: dict[str, Any] = {
            "seconds": round(time.perf_counter() - self._started, 1),
            "step": self._step,
            "held_out_elbo": last.elbo if last else None,
            "unit": "nats per image",
            "run": opened.run_path.name if opened else None,
            "pictures": self._pictures,
            "exports": ["manifold.png", "codes.csv"],
        }
        (self._out / "tour.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")

    def _typical_code(self, label: int) -> np.ndarray:
        """The median code of a class."""
        codes, data = self._controller.codes, self._controller.data
        if codes is None or data is None or data.labels is None:
            raise VaeExplorerError("The tour found no labelled codes after training; report this with the log.")
        median: np.ndarray = np.median(codes.loc[data.labels[codes.indices] == label], axis=0)
        return median

    def _on_records(self, records: tuple[LogRecord, ...]) -> None:
        for record in records:
            if isinstance(record, MetricRecord) and record.split == "held_out":
                self._last_held_out = record

    def _on_closed(self) -> None:
        self._is_closed = True
