"""The composition root of the window: builds its parts, shows it, starts the engine behind it, ends both."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import cast

import msgspec
import platformdirs
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from vae_explorer import __version__
from vae_explorer.engine.mailbox import Mailbox
from vae_explorer.engine.messages import Event, ShutDown
from vae_explorer.engine.preload import preload_torch
from vae_explorer.errors import VaeExplorerError
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.data_loader import DataLoader, read_run
from vae_explorer.gui.engine_thread import EngineThread, Runnable
from vae_explorer.gui.event_pump import EventPump
from vae_explorer.gui.failures import FailureReporter
from vae_explorer.gui.interrupts import InterruptWatch
from vae_explorer.gui.main_window import MainWindow
from vae_explorer.gui.window_state import open_settings
from vae_explorer.resource_files import demo_run_dir, resource
from vae_explorer.runs.listing import new_run_path
from vae_explorer.start_up import resume_collection

log = logging.getLogger(__name__)

LOG_BYTES = 1_000_000


class Explorer(QObject):
    """One window with its engine. closed(): the window has gone and no thread is left.

    Use: build, `open(...)`, `window.show()`; the engine starts once the window is painted.
    """

    closed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mailbox = Mailbox()
        self.controller = ModelController(self.mailbox.put, new_run_path, self)
        self.pump = EventPump(self._on_event, self)
        self.loader = DataLoader(self)
        self.engine = EngineThread(self._build_loop, self.pump.outbox, self)
        self.window = MainWindow(self.controller, self.loader, open_settings())
        self._is_over = False
        self.is_closed = False
        # Queued, so that torch begins to load when the whole first picture of the window is there.
        self.window.painted.connect(self.start_engine, Qt.ConnectionType.QueuedConnection)
        self.window.painted.connect(self.window.docks.build_soon, Qt.ConnectionType.QueuedConnection)
        self.window.close_requested.connect(self._on_close_requested)
        self.engine.finished.connect(self._close_when_over)
        self.loader.idle.connect(self._close_when_over)

    def open(self, run: Path | None = None, dataset: str | None = None) -> None:
        """Open a run folder (with its images at `dataset`), images for a new run, or the bundled demo run."""
        files = self.window.files
        if run is not None:
            files.open_run(run, dataset)
        elif dataset is not None:
            files.load_data(msgspec.structs.replace(self.controller.draft.data, name=dataset))
        else:
            self._open_demo()

    @Slot()
    def start_engine(self) -> None:
        """Start the engine's thread, which imports torch."""
        if not self._is_over and not self.engine.isRunning():
            self.engine.start()

    def _on_event(self, event: Event) -> None:
        """Give an event of the engine to the controller, once every panel is there to hear of it."""
        self.window.docks.build_rest()
        self.controller.handle(event)

    def _open_demo(self) -> None:
        """Show the demo run from what it stores; read here and now, it is small and the first thing to be seen."""
        try:
            demo = read_run(demo_run_dir())
        except VaeExplorerError as error:
            log.warning("the demo run cannot be shown: %s", error)
            self.open(dataset=self.controller.draft.data.name)
            return
        self.window.files.show_run(demo)

    def _build_loop(self) -> Runnable:
        preload_torch()
        from vae_explorer.engine.loop import EngineLoop

        resume_collection()
        return EngineLoop(self.mailbox, self.pump.outbox)

    @Slot()
    def _on_close_requested(self) -> None:
        self._is_over = True
        self.loader.stop()
        self.mailbox.put(ShutDown())
        self._close_when_over()

    @Slot()
    def _close_when_over(self) -> None:
        """Nothing is terminated: the run is saved and the last slice of work done before the window goes."""
        if not self._is_over or self.engine.isRunning() or not self.loader.is_idle or self.is_closed:
            return
        self.engine.wait()
        self.pump.close()
        self.window.finish_close()
        self.is_closed = True
        self.closed.emit()


def run_window(run: Path | None = None, dataset: str | None = None) -> int:
    """Open the window on a run (its images at `dataset`), a data set, or the demo run; returns the exit code."""
    app = cast(QApplication, QApplication.instance() or QApplication(sys.argv[:1]))
    app.setApplicationName("vae-explorer")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("vae-explorer")
    app.setWindowIcon(QIcon(str(resource("icons", "vae-explorer.png"))))
    app.setQuitOnLastWindowClosed(False)
    write_log()
    failures = FailureReporter(app)
    failures.install()
    interrupts = InterruptWatch(app)
    try:
        explorer = Explorer(app)
        explorer.closed.connect(app.quit, Qt.ConnectionType.QueuedConnection)
        interrupts.interrupted.connect(explorer.window.close)
        failures.reported.connect(explorer.window.show_failure)
        failures.attach()
        explorer.open(run, dataset)
        explorer.window.show()
        return app.exec()
    finally:
        interrupts.close()
        failures.uninstall()


def write_log() -> None:
    """Keep warnings and errors in a log file of bounded size; without a writable place they go to stderr only."""
    root = logging.getLogger()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(logging.ERROR)
    try:
        folder = platformdirs.user_log_path("vae-explorer", appauthor=False, ensure_exists=True)
        handlers.append(RotatingFileHandler(folder / "window.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"))
    except OSError as error:
        log.warning("no log file: %s", error)
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
