"""`PacedQuestion`: asks about the selected image whenever it or the weights have moved, at a bounded rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vae_explorer.engine.messages import EngineState
from vae_explorer.gui.controller import ModelController


class PacedQuestion(QObject):
    """Another image is asked for at once; while it trains, new weights at most every `pause_ms`, one at a time.

    shown(object): the newest answer about the selected image, or None when there is none any more. failed(str).
    latest: that answer. It may be of older weights: it says its step.
    """

    shown = Signal(object)
    failed = Signal(str)

    def __init__(
        self,
        controller: ModelController,
        channel: str,
        ask: Callable[[int, bool], object],
        *,
        pause_ms: int,
        is_due: Callable[[], bool] = lambda: True,
        parent: QObject | None = None,
    ) -> None:
        """ask: sends the question about an image, given its index and whether it trains. is_due: whether it may be
        sent yet, or something else comes first; `refresh` when that has come."""
        super().__init__(parent)
        self._controller, self._ask, self._is_due = controller, ask, is_due
        self._channel = controller.channel(channel)
        self._is_on = False
        self._asked: tuple[int, int, bool] | None = None
        self._pause = QTimer(self, singleShot=True, interval=pause_ms)
        self._pause.timeout.connect(self.refresh)
        self.latest: Any = None
        self._channel.answered.connect(self._on_answered)
        self._channel.failed.connect(self._on_failed)
        controller.run_opened.connect(self._on_run_opened)
        controller.selection_changed.connect(self.refresh)
        controller.status_changed.connect(self.refresh)

    @property
    def is_on(self) -> bool:
        """Whether anybody looks, so that it asks."""
        return self._is_on

    def set_on(self, is_on: bool) -> None:
        """Ask from now on, or no more; what is known stays."""
        self._is_on = is_on
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Ask if something has moved since it was last asked; forget what belongs to another image."""
        image = self._controller.selection.image
        if self.latest is not None and self.latest.index != image:
            self._take(None)
        if not self._is_on or image is None or self._controller.opened is None:
            return
        wanted = (image, step_of(self._controller), is_training(self._controller))
        is_other_image = self._asked is None or self._asked[0] != image
        is_held_up = wanted[2] and (self._channel.is_waiting or self._pause.isActive())
        if wanted != self._asked and (is_other_image or not is_held_up) and self._is_due():
            self._asked = wanted
            self._ask(image, wanted[2])
            if wanted[2]:
                self._pause.start()

    def _take(self, answer: Any) -> None:
        self.latest = answer
        self.shown.emit(answer)

    @Slot()
    def _on_run_opened(self) -> None:
        self._asked = None
        self._pause.stop()
        self._take(None)

    @Slot(object)
    def _on_answered(self, answer: Any) -> None:
        if answer.index == self._controller.selection.image:
            self._take(answer)
        self.refresh()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        # Not asked again before something has moved: it would fail again.
        self.failed.emit(message)


def is_training(controller: ModelController) -> bool:
    """Whether the weights move."""
    return controller.status is not None and controller.status.state is EngineState.RUNNING


def step_of(controller: ModelController) -> int:
    """Return the step of the newest weights that the window knows of."""
    if controller.status is not None:
        return controller.status.step
    return controller.opened.step if controller.opened is not None else 0
