"""Fixtures of the window's tests: a controller without an engine, a small run, and checks that nothing leaks."""

from __future__ import annotations

import gc
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import shiboken6
from fakes import FakeController, make_codes, make_data, make_opened, make_status
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vae_explorer.gui.app import Explorer

TOLERATED_QT_MESSAGES = (
    r"This plugin does not support",  # the off-screen platform has no window manager and says so
    r"Populating font family aliases",
)


@pytest.fixture
def fake_controller(qapp: QApplication) -> Iterator[FakeController]:
    """A ModelController with a recording `send` and nothing open."""
    controller = FakeController()
    yield controller
    controller.deleteLater()


@pytest.fixture
def open_fake_run(fake_controller: FakeController) -> Callable[..., FakeController]:
    """Function that opens a run of noise images in the fake controller: data, RunOpened, RunStatus, CodesSnapshot."""

    def open_run(*, latent_dim: int = 2, n: int = 40, step: int = 100, kind: str = "vae") -> FakeController:
        fake_controller.show_data(make_data(n))
        fake_controller.handle(make_opened(latent_dim, step, kind=kind))
        fake_controller.handle(make_status(step=step))
        fake_controller.handle(make_codes(n, latent_dim, step))
        return fake_controller

    return open_run


@pytest.fixture
def engine_window(qtbot: QtBot) -> Iterator[Explorer]:
    """The real window with the real engine, empty; open something in it. It is closed and its threads end after."""
    explorer = Explorer()
    explorer.window.docks.build_rest()
    explorer.window.show()
    yield explorer
    close_window(qtbot, explorer)


def close_window(qtbot: QtBot, explorer: Explorer) -> None:
    """Close the window as a person does, and wait until the engine has saved and ended; nothing when it is closed."""
    if not explorer.is_closed:
        explorer.window.close()
        qtbot.waitUntil(lambda: explorer.is_closed, timeout=60_000)
        explorer.window.deleteLater()
        explorer.deleteLater()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings, runs and data of the tests out of the person's folders."""
    for name in ("CONFIG", "RUNS", "DATA"):
        monkeypatch.setenv(f"VAE_EXPLORER_{name}", str(tmp_path / name.lower()))


@pytest.fixture
def expected_logs() -> list[str]:
    """Regular expressions of warnings and errors that a test means to provoke; empty unless the test adds some."""
    return []


@pytest.fixture(autouse=True)
def nothing_leaks(
    qapp: QApplication,
    qtlog: object,
    caplog: pytest.LogCaptureFixture,
    expected_logs: list[str],
    request: pytest.FixtureRequest,
) -> Iterator[None]:
    """Fail a test that leaves a thread, an active timer or a top-level widget, or draws a warning of Qt or the log."""
    threads, timers, widgets = _live_threads(), _active_timers(), set(QApplication.topLevelWidgets())
    yield
    request.node.funcargs.clear()  # pytest would keep the window of a finished fixture alive
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        # The menus of pyqtgraph's plots lie in reference cycles; another thread that collects them deletes them there.
        gc.collect()
    left = {
        "threads": _live_threads() - threads,
        "active timers": _active_timers() - timers,
        "top-level widgets": set(QApplication.topLevelWidgets()) - widgets,
        "Qt messages": _unexpected_qt_messages(qtlog),
        "log records": _unexpected_records(caplog, expected_logs),
    }
    found = {what: sorted(map(repr, things)) for what, things in left.items() if things}
    assert not found, f"left behind: {found}"


def _live_threads() -> set[object]:
    # A QThread that has logged stays in `threading` as a dummy after its end: look for those among the objects.
    python = {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    qt = {item for item in shiboken6.getAllValidWrappers() if isinstance(item, QThread) and item.isRunning()}
    return python | (qt - {QCoreApplication.instance().thread()})


def _active_timers() -> set[object]:
    return {item for item in shiboken6.getAllValidWrappers() if isinstance(item, QTimer) and item.isActive()}


def _unexpected_qt_messages(qtlog: object) -> set[str]:
    records = [str(record.message) for record in qtlog.records if "Debug" not in str(record.type)]  # type: ignore[attr-defined]
    return {text for text in records if not any(re.search(known, text) for known in TOLERATED_QT_MESSAGES)}


def _unexpected_records(caplog: pytest.LogCaptureFixture, expected: list[str]) -> set[str]:
    texts = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    return {text for text in texts if not any(re.search(known, text) for known in expected)}
