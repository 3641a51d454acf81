"""The tool bar's words on the state: as much of them as there is room for, the rest in the tooltip."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import make_status
from PySide6.QtWidgets import QLabel, QMainWindow

from vae_explorer.engine.messages import EngineState
from vae_explorer.gui.actions import WindowActions
from vae_explorer.gui.tool_bar import RunToolBar, state_texts

RUNNING = replace(make_status(EngineState.RUNNING), device="cpu", steps_per_s=1234.0, seconds_left=3960.0)


def test_the_state_is_said_with_less_and_less():
    assert state_texts(RUNNING) == [
        "running · cpu · 1,234 steps/s · 1 h 06 min left",
        "running · 1,234 steps/s · 1 h 06 min left",
        "running · 1,234 steps/s",
        "running",
    ]
    assert state_texts(replace(RUNNING, state=EngineState.PAUSED)) == ["paused · cpu", "paused"]


@pytest.mark.parametrize("width", [900, 1100, 1280, 1600])
def test_the_state_is_whole_at_every_width(qtbot, fake_controller, open_fake_run, width):
    window = QMainWindow()
    qtbot.addWidget(window)
    bar = RunToolBar(fake_controller, WindowActions(window))
    window.addToolBar(bar)
    window.resize(width, 300)
    window.show()
    open_fake_run()
    fake_controller.handle(RUNNING)
    label = bar.findChild(QLabel, "run_state")
    for wide in (width, width + 200, width):
        window.resize(wide, 300)
        qtbot.waitUntil(lambda: bar.width() == wide)  # noqa: B023
        fits = label.fontMetrics().horizontalAdvance(label.text()) <= label.width()
        assert fits or label.text() == "running"
    assert width < 1280 or label.text() != "running"
    assert label.toolTip() == state_texts(RUNNING)[0]
