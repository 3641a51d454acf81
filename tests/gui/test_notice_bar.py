"""The notice bar: every button says what it does."""

from __future__ import annotations

from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.gui.widgets.notice_bar import NoticeBar


def test_every_button_has_a_tooltip(qtbot: QtBot) -> None:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    taken: list[str] = []
    bar.notify("The images have moved.", "warning", "a trace", action=("Locate ...", lambda: taken.append("locate")))
    buttons = bar.findChildren(QToolButton)
    assert len(buttons) == 4
    assert all(button.isVisible() and button.toolTip() for button in buttons)
