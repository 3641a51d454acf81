"""`EngineThread`: the thread that owns everything of torch; the loop that runs in it knows no Qt."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, QThread

from vae_explorer.engine.messages import EngineFailed
from vae_explorer.engine.outbox import Outbox

log = logging.getLogger(__name__)


class Runnable(Protocol):
    """What is run in the thread: `EngineLoop`."""

    def run(self) -> None:
        """Work until it is told to shut down."""


class EngineThread(QThread):
    """Builds the loop inside the thread, so that torch is imported there while the window is already shown."""

    def __init__(self, build_loop: Callable[[], Runnable], outbox: Outbox, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("engine")
        self._build_loop = build_loop
        self._outbox = outbox

    def run(self) -> None:
        """Run the loop; what it does not catch itself (a torch that cannot be imported) ends as `EngineFailed`."""
        try:
            self._build_loop().run()
        except Exception as error:
            log.exception("the engine ended")
            message = self.tr("The engine has stopped ({reason}); start the program again.").format(
                reason=f"{type(error).__name__}: {error}"
            )
            self._outbox.put(EngineFailed(message, traceback.format_exc(), "the engine's thread"))
