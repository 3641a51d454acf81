"""The plots in the real window: what is theirs, and what they must leave to the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vae_explorer.gui.app import Explorer
from vae_explorer.gui.widgets.curve_plot import CurvePlot
from vae_explorer.gui.widgets.map_view import MapView

CTRL = Qt.KeyboardModifier.ControlModifier


class DragWatch(QObject):
    """Counts the drags that reach a widget."""

    n = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.n += event.type() == QEvent.Type.DragEnter
        return False


@pytest.mark.parametrize("kind", [MapView, CurvePlot])
def test_files_dragged_over_a_plot_reach_the_window(
    engine_window: Explorer, tmp_path: Path, kind: type[MapView] | type[CurvePlot]
) -> None:
    window, watch = engine_window.window, DragWatch()
    port = window.findChild(kind).viewport()
    window.installEventFilter(watch)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    enter = QDragEnterEvent(
        QPoint(9, 9), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(port, enter)
    QApplication.sendEvent(port, QDragLeaveEvent())
    assert not port.acceptDrops(), "a target of its own would stand before the window"
    assert watch.n == 1
    assert enter.isAccepted()


def test_control_and_an_arrow_pan_the_map_that_has_the_focus(qtbot: QtBot, engine_window: Explorer) -> None:
    window = engine_window.window
    pressed: list[str] = []
    for name in ("next_image", "previous_image", "best_image", "worst_image", "normal_text"):
        window.actions_[name].triggered.disconnect()
        window.actions_[name].triggered.connect(lambda _=False, name=name: pressed.append(name))
    view = window.findChild(MapView)
    window.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    before = view.frame()
    qtbot.keyClick(view, Qt.Key.Key_Right, CTRL)
    assert view.frame().x_range[0] == pytest.approx(before.x_range[0] + 40 / before.scale[0])
    qtbot.keyClick(view, Qt.Key.Key_Up, CTRL)
    assert view.frame().y_range[0] == pytest.approx(before.y_range[0] + 40 / before.scale[1])
    assert pressed == []
    qtbot.keyClick(view, Qt.Key.Key_0, CTRL)
    assert pressed == ["normal_text"], "other keys with Control stay the window's"


def test_the_right_button_opens_no_menu_on_a_plot(qtbot: QtBot, engine_window: Explorer) -> None:
    for kind in (MapView, CurvePlot):
        port = engine_window.window.findChild(kind).viewport()
        for at in (QPointF(port.rect().center()), QPointF(10, port.height() / 2)):
            qtbot.mouseClick(port, Qt.MouseButton.RightButton, pos=at.toPoint())
            assert QApplication.activePopupWidget() is None
