"""The hands and eyes of the tour: they press, raise, wait and take pictures of the real window, as a person would."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PySide6.QtCore import QElapsedTimer, QEventLoop, QPoint, Qt, QTimer
from PySide6.QtGui import QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from vae_explorer.engine.messages import EngineState
from vae_explorer.errors import VaeExplorerError
from vae_explorer.gui.app import Explorer

log = logging.getLogger(__name__)

WAIT_MS = 30_000
LOOK_MS = 10
HELD, EXPIRED = 0, 1
LEFT = Qt.MouseButton.LeftButton
W = TypeVar("W", bound=QWidget)


def wait_for(condition: Callable[[], bool], limit_ms: int) -> bool:
    """Let the window live until a condition holds; False when it does not within the limit."""
    if condition():
        return True
    loop, look, limit = QEventLoop(), QTimer(), QElapsedTimer()
    limit.start()

    def on_look() -> None:
        # Asked once: what held at this moment may have changed again when the loop has returned.
        if condition():
            loop.exit(HELD)
        elif limit.hasExpired(limit_ms):
            loop.exit(EXPIRED)

    look.timeout.connect(on_look)
    look.start(LOOK_MS)
    result = loop.exec()
    look.stop()
    return result == HELD


class Hands:
    """Drives one window. Whatever is waited for comes within half a minute, or a VaeExplorerError names it."""

    def __init__(self, explorer: Explorer, out: Path) -> None:
        self._out = out
        self._explorer = explorer
        self._window = explorer.window
        self._controller = explorer.controller
        self._pictures: list[str] = []

    def _press(self, name: str) -> None:
        """Press and release the left button on a control."""
        QTest.mouseClick(self._find(QWidget, name), LEFT)

    def _press_map(self, code: np.ndarray) -> None:
        """Press and release the left button over a code."""
        panel = self._window.docks.panels.map
        x, y = panel.map.frame().to_px(panel.latent.project(code)[:2])
        QTest.mouseClick(panel.map.viewport(), LEFT, pos=QPoint(round(float(x)), round(float(y))))

    def _raise(self, name: str) -> None:
        dock = self._window.docks.by_name[name]
        dock.show()
        dock.raise_()
        wait_for(dock.widget().isVisible, WAIT_MS)

    def _shoot(self, name: str) -> None:
        QApplication.processEvents()
        self._save(self._window.grab(), name)

    def _save(self, picture: QPixmap, name: str) -> None:
        path = self._out / f"{name}.png"
        if not picture.save(str(path)):
            raise VaeExplorerError(f"{path}: the picture could not be written; check the folder and the free space.")
        self._pictures.append(path.name)
        log.info("%s", path)

    def _find(self, kind: type[W], name: str) -> W:
        found = self._window.findChild(kind, name)
        if found is None:
            raise VaeExplorerError(f"The tour found no {name} in the window; report this.")
        return found

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        if not wait_for(condition, WAIT_MS):
            raise VaeExplorerError(f"The tour waited {WAIT_MS // 1000} s in vain until {what}; see the log.")

    def _wait_for_pictures(self) -> None:
        """Wait until no panel waits for an answer and the engine's newest codes are shown."""
        panels = self._window.docks.panels
        parts = (panels.here, panels.interpolation, panels.map.map)
        self._wait(
            lambda: (
                all(part.is_settled for part in parts)
                and not self._controller.is_waiting
                and (panels.curves.is_settled or self._state is EngineState.RUNNING)
            ),
            "all pictures are there",
        )
        panels.map.map.repaint()

    @property
    def _title(self) -> str:
        return self._controller.data.provenance.title if self._controller.data else ""

    @property
    def _state(self) -> EngineState:
        return self._controller.status.state if self._controller.status else EngineState.EMPTY

    @property
    def _step(self) -> int:
        return self._controller.status.step if self._controller.status else 0
