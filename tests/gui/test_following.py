"""A run that another process trains, in the window: followed, marked, taken over when that process has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import make_opened, make_status
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.cures import obstacle
from vae_explorer.gui.following import FollowNotes, following_help, following_text
from vae_explorer.gui.widgets.notice_bar import NoticeBar
from vae_explorer.runs.folder import RunFolder

LONG_MS = 60_000
ELSEWHERE = m.Elsewhere("gpu-box", 4711, "2026-11-20T20:15:33+00:00", 12_950, 60.0)


@pytest.fixture
def training_process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The command line, training on the digits for ever, with a checkpoint every second; and its run folder."""
    path = tmp_path / "elsewhere"
    settings = ("--set", "model.hidden=[32]", "--set", "train.checkpoint_every_s=1", "--steps", "10000000")
    command = [sys.executable, "-m", "vae_explorer", "train", "--out", str(path), *settings]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    yield process, path
    process.kill()
    process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="there SIGINT cannot be sent to a child")
def test_a_run_of_another_process_is_followed_and_then_taken_over(
    qtbot: QtBot,
    engine_window: Explorer,
    training_process: tuple[subprocess.Popen[bytes], Path],
    expected_logs: list[str],
) -> None:
    process, path = training_process
    expected_logs.append("engine failed during StepOnce: .* wait until that one has ended")
    qtbot.waitUntil(lambda: any((path / "checkpoints").glob("step-*")), timeout=LONG_MS)
    controller, window = engine_window.controller, engine_window.window
    steps: list[int] = []
    controller.records_added.connect(lambda records: steps.extend(record.step for record in records))
    engine_window.open(path)
    qtbot.waitUntil(lambda: following(controller) is not None, timeout=LONG_MS)
    assert following(controller).pid == process.pid
    assert "is shown as it grows" in window.notices.message
    first = controller.status.step
    qtbot.waitUntil(lambda: controller.status.step > first, timeout=LONG_MS)
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.step > first, timeout=LONG_MS)
    assert steps == sorted(steps)
    assert max(steps) >= controller.status.step
    mark = window.findChild(QLabel, "run_state")
    assert "following · step" in mark.text()
    assert f"Process {process.pid} on" in mark.toolTip()
    assert "trained elsewhere" in window.findChild(QLabel, "status_step").text()
    qtbot.mouseClick(window.findChild(QToolButton, "tool_step"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "wait until that one has ended" in window.notices.message, timeout=LONG_MS)
    window.notices.dismiss()

    process.send_signal(signal.SIGINT)
    process.wait()
    qtbot.waitUntil(lambda: controller.status.state is m.EngineState.PAUSED, timeout=LONG_MS)
    last = RunFolder.open(path).find_checkpoint("last").step
    assert controller.status.step == last
    assert "can be trained here now" in window.notices.message
    qtbot.mouseClick(window.notices.findChild(QToolButton, "notice_action"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: controller.status.step > last, timeout=LONG_MS)
    assert controller.status.run_path == path
    assert RunFolder.open(path).writer().pid == os.getpid()
    controller.pause()


def following(controller: object) -> m.Elsewhere | None:
    """Who trains the open run elsewhere."""
    status = controller.status  # type: ignore[attr-defined]
    return None if status is None else status.elsewhere


def followed(**values: object) -> m.RunStatus:
    return replace(make_status(step=12_400), state=m.EngineState.FOLLOWING, elsewhere=ELSEWHERE, **values)


def test_the_mark_tells_the_log_and_its_help_the_checkpoint() -> None:
    assert following_text(ELSEWHERE) == "step 12,950"
    text = following_help(ELSEWHERE, 12_400)
    for part in ("Process 4711 on gpu-box", "2026-11-20 20:15:33", "(step 12,950)", "(step 12,400)", "every 60 s"):
        assert part in text
    quiet = replace(ELSEWHERE, is_quiet=True)
    assert following_text(quiet) == "nothing new after step 12,950"
    assert "may be paused" in following_help(quiet, 12_400)


def test_what_would_change_a_followed_run_is_not_offered() -> None:
    opened = make_opened()
    assert "trained by another program" in obstacle("beta", opened, followed())
    assert not obstacle("beta", opened, make_status())


def test_the_end_offers_to_go_on_until_it_is_taken(qtbot: QtBot, fake_controller) -> None:
    notices = NoticeBar()
    qtbot.addWidget(notices)
    notes = FollowNotes(fake_controller, notices)
    fake_controller.handle(followed())
    assert "Process 4711 on gpu-box trains this run" in notices.message
    fake_controller.handle(make_status(step=12_950))
    assert "left this run at step 12,950" in notices.message
    assert not notices._timer.isActive()
    notices.findChild(QToolButton, "notice_action").click()
    assert fake_controller.take(m.Start) == [m.Start(None)]
    fake_controller.handle(followed())
    fake_controller.handle(replace(make_status(step=20_000), state=m.EngineState.FINISHED))
    assert "to its end, step 20,000" in notices.message
    notices.dismiss()
    notes.deleteLater()


def test_leaving_a_followed_run_for_another_says_nothing(qtbot: QtBot, fake_controller) -> None:
    notices = NoticeBar()
    qtbot.addWidget(notices)
    notes = FollowNotes(fake_controller, notices)
    fake_controller.handle(followed())
    notices.dismiss()
    fake_controller.handle(make_opened())
    fake_controller.handle(make_status())
    assert notices.message == ""
    notes.deleteLater()


def test_the_open_run_again_keeps_the_place_of_its_images(open_fake_run) -> None:
    controller = open_fake_run()
    here = controller.config.with_values({"data.name": "/elsewhere/images"})
    controller.config = here
    controller.handle(make_opened())
    assert controller.config.data.name == "/elsewhere/images"
