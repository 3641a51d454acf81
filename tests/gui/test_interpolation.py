"""The interpolation panel: ends, path, share and pictures agree with the selection, whoever moves it."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton

from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.interpolation import SEEDS_APART, InterpolationPanel
from vae_explorer.gui.widgets.film_strip import FilmStrip
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.path_place import code_at, share_of_code
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.latent.grids import prior_codes
from vae_explorer.latent.paths import interpolate

A, B = np.array([-2.0, 0.0], np.float32), np.array([0.0, 2.0], np.float32)


@pytest.fixture
def panel(qtbot, open_fake_run):
    controller = open_fake_run()
    panel = InterpolationPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(560, 240)
    panel.show()
    controller.set_end("a", A)
    controller.set_end("b", B)
    controller.take()
    return panel


def part(panel, kind, name):
    found = panel.findChild(kind, f"interpolation_{name}")
    assert found is not None
    return found


def asked(controller, channel: str) -> m.Decode | None:
    newest = [message for message in controller.sent if isinstance(message, m.Decode) and message.channel == channel]
    return newest[-1] if newest else None


def test_before_a_run_it_says_the_next_step_and_asks_nothing(qtbot, fake_controller):
    panel = InterpolationPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.show()
    assert part(panel, QLabel, "empty").isVisible()
    assert fake_controller.sent == []


def test_the_slider_selects_codes_on_the_path(panel, fake_controller):
    part(panel, QSlider, "slider").setValue(250)
    assert np.allclose(fake_controller.selection.code, A + 0.25 * (B - A))
    assert np.array_equal(asked(fake_controller, "interpolation").z[0], fake_controller.selection.code)
    assert part(panel, NumberField, "t").value() == 0.25
    assert part(panel, FilmStrip, "strip").share == 0.25


def test_a_drag_is_one_entry_of_the_history(panel, fake_controller):
    slider = part(panel, QSlider, "slider")
    before = fake_controller.selection.code
    slider.setSliderDown(True)
    for value in (100, 200, 300):
        slider.setValue(value)
    slider.setSliderDown(False)
    assert np.allclose(fake_controller.selection.code, code_at(fake_controller.selection, 0.3))
    fake_controller.select_back()
    assert np.array_equal(fake_controller.selection.code, before)


def test_the_field_takes_a_comma_and_the_slider_keys(panel, fake_controller, qtbot):
    field = part(panel, NumberField, "t")
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "0,75")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert np.allclose(fake_controller.selection.code, A + 0.75 * (B - A))
    slider = part(panel, QSlider, "slider")
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert np.allclose(fake_controller.selection.code, A + 0.76 * (B - A))
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert np.array_equal(fake_controller.selection.code, B)


def test_a_code_chosen_elsewhere_is_found_on_the_path_or_said_to_be_beside_it(panel, fake_controller, qtbot):
    fake_controller.select_code([-1.5, 0.5])
    qtbot.waitUntil(lambda: panel.is_settled)
    assert part(panel, FilmStrip, "strip").share == pytest.approx(0.25)
    assert part(panel, QSlider, "slider").value() == 250
    fake_controller.select_code([3, 3])
    qtbot.waitUntil(lambda: panel.is_settled)
    assert part(panel, FilmStrip, "strip").share is None
    assert "beside" in part(panel, QLabel, "note").text()
    assert np.array_equal(fake_controller.selection.code, [3, 3])


def test_of_quick_moves_elsewhere_only_the_last_is_followed(panel, fake_controller, qtbot):
    fake_controller.take()
    for x in (1, 2, 3):
        fake_controller.select_code([x, 3])
    qtbot.waitUntil(lambda: panel.is_settled)
    questions = [sent for sent in fake_controller.take() if getattr(sent, "channel", None) == "interpolation"]
    assert [question.z.tolist() for question in questions] == [[[3, 3]]]


def test_an_end_moved_right_after_a_code_was_chosen_elsewhere_knows_of_it(panel, fake_controller):
    fake_controller.select_code([3, 3])
    panel._move_end("a", np.array([-4, 0], dtype=np.float32))
    assert np.array_equal(fake_controller.selection.code, [3, 3])


def test_the_picture_is_always_the_selected_codes(panel, fake_controller, qtbot):
    fake_controller.take()
    fake_controller.select_code([3, 3])
    qtbot.waitUntil(lambda: panel.is_settled)
    assert np.array_equal(asked(fake_controller, "interpolation").z, [[3, 3]])
    fake_controller.answer_decodes(step=4321)
    picture = part(panel, PictureView, "picture")
    assert picture.is_generated
    assert picture.caption == "step 4,321"
    where = picture.picture_rect().center().toPoint()
    # The fake decodes to the logistic function of the first coordinate: 0.95 for 3.
    assert picture.grab().toImage().pixelColor(where).lightness() == pytest.approx(255 * 0.953, abs=2)


def test_the_strip_is_asked_once_per_path_and_shows_it_from_a_to_b(panel, fake_controller):
    strip = part(panel, FilmStrip, "strip")
    fake_controller.set_end("a", [-4, 0])
    question = asked(fake_controller, "interpolation_strip")
    assert np.allclose(question.z, interpolate([-4, 0], B, np.linspace(0, 1, 9)))
    fake_controller.answer_decodes()
    assert strip.n_images == 9
    image = strip.grab().toImage()
    greys = [image.pixelColor(strip.picture_rect(i).center().toPoint()).lightness() for i in range(9)]
    assert greys == sorted(greys)
    assert greys[0] < 10
    assert greys[-1] == pytest.approx(127, abs=2)
    part(panel, QSlider, "slider").setValue(600)
    assert asked(fake_controller, "interpolation_strip") is None


def test_the_strip_tells_its_step(panel, fake_controller):
    strip, note = part(panel, FilmStrip, "strip"), part(panel, QLabel, "note")
    assert "step" not in note.text()
    fake_controller.set_end("a", [-4, 0])
    fake_controller.answer_decodes(step=4321)
    assert "step 4,321" in note.text()
    assert "step 4,321" in strip.toolTip()
    fake_controller.select_code([3, 3])
    assert "step 4,321" in note.text()
    assert "beside" in note.text()


def test_the_dice_say_where_an_end_is_drawn_from(panel, open_fake_run):
    dice = part(panel, QToolButton, "dice_b")
    assert "prior" in dice.accessibleName()
    open_fake_run(kind="autoencoder")
    assert "box of all codes" in dice.toolTip()
    assert "box of all codes" in dice.accessibleName()
    assert "end B" in dice.accessibleName()


def test_a_picture_of_the_strip_goes_there_by_mouse_and_key(panel, fake_controller, qtbot):
    fake_controller.set_end("a", [-4, 0])
    fake_controller.answer_decodes()
    strip = part(panel, FilmStrip, "strip")
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.picture_rect(2).center().toPoint())
    assert np.allclose(fake_controller.selection.code, code_at(fake_controller.selection, 2 / 8))
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert np.allclose(fake_controller.selection.code, code_at(fake_controller.selection, 3 / 8))
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert np.array_equal(fake_controller.selection.code, [-4, 0])


def test_the_number_of_pictures_can_be_chosen(panel, fake_controller, qtbot):
    count = part(panel, NumberField, "count")
    qtbot.keyClick(count, Qt.Key.Key_Up)
    assert len(asked(fake_controller, "interpolation_strip").z) == 10


def test_an_end_comes_from_the_selection_an_image_or_the_prior(panel, fake_controller, qtbot):
    fake_controller.select_code([0.5, -0.5])
    part(panel, QToolButton, "set_a").click()
    assert np.array_equal(fake_controller.selection.end_a, [0.5, -0.5])
    assert part(panel, FilmStrip, "strip").share == 0.0
    part(panel, QToolButton, "dice_b").click()
    assert np.array_equal(fake_controller.selection.end_b, prior_codes(1, 2, SEEDS_APART)[0])
    field = part(panel, NumberField, "image_a")
    field.selectAll()
    qtbot.keyClicks(field, "7")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    fake_controller.answer_encodes()
    assert np.array_equal(fake_controller.selection.end_a, fake_controller.codes.loc[7])


def test_swap_keeps_the_code_and_turns_the_share(panel, fake_controller):
    panel.go_to(0.25)
    code = fake_controller.selection.code
    part(panel, QToolButton, "swap").click()
    assert np.array_equal(fake_controller.selection.end_a, B)
    assert np.array_equal(fake_controller.selection.code, code)
    assert part(panel, FilmStrip, "strip").share == pytest.approx(0.75)


def test_the_path_can_be_an_arc_and_the_share_stays(panel, fake_controller):
    panel.go_to(0.5)
    choice = part(panel, QComboBox, "path")
    choice.setCurrentIndex(choice.findData("spherical"))
    assert fake_controller.selection.path == "spherical"
    assert np.linalg.norm(fake_controller.selection.code) == pytest.approx(2.0, abs=1e-5)
    assert part(panel, FilmStrip, "strip").share == 0.5
    fake_controller.set_path("linear")
    assert choice.currentData() == "linear"


def test_playing_goes_to_and_fro_until_somebody_looks_elsewhere(panel, fake_controller, qtbot):
    button = part(panel, QToolButton, "play")
    panel.go_to(0.0)
    button.click()
    assert panel.is_playing
    qtbot.waitUntil(lambda: part(panel, QSlider, "slider").value() > 20)
    fake_controller.select_code([3, 3])
    assert not panel.is_playing
    button.click()
    panel.hide()
    assert not panel.is_playing


def test_pausing_leaves_the_place_in_the_history(panel, fake_controller, qtbot):
    button = part(panel, QToolButton, "play")
    panel.go_to(0.0)
    button.click()
    qtbot.waitUntil(lambda: part(panel, QSlider, "slider").value() > 20)
    button.click()
    assert not panel.is_playing
    fake_controller.select_back()
    assert np.array_equal(fake_controller.selection.code, A)


def test_new_weights_are_asked_for_once_and_only_when_seen(panel, fake_controller):
    fake_controller.set_end("a", [-4, 0])
    fake_controller.answer_decodes()
    fake_controller.handle(fake_controller.codes)
    fake_controller.handle(fake_controller.codes)
    assert sorted(message.channel for message in fake_controller.take(m.Decode)) == [
        "interpolation", "interpolation_strip",
    ]  # fmt: skip
    panel.hide()
    fake_controller.handle(fake_controller.codes)
    fake_controller.select_code([1, 1])
    assert fake_controller.take(m.Decode) == []
    panel.show()
    assert asked(fake_controller, "interpolation").z.tolist() == [[1, 1]]


def test_draws_are_asked_with_the_seed(panel, fake_controller):
    fake_controller.set_drawing(True)
    assert asked(fake_controller, "interpolation").draw_seed == fake_controller.draw_seed
    assert asked(fake_controller, "interpolation_strip").draw_seed is not None


def test_another_run_with_more_dimensions_starts_afresh(panel, fake_controller, open_fake_run):
    fake_controller.answer_decodes()
    open_fake_run(latent_dim=5)
    assert not part(panel, PictureView, "picture").has_image
    assert asked(fake_controller, "interpolation_strip").z.shape == (9, 5)


def test_shares_are_found_on_paths_of_no_length(fake_controller):
    fake_controller.set_end("a", [0, 0])
    fake_controller.set_end("b", [0, 0])
    assert share_of_code(fake_controller.selection, guess=0.3) == 0.3


def test_the_strip_finds_the_picture_under_the_pointer(panel, fake_controller):
    fake_controller.set_end("a", [-4, 0])
    fake_controller.answer_decodes()
    strip = part(panel, FilmStrip, "strip")
    assert [strip.index_at(strip.picture_rect(i).center().x()) for i in range(9)] == list(range(9))
    assert not strip.picture_rect(0).intersects(strip.picture_rect(1))
    assert strip.rect().contains(strip.picture_rect(8).bottomRight().toPoint())
    assert strip.picture_rect(0).contains(QPointF(strip.picture_rect(0).center()))
