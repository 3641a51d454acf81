"""Ctrl-C and SIGTERM as a wish to close the window: Python's handlers alone would wait for the next event of Qt."""

from __future__ import annotations

import signal
import socket
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Signal, Slot


class InterruptWatch(QObject):
    """interrupted(): the process was asked to end, emitted in the GUI thread.

    The signal's number is written to a socket by the interpreter (`signal.set_wakeup_fd`) and wakes Qt's loop.
    """

    interrupted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._read_end, self._write_end = socket.socketpair()
        self._read_end.setblocking(False)
        self._write_end.setblocking(False)
        self._notifier = QSocketNotifier(self._read_end.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)
        self._wakeup_before = signal.set_wakeup_fd(self._write_end.fileno(), warn_on_full_buffer=False)
        self._handlers_before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._notifier.setEnabled(False)
        self._read_end.close()
        self._write_end.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Keep the interpreter from raising in the middle of something; the socket does the rest."""

    @Slot()
    def _on_readable(self) -> None:
        numbers = self._read_end.recv(64)
        if signal.SIGINT in numbers or signal.SIGTERM in numbers:
            self.interrupted.emit()
