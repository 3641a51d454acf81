"""`QWalk`: the best q for the selected image, and the way there from the encoder's, played before one's eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, Slot

from vae_explorer.engine.messages import Improved
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.paced_question import is_training, step_of

WALK_MS = 1500
TICK_MS = 33


@dataclass(frozen=True, eq=False)
class WalkedQ:
    """A q on the way: loc, scale (latent_dim,), its elbo in nats, and the share of the way, 0 to 1."""

    loc: NDArray[np.float32]
    scale: NDArray[np.float32]
    elbo: float
    share: float


class QWalk(QObject):
    """One for the panel that shows its figures and the map that draws it; `of` a controller there is one.

    moved(): `now` has changed; None is the encoder's q. improved_changed(): `improved` has changed. failed(str).
    Both belong to the selected image and to weights that stand still; they go when either moves.
    """

    moved = Signal()
    improved_changed = Signal()
    failed = Signal(str)

    def __init__(self, controller: ModelController) -> None:
        super().__init__(controller)
        self._controller = controller
        self._channel = controller.channel("bound improve")
        self._channel.answered.connect(self._on_answered)
        self._channel.failed.connect(self._on_failed)
        self._asked: tuple[int, int] | None = None
        self._is_play_due = False
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._on_tick)
        self.improved: Improved | None = None
        self.now: WalkedQ | None = None
        controller.run_opened.connect(self._on_run_opened)
        controller.selection_changed.connect(self._check)
        controller.status_changed.connect(self._check)

    @classmethod
    def of(cls, controller: ModelController) -> QWalk:
        """Return the walk of a controller, made on first use, as its channels are."""
        return controller.findChild(cls) or cls(controller)

    @property
    def can_walk(self) -> bool:
        """Whether there is a q to be improved: of a selected image, under weights that stand still."""
        controller = self._controller
        has_image = controller.opened is not None and controller.selection.image is not None
        return self.has_one_q and has_image and not is_training(controller)

    @property
    def has_one_q(self) -> bool:
        """Whether q of an image is one diagonal Gaussian: an autoencoder has none, a model of classes one for each."""
        config = self._controller.config
        return config is not None and config.model.kind == "vae"

    @property
    def is_under_way(self) -> bool:
        """Whether it was pressed and has not arrived yet."""
        return self._is_play_due or self._timer.isActive()

    def ask(self) -> None:
        """Work the best q out, unless that is done or under way."""
        wanted = self._place()
        if self.can_walk and wanted is not None and wanted != self._asked:
            self._asked = wanted
            self._channel.improve(wanted[0])

    def press(self) -> None:
        """Walk to the best q; pressed again, on the way or there, return to the encoder's."""
        if self.now is not None or self._is_play_due:
            self.restore()
        elif self.can_walk:
            self._is_play_due = True
            if self.improved is None:
                self.ask()
            else:
                self._play()
            self.moved.emit()

    def _place(self) -> tuple[int, int] | None:
        image = self._controller.selection.image
        return None if image is None else (image, step_of(self._controller))

    def _play(self) -> None:
        self._is_play_due = False
        self._clock.start()
        self._timer.start()
        self._on_tick()

    def restore(self) -> None:
        """Return to the encoder's q, from wherever on the way."""
        self._timer.stop()
        self._is_play_due = False
        self.now = None
        self.moved.emit()

    def _forget(self) -> None:
        self._asked = None
        if self.now is not None or self._is_play_due:
            self.restore()
        if self.improved is not None:
            self.improved = None
            self.improved_changed.emit()

    @Slot()
    def _on_run_opened(self) -> None:
        self._forget()

    @Slot()
    def _check(self) -> None:
        if self._asked is not None and (self._place() != self._asked or is_training(self._controller)):
            self._forget()

    @Slot(object)
    def _on_answered(self, answer: Improved) -> None:
        if (answer.index, answer.step) != self._asked:
            return
        self.improved = answer
        self.improved_changed.emit()
        if self._is_play_due:
            self._play()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        self._asked = None  # a press asks again
        if self._is_play_due:
            self.restore()
        self.failed.emit(message)

    @Slot()
    def _on_tick(self) -> None:
        if self.improved is None:
            return
        share = min(self._clock.elapsed() / WALK_MS, 1.0)
        if share == 1.0:
            self._timer.stop()
        self.now = q_at(self.improved, share)
        self.moved.emit()


def q_at(improved: Improved, share: float) -> WalkedQ:
    """Return the q at a share, 0 to 1, of the way: between two of its places, loc straight and scale by its ratio."""
    last = len(improved.elbo) - 1
    low = min(int(share * last), max(last - 1, 0))
    high, part = min(low + 1, last), np.float32(share * last - low)
    loc = improved.loc[low] * (1 - part) + improved.loc[high] * part
    scale = np.exp(np.log(improved.scale[low]) * (1 - part) + np.log(improved.scale[high]) * part)
    return WalkedQ(loc, scale, float(improved.elbo[low] * (1 - part) + improved.elbo[high] * part), share)
