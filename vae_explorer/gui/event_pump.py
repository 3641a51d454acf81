"""`EventPump`: brings the engine's events into the GUI thread, answers at once and plots once per frame."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

from vae_explorer.engine.messages import CodesSnapshot, Event, RecordsAdded, RunOpened, RunStatus
from vae_explorer.engine.outbox import Outbox

FRAME_MS = 33
AT_A_STRETCH_MS = 3
"""Once events were handled for so long, clicks and painting come before those behind them."""


class EventPump(QObject):
    """Owns the outbox. Its one signal carries nothing and is emitted when the outbox goes from empty to non-empty.

    Answers, failures and the opening of a run are handed over at once; metrics, snapshots and statuses wait for the
    next frame, at most one each `FRAME_MS`. The timer of the frame runs only while something waits.
    """

    _woken = Signal()

    def __init__(self, handle: Callable[[Event], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.outbox = Outbox(self.wake)
        self._handle = handle
        self._waiting: list[Event] = []
        self._due: deque[Event] = deque()
        self._going_on = QTimer(self, singleShot=True, interval=0)
        self._going_on.timeout.connect(self._deliver_due)
        self._since_frame = QElapsedTimer()
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self._flush)
        self._woken.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def wake(self) -> None:
        """Have the outbox emptied soon; called from any thread."""
        self._woken.emit()

    def close(self) -> None:
        """Hand over what is left and stop the frame; the engine thread has ended."""
        self._drain()
        self._flush()
        while self._due:
            self._deliver_due()
        self._going_on.stop()

    @Slot()
    def _drain(self) -> None:
        for event in self.outbox.take_all():
            if isinstance(event, RecordsAdded | CodesSnapshot | RunStatus):
                self._put_off(event)
                continue
            if isinstance(event, RunOpened):
                # What waits belongs to the run before; it must not be taken for the new one's.
                self._due.extend(self._take_waiting())
            self._due.append(event)
        if self._waiting and not self._frame.isActive():
            # The first event after a quiet time is shown at once: the frame limits the rate, it is no delay.
            passed = self._since_frame.elapsed() if self._since_frame.isValid() else FRAME_MS
            self._frame.start(max(0, FRAME_MS - passed))
        self._deliver_due()

    def _put_off(self, event: Event) -> None:
        if isinstance(event, CodesSnapshot):
            waiting = self._waiting
            self._waiting = [x for x in waiting if not (isinstance(x, CodesSnapshot) and x.of == event.of)]
        self._waiting.append(event)

    @Slot()
    def _flush(self) -> None:
        self._due.extend(self._take_waiting())
        self._deliver_due()

    def _take_waiting(self) -> list[Event]:
        """Return what waited for a frame: all records as one event, the newest status of each state, snapshots."""
        self._frame.stop()
        self._since_frame.start()
        waiting, self._waiting = self._waiting, []
        taken: list[Event] = []
        records = tuple(record for event in waiting if isinstance(event, RecordsAdded) for record in event.records)
        if records:
            taken.append(RecordsAdded(records))
        statuses = [event for event in waiting if isinstance(event, RunStatus)]
        for place, status in enumerate(statuses):
            if place + 1 == len(statuses) or statuses[place + 1].state is not status.state:
                taken.append(status)
        return [*taken, *(event for event in waiting if isinstance(event, CodesSnapshot))]

    @Slot()
    def _deliver_due(self) -> None:
        """Hand over what is due, in order; what takes longer than a stretch goes on when all else has had its turn."""
        stretch = QElapsedTimer()
        stretch.start()
        while self._due:
            if stretch.hasExpired(AT_A_STRETCH_MS):
                self._going_on.start()
                return
            self._deliver(self._due.popleft())

    def _deliver(self, event: Event) -> None:
        try:
            self._handle(event)
        except Exception:
            # One event that cannot be shown must not cost the ones behind it.
            sys.excepthook(*sys.exc_info())
