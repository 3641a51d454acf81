"""What crosses threads: the event pump, the engine's thread, the data loader, interrupts and uncaught errors."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import _live_threads
from fakes import make_codes, make_opened, make_status
from PySide6.QtCore import QThread, qWarning
from pytestqt.qtbot import QtBot

from vae_explorer.config import DataConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import messages as m
from vae_explorer.errors import CancelledError, DataError
from vae_explorer.gui import data_loader
from vae_explorer.gui.data_loader import DataLoader
from vae_explorer.gui.engine_thread import EngineThread
from vae_explorer.gui.event_pump import EventPump
from vae_explorer.gui.failures import FailureReporter
from vae_explorer.gui.interrupts import InterruptWatch
from vae_explorer.runs.records import MarkRecord


def _decoded(id_: int) -> m.Decoded:
    return m.Decoded("here", id_, 1, np.zeros((1, 2), np.float32), np.zeros((1, 1, 8, 8), np.float32))


def _mark(step: int) -> MarkRecord:
    return MarkRecord(step=step, time_s=0.0, name="beta", value=1.0)


class Collector:
    """Takes events, and remembers in which thread."""

    def __init__(self) -> None:
        self.events: list[m.Event] = []
        self.threads: set[int] = set()

    def __call__(self, event: m.Event) -> None:
        self.events.append(event)
        self.threads.add(threading.get_ident())

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


# ---- event pump -----------------------------------------------------------------------------------------------------


def test_events_of_another_thread_arrive_in_the_gui_thread(qtbot: QtBot) -> None:
    seen = Collector()
    pump = EventPump(seen)
    thread = threading.Thread(target=pump.outbox.put, args=(_decoded(1),))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(seen.events) == 1)
    assert seen.threads == {threading.get_ident()}


def test_plots_wait_for_the_frame_and_answers_do_not(qtbot: QtBot) -> None:
    seen = Collector()
    pump = EventPump(seen)
    pump.outbox.put(make_codes(step=1))
    qtbot.waitUntil(lambda: len(seen.events) == 1)
    for step in range(2, 6):
        pump.outbox.put(make_codes(step=step))
        pump.outbox.put(m.RecordsAdded((_mark(step),)))
        pump._drain()
    pump.outbox.put(_decoded(1))
    pump._drain()
    assert [type(event) for event in seen.events[1:]] == [m.Decoded]
    qtbot.waitUntil(lambda: len(seen.events) == 4)
    assert [snapshot.step for snapshot in seen.of(m.CodesSnapshot)] == [1, 5]
    assert [mark.step for mark in seen.of(m.RecordsAdded)[0].records] == [2, 3, 4, 5]
    assert not pump._frame.isActive()


def test_the_companions_codes_wait_beside_the_runs(qtbot: QtBot) -> None:
    seen = Collector()
    pump = EventPump(seen)
    pump.outbox.put(make_codes(step=1))
    pump._drain()
    pump.outbox.put(replace(make_codes(step=2), of="companion"))
    pump._drain()
    pump.close()
    assert [(snapshot.of, snapshot.step) for snapshot in seen.of(m.CodesSnapshot)] == [("run", 1), ("companion", 2)]


def test_what_waits_is_of_the_run_before(qtbot: QtBot) -> None:
    seen = Collector()
    pump = EventPump(seen)
    pump.outbox.put(make_codes(step=9))
    pump._drain()
    pump.outbox.put(make_opened())
    pump._drain()
    assert [type(event) for event in seen.events] == [m.CodesSnapshot, m.RunOpened]


def test_the_newest_status_of_each_state_is_handed_over(qtbot: QtBot) -> None:
    seen = Collector()
    pump = EventPump(seen)
    states = m.EngineState
    for state, step in ((states.RUNNING, 1), (states.RUNNING, 2), (states.PAUSED, 3), (states.RUNNING, 4)):
        pump.outbox.put(make_status(state, step))
        pump._drain()
    pump.close()
    assert [status.step for status in seen.of(m.RunStatus)] == [2, 3, 4]


def test_an_event_that_cannot_be_shown_costs_only_itself(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> None:
    errors: list[type] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(kind))
    seen: list[m.Event] = []

    def handle(event: m.Event) -> None:
        if isinstance(event, m.Notice):
            raise KeyError("broken panel")
        seen.append(event)

    pump = EventPump(handle)
    pump.outbox.put(m.Notice("x"))
    pump.outbox.put(_decoded(1))
    pump._drain()
    assert errors == [KeyError]
    assert len(seen) == 1


# ---- engine thread --------------------------------------------------------------------------------------------------


def test_the_loop_is_built_and_run_in_the_thread(qtbot: QtBot) -> None:
    where: list[int] = []

    class Loop:
        def run(self) -> None:
            where.append(threading.get_ident())

    def build() -> Loop:
        where.append(threading.get_ident())
        return Loop()

    pump = EventPump(lambda event: None)
    thread = EngineThread(build, pump.outbox)
    with qtbot.waitSignal(thread.finished):
        thread.start()
    assert thread.wait()
    assert len(set(where)) == 1
    assert where[0] != threading.get_ident()


def test_a_torch_that_cannot_be_imported_is_a_sentence(qtbot: QtBot, expected_logs: list[str]) -> None:
    expected_logs.append("the engine ended")
    seen = Collector()
    pump = EventPump(seen)

    def build() -> Any:
        raise ImportError("No module named 'torch'")

    thread = EngineThread(build, pump.outbox)
    thread.start()
    qtbot.waitUntil(lambda: bool(seen.events))
    assert thread.wait()
    (failure,) = seen.of(m.EngineFailed)
    assert "No module named 'torch'" in failure.message
    assert "Traceback" in failure.details


# ---- data loader ----------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that the patched `open_data` waits for when the set is named 'slow'; cancelled loads end at once."""
    gate = threading.Event()
    real = data_loader.open_data

    def open_data(config: DataConfig, *, progress: Callable[..., None], is_cancelled: Callable[[], bool]) -> ImageData:
        if config.name == "broken":
            raise DataError("broken.npz: 0 bytes found, expected arrays; give another file.")
        if config.name == "bug":
            raise ZeroDivisionError("oops")
        if config.name == "slow":
            progress(0.5, "half")
            while not gate.wait(0.005):
                if is_cancelled():
                    raise CancelledError("cancelled")
        return real(DataConfig())

    monkeypatch.setattr(data_loader, "open_data", open_data)
    return gate


def test_loading_answers_in_the_gui_thread(qtbot: QtBot) -> None:
    loader = DataLoader()
    seen: list[tuple[DataConfig, int, int]] = []
    loader.loaded.connect(lambda config, data: seen.append((config, len(data), threading.get_ident())))
    with qtbot.waitSignal(loader.idle):
        loader.load(DataConfig())
    assert seen == [(DataConfig(), 1797, threading.get_ident())]
    assert not loader.is_busy


def test_progress_and_cancel(qtbot: QtBot, gate: threading.Event) -> None:
    loader = DataLoader()
    with qtbot.waitSignal(loader.progress) as blocker:
        loader.load(DataConfig(name="slow"))
    assert blocker.args == [0.5, "half"]
    with qtbot.waitSignals([loader.cancelled, loader.busy_changed, loader.idle]):
        loader.cancel()


def test_the_newest_load_wins(qtbot: QtBot, gate: threading.Event) -> None:
    loader = DataLoader()
    seen: list[str] = []
    loader.loaded.connect(lambda config, data: seen.append(config.name))
    loader.load(DataConfig(name="slow"))
    with qtbot.waitSignal(loader.loaded):
        loader.load(DataConfig(name="digits"))
    gate.set()
    qtbot.waitUntil(lambda: loader.is_idle)
    assert seen == ["digits"]


def test_errors_are_sentences(qtbot: QtBot, gate: threading.Event, expected_logs: list[str]) -> None:
    expected_logs.append("loading failed")
    loader = DataLoader()
    for name, words in (("broken", "0 bytes found"), ("bug", "ZeroDivisionError: oops")):
        with qtbot.waitSignal(loader.failed) as blocker:
            loader.load(DataConfig(name=name))
        assert words in blocker.args[0]
    qtbot.waitUntil(lambda: loader.is_idle)


def test_stop_ends_the_threads_and_gives_no_answers(qtbot: QtBot, gate: threading.Event) -> None:
    loader = DataLoader()
    answers: list[object] = []
    for answer in (loader.loaded, loader.failed, loader.cancelled):
        answer.connect(lambda *args: answers.append(args))
    loader.load(DataConfig(name="slow"))
    with qtbot.waitSignal(loader.idle):
        loader.stop()
    assert answers == []


def test_a_run_that_is_none_is_a_sentence(qtbot: QtBot, tmp_path: Path) -> None:
    loader = DataLoader()
    seen: list[str] = []
    loader.failed.connect(seen.append)
    with qtbot.waitSignal(loader.idle):
        loader.load_run(tmp_path)
    assert str(tmp_path) in seen[0]


# ---- failures and interrupts ----------------------------------------------------------------------------------------


@pytest.fixture
def reporter(qtbot: QtBot) -> Any:
    reporter = FailureReporter()
    reporter.install()
    yield reporter
    reporter.uninstall()


def test_early_errors_are_kept_until_a_window_is_there(
    qtbot: QtBot, reporter: FailureReporter, expected_logs: list[str]
) -> None:
    expected_logs.append("uncaught")
    seen: list[tuple[str, str]] = []
    reporter.reported.connect(lambda message, details: seen.append((message, details)))
    error = ValueError("early")
    sys.excepthook(ValueError, error, None)
    qtbot.waitUntil(lambda: bool(reporter._early))
    assert seen == []
    reporter.attach()
    assert "ValueError: early" in seen[0][0]


def test_errors_of_threads_and_messages_for_people(
    qtbot: QtBot, reporter: FailureReporter, expected_logs: list[str]
) -> None:
    expected_logs.append("uncaught")
    reporter.attach()

    def fail() -> None:
        raise DataError("x.npz: torn; give another.")

    thread = threading.Thread(target=fail)
    with qtbot.waitSignal(reporter.reported) as blocker:
        thread.start()
        thread.join()
    message, details = blocker.args
    assert message == "x.npz: torn; give another."
    assert "Traceback" in details


def test_messages_of_qt_go_to_the_log(
    reporter: FailureReporter, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    expected_logs.append("a message")
    qWarning("a message")
    assert ("qt", "a message") in [(record.name, record.getMessage()) for record in caplog.records]


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_arrive_in_an_idle_event_loop(qtbot: QtBot, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    watch = InterruptWatch()
    try:
        with qtbot.waitSignal(watch.interrupted, timeout=5000):
            os.kill(os.getpid(), number)
    finally:
        watch.close()
    assert signal.getsignal(number) is before


def test_the_leak_check_sees_a_running_thread(qtbot: QtBot) -> None:
    class Waits(QThread):
        def run(self) -> None:
            self.exec()

    before = _live_threads()
    thread = Waits()
    thread.start()
    assert _live_threads() - before == {thread}
    thread.quit()
    assert thread.wait()
