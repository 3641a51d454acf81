"""Where errors that nobody caught go: the log, and one sentence in the window that never blocks it."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, Slot, qInstallMessageHandler

from vae_explorer.errors import VaeExplorerError

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
QT_NOISE = ("This plugin does not support propagateSizeHints",)
"""What the off-screen platform says of itself each time a window is shown."""


class FailureReporter(QObject):
    """Takes over the hooks for uncaught errors of all threads and Qt's messages until `uninstall`.

    reported(str, str): a sentence and its traceback. Errors from before `attach` are kept for it.
    """

    reported = Signal(str, str)
    _caught = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._early: list[tuple[str, str]] = []
        self._is_attached = False
        # Queued even from the GUI thread: a report in the middle of a paint must not change the window at once.
        self._caught.connect(self._on_caught, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Take over the hooks."""
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        self._qt_before = qInstallMessageHandler(on_qt_message)

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(self._qt_before)

    def attach(self) -> None:
        """Emit what was kept, and everything from now on: the window can show it."""
        self._is_attached = True
        early, self._early = self._early, []
        for message, details in early:
            self.reported.emit(message, details)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None = None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        log.error("uncaught: %s", details)
        self._caught.emit(sentence_of(error), details)

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)

    @Slot(str, str)
    def _on_caught(self, message: str, details: str) -> None:
        if self._is_attached:
            self.reported.emit(message, details)
        else:
            self._early.append((message, details))


def sentence_of(error: BaseException) -> str:
    """Return an error as people read it: its own sentence, or what kind of mishap of the program's it is."""
    if isinstance(error, VaeExplorerError):
        return str(error)
    return f"The program made a mistake ({type(error).__name__}: {error}); what you do next is not affected."


def on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    """Write a message of Qt to the log."""
    if not message.startswith(QT_NOISE):
        qt_log.log(QT_LEVELS.get(kind, logging.WARNING), "%s", message)
