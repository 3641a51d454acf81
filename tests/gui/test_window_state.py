"""What the window remembers, and what it does with remembered things that are damaged."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow
from pytestqt.qtbot import QtBot

from vae_explorer.gui import window_state
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.window_state import config_dir, open_settings, restore_layout, save_layout


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    window = QMainWindow()
    qtbot.addWidget(window)
    for name in ("left", "right"):
        dock = QDockWidget(name, window)
        dock.setObjectName(name)
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.show()
    return window


def _area(window: QMainWindow, name: str) -> Qt.DockWidgetArea:
    return window.dockWidgetArea(window.findChild(QDockWidget, name))


def _move(window: QMainWindow) -> None:
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, window.findChild(QDockWidget, "right"))


def test_settings_are_an_ini_file_in_the_folder_of_the_environment(tmp_path: Path) -> None:
    assert config_dir() == tmp_path / "config"
    settings = open_settings()
    settings.setValue("window/theme", "dark")
    settings.sync()
    assert "theme=dark" in (tmp_path / "config" / "window.ini").read_text()


def test_a_layout_comes_back(window: QMainWindow) -> None:
    settings = open_settings()
    before = _area(window, "right")
    _move(window)
    save_layout(settings, window)
    window.addDockWidget(before, window.findChild(QDockWidget, "right"))
    settings.sync()
    assert restore_layout(open_settings(), window)
    assert _area(window, "right") == Qt.DockWidgetArea.RightDockWidgetArea


def test_nothing_remembered_changes_nothing(window: QMainWindow) -> None:
    assert not restore_layout(open_settings(), window)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "random", "no checksum", "empty", "not base64", "bytes"])
def test_a_damaged_layout_is_never_given_to_qt(
    window: QMainWindow, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = open_settings()
    save_layout(settings, window)
    checksum, _, text = str(settings.value("window/layout")).partition(":")
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 0xFF
    damaged: dict[str, object] = {
        "truncated": f"{checksum}:{text[: len(text) // 8 * 4]}",
        "flipped": f"{checksum}:{base64.b64encode(raw).decode()}",
        "random": f"{checksum}:{base64.b64encode(bytes(range(256))).decode()}",
        "no checksum": text,
        "empty": "",
        "not base64": f"{checksum}:äöü",
        "bytes": window.saveState(),
    }
    settings.setValue("window/layout", damaged[damage])
    given: list[object] = []
    monkeypatch.setattr(window, "restoreState", lambda *args: given.append(args))
    monkeypatch.setattr(window, "restoreGeometry", lambda *args: given.append(args))
    assert not restore_layout(settings, window)
    assert given == []


def test_a_layout_of_another_version_is_not_restored(window: QMainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = open_settings()
    save_layout(settings, window)
    monkeypatch.setattr(window_state, "LAYOUT_VERSION", window_state.LAYOUT_VERSION + 1)
    assert not restore_layout(settings, window)


def test_a_file_of_rubbish_gives_the_first_layout(qtbot: QtBot, tmp_path: Path, engine_window: Explorer) -> None:
    folder = tmp_path / "config"
    folder.mkdir(exist_ok=True)
    (folder / "window.ini").write_bytes(b"\x00\xff[window\nlayout=@ByteArray(\x01\x02\nthem" * 50)
    settings = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
    assert not restore_layout(settings, engine_window.window)


def test_the_windows_own_layout_comes_back(qtbot: QtBot, engine_window: Explorer) -> None:
    window = engine_window.window
    before = window.dockWidgetArea(window.docks.by_name["here"])
    window.docks.by_name["curves"].close()
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, window.docks.by_name["here"])
    settings = open_settings()
    save_layout(settings, window)
    window.actions_["reset_layout"].trigger()
    assert window.dockWidgetArea(window.docks.by_name["here"]) == before
    assert window.docks.by_name["curves"].isVisible()
    assert restore_layout(settings, window)
    assert window.dockWidgetArea(window.docks.by_name["here"]) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert not window.docks.by_name["curves"].isVisible()
