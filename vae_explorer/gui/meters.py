"""Meters of the live window: how late a 60 Hz timer is, how long a press takes to its picture, how fast it trains."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QObject,
    QPoint,
    Qt,
    QTimer,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import EngineState, RunStatus
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.failures import on_qt_message
from vae_explorer.gui.tour_hands import wait_for

FRAME_S = 1 / 60
CLICK_EVERY_MS = 170
PAINTED = QEvent.Type(QEvent.registerEventType())


@contextlib.contextmanager
def training_window(config: RunConfig, data: ImageData) -> Iterator[Explorer]:
    """The real window, training `config` on `data` at full speed; RuntimeError when it does not close."""
    QApplication.instance() or QApplication([])
    QApplication.setQuitOnLastWindowClosed(False)
    qInstallMessageHandler(on_qt_message)
    explorer = Explorer()
    is_closed: list[bool] = []
    explorer.closed.connect(lambda: is_closed.append(True))
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
    """Presses at random places of the map and times until the large picture of that place has been painted.

    shown(): a picture was painted; its time is the last of `latency_s`.
    """

    shown = Signal()

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
        self._timer = QTimer(self, interval=CLICK_EVERY_MS)
        self._timer.timeout.connect(self.press)
        self._timer.start()

    def press(self) -> None:
        """Press somewhere, unless the picture of the last press is not there yet."""
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
        """See the picture painted that came with the answer; its pixels are there when all of this painting is done."""
        if event.type() == QEvent.Type.Paint and self._is_open and self._answered_id >= self._asked:
            self._is_open = False
            # Handled next, before whatever else waits: a timer of 0 ms would come after the next painting too.
            QCoreApplication.postEvent(self, QEvent(PAINTED), Qt.EventPriority.HighEventPriority.value)
        return False

    def customEvent(self, event: QEvent) -> None:
        """Take the time."""
        if event.type() == PAINTED:
            self.latency_s.append(time.perf_counter() - self._pressed_at)
            self.shown.emit()

    def stop(self) -> None:
        """End the presses."""
        self._timer.stop()
        self._picture.removeEventFilter(self)


def live_figures(config: RunConfig, data: ImageData, *, seconds: float) -> dict[str, Any]:
    """Lateness, click to pixels and steps a second: it trains for `seconds` untouched, then as long under clicks."""
    with training_window(config, data) as explorer:
        live_for(3000)
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
    """Steps a second over a stretch, between the first and the last status that the window gets in it."""
    told: list[tuple[float, int]] = []

    def note(status: RunStatus) -> None:
        told.append((time.perf_counter(), status.step))

    explorer.controller.status_changed.connect(note)
    live_for(round(1000 * seconds))
    explorer.controller.status_changed.disconnect(note)
    (first_s, first), (last_s, last) = told[0], told[-1]
    return (last - first) / (last_s - first_s)


def live_for(duration_ms: int) -> None:
    """Let the window live for so long; looking at a clock meanwhile would wake it a hundred times a second."""
    loop = QEventLoop()
    QTimer.singleShot(duration_ms, loop.quit)
    loop.exec()


def percentile_ms(values: list[float], percent: float) -> float:
    """A percentile in milliseconds."""
    return round(1000 * float(np.percentile(values, percent)), 2)
