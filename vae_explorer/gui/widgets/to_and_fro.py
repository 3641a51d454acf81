"""`ToAndFro`: a share that goes from 0 to 1 and back by the clock while it plays."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal

TICK_MS = 33
WAY_MS = 2500
"""From one end to the other."""


class ToAndFro(QObject):
    """moved(float): the share, 0 to 1, that it is at now; its timer runs only while it plays.

    playing_changed(bool): it was started or stopped.
    """

    moved = Signal(float)
    playing_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = QElapsedTimer()
        self._start = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_tick)

    @property
    def is_playing(self) -> bool:
        """Whether it moves."""
        return self._timer.isActive()

    def play(self, share: float) -> None:
        """Start from a share towards 1, from the end at 1 towards 0."""
        if not self.is_playing:
            self._start = share
            self._clock.start()
            self._timer.start()
            self.playing_changed.emit(True)

    def stop(self) -> None:
        """Stay where it is."""
        if self.is_playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def _on_tick(self) -> None:
        way = (self._start + self._clock.elapsed() / WAY_MS) % 2.0
        self.moved.emit(way if way <= 1.0 else 2.0 - way)
