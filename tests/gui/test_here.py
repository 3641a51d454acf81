"""Here: the decoded selection, and the selected image with its reconstruction and its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_opened
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.here import HerePanel
from vae_explorer.gui.widgets.bound_equation import nats
from vae_explorer.gui.widgets.neighbours import NeighbourIndex
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.picture import PictureView

Open = Callable[..., FakeController]
LEFT = Qt.MouseButton.LeftButton


_kept: list[HerePanel] = []


@pytest.fixture(autouse=True)
def keep_panels() -> Iterator[None]:
    """Keep panels alive whose test looks at the controller only."""
    yield
    _kept.clear()


def open_panel(qtbot: QtBot, controller: FakeController) -> HerePanel:
    panel = HerePanel(controller)
    _kept.append(panel)
    qtbot.addWidget(panel)
    panel.resize(280, 560)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def picture(panel: HerePanel, name: str) -> PictureView:
    found = panel.findChild(PictureView, name)
    assert isinstance(found, PictureView), name
    return found


def text(panel: HerePanel, name: str) -> str:
    found = panel.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


def asked(controller: FakeController, channel: str) -> list[m.Decode | m.Encode]:
    kinds = (m.Decode, m.Encode)
    return [message for message in controller.sent if isinstance(message, kinds) and message.channel == channel]


def test_the_selected_code_is_decoded_and_its_step_is_told(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.take()
    controller.select_code([0.5, -1.0])
    question = asked(controller, "here")[-1]
    assert isinstance(question, m.Decode)
    assert question.z.tolist() == [[0.5, -1.0]]
    assert question.draw_seed is None
    controller.answer_decodes(step=12400)
    shown = picture(panel, "here_picture")
    assert shown.has_image
    assert shown.is_generated
    assert "12,400" in shown.caption


def test_draws_are_asked_for_as_soon_as_they_are_wanted(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    open_panel(qtbot, controller)
    controller.take()
    controller.set_drawing(True)
    first = asked(controller, "here")[-1]
    assert first.draw_seed is not None
    controller.redraw()
    assert asked(controller, "here")[-1].draw_seed != first.draw_seed


def test_an_image_shows_original_reconstruction_and_bound(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    assert [int(i) for q in asked(controller, "image") for i in q.indices] == [6]  # type: ignore[union-attr]
    controller.answer_encodes(step=100)
    original, made = picture(panel, "here_original"), picture(panel, "here_reconstruction")
    assert (original.has_image, original.is_generated) == (True, False)
    assert (made.has_image, made.is_generated) == (True, True)
    assert "step 100" in made.caption
    assert text(panel, "here_image") == "Image 6 · class 2 · train"
    assert (text(panel, "here_elbo"), text(panel, "here_distortion"), text(panel, "here_kl")) == (
        "−20.00", "16.00", "4.00",
    )  # fmt: skip
    assert "0.10" in text(panel, "elbo_error")


def test_looking_elsewhere_takes_the_image_away(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    controller.answer_encodes()
    controller.select_code([0.0, 3.0])
    assert not picture(panel, "here_original").has_image
    assert not picture(panel, "here_reconstruction").has_image
    assert text(panel, "here_elbo") == ""


def test_an_answer_for_another_image_is_not_shown(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    controller.select_code([0.0, 3.0])
    controller.answer_encodes()
    assert not picture(panel, "here_reconstruction").has_image
    assert text(panel, "here_elbo") == ""


def test_an_autoencoder_shows_its_reconstruction_loss_alone(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(kind="autoencoder")
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    (question,) = asked(controller, "image")
    nan, one = np.full(1, np.nan, np.float32), np.ones(1, np.float32)
    zeros = np.zeros((1, 2), np.float32)
    controller.handle(
        m.Encoded(
            "image",
            question.id,
            7,
            np.array([6]),
            zeros,
            zeros,
            None,
            nan,
            nan,
            12.5 * one,
            nan,
            np.zeros((1, 1, 8, 8), np.float32),
        )
    )
    assert text(panel, "here_distortion") == "12.50"
    elbo = panel.findChild(QLabel, "here_elbo")
    assert elbo is not None
    assert not elbo.isVisible()


def test_while_it_trains_one_question_is_under_way_and_the_newest_weights_are_asked(
    qtbot: QtBot, open_fake_run: Open
) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    controller.answer_encodes()
    controller.select_code([0.2, 0.2])
    controller.answer_decodes(step=100)
    for step in (110, 120, 130):
        controller.handle(make_codes(40, 2, step))
    assert len(asked(controller, "here")) == 1
    controller.answer_decodes(step=110)
    assert len(asked(controller, "here")) == 1, "weights moved after the question"
    controller.answer_decodes(step=130)
    assert asked(controller, "here") == []
    assert "130" in picture(panel, "here_picture").caption


def test_the_selected_image_moves_with_the_weights_but_not_into_the_history(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    open_panel(qtbot, controller)
    controller.select_image(6)
    moved = make_codes(40, 2, 200, seed=9)
    controller.handle(moved)
    np.testing.assert_array_equal(controller.selection.code, moved.loc[6])
    assert controller.selection.image == 6
    controller.select_back()
    assert controller.selection.image is None
    assert not controller.can_select_back


def test_an_image_outside_the_sample_gets_its_code_from_its_own_answer(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    open_panel(qtbot, controller)
    whole = make_codes(40, 2, 200)
    sample = replace(
        whole, indices=whole.indices[:5], loc=whole.loc[:5], scale=whole.scale[:5], elbo=whole.elbo[:5],
        kl=whole.kl[:5], distortion=whole.distortion[:5], is_complete=False,
    )  # fmt: skip
    controller.handle(sample)
    controller.select_image(30)
    question = asked(controller, "image")[-1]
    loc = np.float32([[0.75, -0.5]])
    one = np.ones(1, np.float32)
    controller.handle(
        m.Encoded(
            "image",
            question.id,
            201,
            np.array([30]),
            loc,
            0.1 * np.ones((1, 2), np.float32),
            np.ones((1, 2), np.float32),
            -20 * one,
            4 * one,
            16 * one,
            0.1 * one,
            np.zeros((1, 1, 8, 8), np.float32),
        )
    )
    assert controller.selection.code.tolist() == [0.75, -0.5]
    assert controller.selection.image == 30


def test_fields_edit_the_code_and_buttons_set_the_ends(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(latent_dim=3)
    panel = open_panel(qtbot, controller)
    field = panel.findChild(NumberField, "here_z_2")
    assert field is not None
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "-0.75")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert controller.selection.code.tolist() == [0.0, 0.0, -0.75]
    for name, end in (("set_a", "end_a"), ("set_b", "end_b")):
        button = panel.findChild(QPushButton, name)
        assert button is not None
        qtbot.mouseClick(button, LEFT)
        assert getattr(controller.selection, end).tolist() == [0.0, 0.0, -0.75]


def test_editing_one_number_keeps_the_others_exact(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(latent_dim=2)
    panel = open_panel(qtbot, controller)
    controller.select_code([0.123456789, 0.0])
    field = panel.findChild(NumberField, "here_z_1")
    assert field is not None
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "1")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert controller.selection.code.tolist() == [np.float32(0.123456789), 1.0]


def test_a_long_code_is_listed(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(latent_dim=20)
    panel = open_panel(qtbot, controller)
    controller.select_code(np.linspace(-1, 1, 20))
    assert text(panel, "here_code").startswith("z = −1.00  −0.89")
    assert "20 numbers" in text(panel, "here_code")
    assert panel.findChild(NumberField) is None


def test_the_nearest_images_are_shown_and_can_be_chosen(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    assert controller.codes is not None
    panel = open_panel(qtbot, controller)
    controller.select_code([0.3, 0.3])
    distance = np.linalg.norm(controller.codes.loc - np.float32([0.3, 0.3]), axis=1)
    wanted = np.argsort(distance)[:6].tolist()
    assert panel._nearest.indices != wanted, "the question and the picture go first"
    qtbot.waitUntil(lambda: panel._nearest.indices == wanted)
    qtbot.mouseClick(picture(panel, "near_2"), LEFT)
    assert controller.selection.image == int(np.argsort(distance)[2])


def test_moves_in_one_moment_search_the_neighbours_once(
    qtbot: QtBot, open_fake_run: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    qtbot.waitUntil(lambda: not panel._neighbours_due.isActive())
    searched: list[list[float]] = []
    nearest = NeighbourIndex.nearest

    def record(self: NeighbourIndex, code: np.ndarray, n: int) -> np.ndarray:
        searched.append(code.tolist())
        return nearest(self, code, n)

    monkeypatch.setattr(NeighbourIndex, "nearest", record)
    for x in (0.25, 0.5, 0.75):
        controller.select_code([x, 0.0])
    qtbot.waitUntil(lambda: searched != [])
    qtbot.waitUntil(lambda: not panel._neighbours_due.isActive())
    assert searched == [[0.75, 0.0]]


def test_the_nearest_images_of_another_run_are_gone_at_once(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    qtbot.waitUntil(lambda: panel._nearest.indices != [])
    controller.handle(make_opened(2, 0))
    assert panel._nearest.indices == []


def test_arrows_go_from_image_to_image_and_round_the_end(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    following, previous = (panel.findChild(QToolButton, name) for name in ("next_image", "previous_image"))
    assert following is not None
    assert previous is not None
    qtbot.mouseClick(following, LEFT)
    assert controller.selection.image == 0
    qtbot.mouseClick(previous, LEFT)
    assert controller.selection.image == 39


def test_without_a_run_nothing_is_asked_and_the_next_step_is_said(
    qtbot: QtBot, fake_controller: FakeController
) -> None:
    panel = open_panel(qtbot, fake_controller)
    fake_controller.select_code([1.0, 1.0])
    assert fake_controller.sent == []
    assert "Train" in panel._picture._placeholder


def test_a_failed_question_says_why_where_there_is_no_picture(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    question = asked(controller, "here")[-1]
    controller.handle(m.RequestFailed("here", question.id, "There is no model yet."))
    assert panel._picture._placeholder == "There is no model yet."


@pytest.mark.parametrize(
    ("value", "words"), [(-16.494, "−16.49"), (0.0, "0.00"), (123.456, "123.5"), (-99.996, "−100.0"), (1234.5, "1,234")]
)
def test_nats_are_written_with_as_many_digits_as_can_be_read(value: float, words: str) -> None:
    assert nats(value) == words


def test_neighbours_agree_with_a_plain_search_and_leave_out_what_is_not_finite() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 7)).astype(np.float32)
    codes[3] = np.nan
    index = NeighbourIndex(codes)
    target = rng.normal(size=7).astype(np.float32)
    distance = np.linalg.norm(codes.astype(np.float64) - target, axis=1)
    assert index.nearest(target, 9).tolist() == np.argsort(np.where(np.isnan(distance), np.inf, distance))[:9].tolist()
    assert NeighbourIndex(codes[3:4]).nearest(target, 3).tolist() == []
    assert NeighbourIndex(codes[:0]).nearest(target, 3).tolist() == []
