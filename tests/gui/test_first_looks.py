"""Until the engine has opened the run that is shown, its checkpoint answers for the pictures of a few codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import close_window
from fakes import FakeController, make_data, make_opened
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.stored_view import stored_answer
from vae_explorer.gui.widgets.film_strip import FilmStrip
from vae_explorer.gui.widgets.picture import PictureView

LONG_MS = 60_000
DEMO_STEP = 4491


@pytest.fixture
def waiting_window(qtbot: QtBot) -> Iterator[Explorer]:
    """A window on the demo run whose engine has not been started."""
    explorer = Explorer()
    explorer.window.painted.disconnect()
    explorer.open()
    explorer.window.show()
    yield explorer
    close_window(qtbot, explorer)


def press_map(qtbot: QtBot, explorer: Explorer, dx: int, dy: int) -> None:
    viewport = explorer.window.docks.panels.map.map.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=viewport.rect().center() + QPoint(dx, dy))


def answers_of(explorer: Explorer, channel: str) -> list[m.Decoded]:
    seen: list[m.Decoded] = []
    explorer.controller.channel(channel).answered.connect(seen.append)
    return seen


def test_a_press_is_answered_at_once_and_the_engine_is_asked_too(qtbot: QtBot, waiting_window: Explorer) -> None:
    here = answers_of(waiting_window, "here")
    press_map(qtbot, waiting_window, 31, -17)
    controller = waiting_window.controller
    assert here[-1].step == DEMO_STEP
    np.testing.assert_array_equal(here[-1].z[0], controller.selection.code)
    picture = waiting_window.window.findChild(PictureView, "here_picture")
    assert picture.has_image
    assert f"step {DEMO_STEP:,}" in picture.caption
    assert controller.channel("here").is_waiting
    asked = {request.channel: request.id for request in waiting_window.mailbox.take_all().requests}
    assert asked["here"] == here[-1].id


def test_the_strip_between_a_and_b_is_there_at_first_sight(waiting_window: Explorer) -> None:
    assert waiting_window.window.docks.panels.interpolation.findChild(FilmStrip).n_images > 1


def test_the_answers_of_the_engine_take_over(qtbot: QtBot, waiting_window: Explorer) -> None:
    here = answers_of(waiting_window, "here")
    press_map(qtbot, waiting_window, 31, -17)
    controller = waiting_window.controller
    stored = here[-1]
    waiting_window.start_engine()
    qtbot.waitUntil(lambda: not controller.channel("here").is_waiting, timeout=LONG_MS)
    assert controller.opened.n_parameters > 0
    assert here[-1] is not stored
    assert here[-1].step == DEMO_STEP
    np.testing.assert_array_equal(here[-1].z, stored.z)
    np.testing.assert_allclose(here[-1].images, stored.images, rtol=0, atol=1e-5)

    here.clear()
    press_map(qtbot, waiting_window, -40, 22)
    assert here == [], "the checkpoint is not asked any more"
    qtbot.waitUntil(lambda: bool(here), timeout=LONG_MS)


PRESS = """
import sys
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
app = QApplication([])
from vae_explorer.gui.app import Explorer
explorer = Explorer()
explorer.window.painted.disconnect()
explorer.open()
answers = []
explorer.controller.channel("here").answered.connect(answers.append)
def press():
    viewport = explorer.window.docks.panels.map.map.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=viewport.rect().center() + QPoint(31, -17))
    print(answers[-1].step, "torch" in sys.modules)
    app.quit()
explorer.window.painted.connect(press, Qt.ConnectionType.QueuedConnection)
explorer.window.show()
app.exec()
"""


def test_it_takes_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PRESS], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(DEMO_STEP), "False"]


class GreyDecoder:
    """Stands for a checkpoint of step 100 whose pictures are all grey."""

    step = 100

    def decode(self, z: np.ndarray) -> np.ndarray | None:
        return np.full((len(z), 1, 8, 8), 0.5, np.float32)


def few(**changes: object) -> m.Decode:
    return replace(m.Decode("here", 1, np.zeros((m.SMALL_BATCH, 2), np.float32)), **changes)


def test_means_of_a_few_codes_are_answered() -> None:
    answer = stored_answer(GreyDecoder(), few())
    assert (answer.channel, answer.id, answer.step, len(answer.images)) == ("here", 1, 100, m.SMALL_BATCH)


@pytest.mark.parametrize(
    "question",
    [
        few(draw_seed=3), few(label=1), few(of="companion"), few(is_8_bit=True),
        few(z=np.zeros((m.SMALL_BATCH + 1, 2), np.float32)), m.Encode("image", 1, np.array([0])),
        m.Climb("ladder", 1, 0),
    ],
    ids=lambda question: type(question).__name__,
)  # fmt: skip
def test_all_else_is_left_to_the_engine(question: m.Request) -> None:
    assert stored_answer(GreyDecoder(), question) is None


def test_what_the_decoder_cannot_is_left_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GreyDecoder, "decode", lambda self, z: None)
    assert stored_answer(GreyDecoder(), few()) is None


@pytest.fixture
def stored_controller(fake_controller: FakeController) -> FakeController:
    """A controller that shows a stored run, which the engine was asked to open."""
    opened, data = make_opened(step=100), make_data()
    fake_controller.show_stored(opened, data, partial(stored_answer, GreyDecoder()))
    fake_controller.open_run(opened.run_path, opened.config, data)
    return fake_controller


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda: make_opened(step=100), id="the run"),
        pytest.param(lambda: make_opened(step=150), id="a later checkpoint of it"),
        pytest.param(lambda: replace(make_opened(step=100), run_path=Path("runs") / "other"), id="another run"),
    ],
)
def test_it_ends_when_the_engine_has_opened_a_run(
    stored_controller: FakeController, event: Callable[[], m.RunOpened]
) -> None:
    channel = stored_controller.channel("here")
    seen: list[m.Decoded] = []
    channel.answered.connect(seen.append)
    channel.decode([0.0, 0.0])
    assert len(seen) == 1
    stored_controller.handle(event())
    channel.decode([1.0, 0.0])
    assert len(seen) == 1


def test_it_does_not_cover_what_the_engine_has_said(stored_controller: FakeController) -> None:
    channel = stored_controller.channel("here")
    seen: list[m.Decoded] = []
    channel.answered.connect(seen.append)
    id_ = channel.decode([0.0, 0.0])
    stored_controller.handle(m.RequestFailed("here", id_, "There is no model."))
    channel.decode([1.0, 0.0])
    assert len(seen) == 1
