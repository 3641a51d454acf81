"""The sliders panel: one row a dimension, ordered by use, always showing the selected code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton

from tests.gui.fakes import make_opened
from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.sliders import SlidersPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.latent.grids import prior_codes
from vae_explorer.latent.statistics import code_range


@pytest.fixture
def make_panel(qtbot, open_fake_run):
    def make(latent_dim: int = 4, *, kind: str = "vae") -> SlidersPanel:
        controller = open_fake_run(latent_dim=latent_dim, kind=kind)
        panel = SlidersPanel(controller)
        qtbot.addWidget(panel)
        panel.resize(400, 260)
        panel.show()
        return panel

    return make


def press(panel, name):
    panel.findChild(QAbstractButton, f"sliders_{name}").click()


def test_the_most_used_dimension_comes_first(make_panel, fake_controller):
    panel = make_panel(3)
    kl = np.array([0.1, 5.0, 2.0], np.float32)
    fake_controller.handle(replace(fake_controller.codes, kl_per_dim=kl))
    assert panel.order == [1, 2, 0]
    assert panel.row(1).y() < panel.row(2).y() < panel.row(0).y()
    assert [panel.row(i).bar.share for i in (1, 2, 0)] == pytest.approx([1, 0.4, 0.02])
    bar = panel.row(1).bar
    assert bar.grab().toImage().pixelColor(bar.rect().center()) == QColor(current_theme().kl)


def test_rows_stay_in_place_while_it_trains(make_panel, fake_controller):
    panel = make_panel(3)
    kl = np.array([0.1, 5.0, 2.0], np.float32)
    step = fake_controller.codes.step + 1
    fake_controller.handle(replace(fake_controller.codes, kl_per_dim=kl, is_complete=False, step=step))
    assert panel.order == [0, 1, 2]
    fake_controller.handle(replace(fake_controller.codes, is_complete=True))
    assert panel.order == [1, 2, 0]


def test_a_slider_changes_its_number_only(make_panel, fake_controller):
    panel = make_panel(4)
    fake_controller.select_code([1, 2, -1, 0.5])
    low, high = code_range(fake_controller.codes.loc)
    panel.row(2).slider.setValue(750)
    expected = low[2] + 0.75 * (high[2] - low[2])
    assert np.allclose(fake_controller.selection.code, [1, 2, expected, 0.5])
    assert panel.row(2).field.value() == pytest.approx(expected, abs=1e-3)


def test_a_drag_is_one_entry_of_the_history(make_panel, fake_controller):
    panel = make_panel(2)
    fake_controller.select_code([1, 1])
    slider = panel.row(0).slider
    slider.setSliderDown(True)
    for value in (100, 200, 300):
        slider.setValue(value)
    slider.setSliderDown(False)
    fake_controller.select_back()
    assert fake_controller.selection.code.tolist() == [1, 1]


def test_a_field_takes_numbers_beyond_the_slider(make_panel, fake_controller, qtbot):
    panel = make_panel(2)
    field = panel.row(1).field
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "-12,5")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert fake_controller.selection.code.tolist() == [0, -12.5]
    assert panel.row(1).slider.value() == 0


def test_a_code_beyond_the_range_is_shown_and_not_changed(make_panel, fake_controller):
    panel = make_panel(2)
    fake_controller.select_code([40, 0.125])
    assert panel.row(0).slider.value() == panel.row(0).slider.maximum()
    assert panel.row(0).field.value() == 40
    assert fake_controller.selection.code.tolist() == [40, 0.125]


def test_sliders_move_with_the_arrow_keys(make_panel, fake_controller, qtbot):
    panel = make_panel(2)
    before = fake_controller.selection.code[0]
    qtbot.keyClick(panel.row(0).slider, Qt.Key.Key_Right)
    assert fake_controller.selection.code[0] > before


def test_zero_dice_and_back(make_panel, fake_controller):
    panel = make_panel(4)
    fake_controller.select_image(5)
    picked = fake_controller.selection.code
    back = panel.findChild(QAbstractButton, "sliders_back")
    assert not back.isEnabled()
    press(panel, "zero")
    assert not fake_controller.selection.code.any()
    assert fake_controller.selection.image is None
    press(panel, "dice")
    assert np.array_equal(fake_controller.selection.code, prior_codes(1, 4, 0)[0])
    press(panel, "dice")
    assert np.array_equal(fake_controller.selection.code, prior_codes(1, 4, 1)[0])
    assert back.isEnabled()
    press(panel, "back")
    assert np.array_equal(fake_controller.selection.code, picked)
    assert fake_controller.selection.image == 5


def test_the_dice_of_a_learnt_prior_asks_the_engine_for_a_draw_of_it(make_panel, fake_controller):
    panel, opened = make_panel(2), make_opened(2)
    fake_controller.handle(replace(opened, config=opened.config.with_values({"model.prior": "mixture"})))
    press(panel, "dice")
    (ask,) = fake_controller.take(m.Render)
    assert (ask.recipe.what, ask.recipe.source, ask.recipe.rows, ask.recipe.cols) == ("samples", "prior", 1, 1)
    codes = np.array([[[0.25, -1.5]]], dtype=np.float32)
    picture, tiles = np.zeros((8, 8, 3), np.uint8), np.zeros((1, 1, 1, 8, 8), np.float32)
    fake_controller.handle(m.Rendered(ask.channel, ask.id, 0, ask.recipe, picture, tiles, codes))
    assert fake_controller.selection.code.tolist() == [0.25, -1.5]
    press(panel, "dice")
    (again,) = fake_controller.take(m.Render)
    assert again.recipe.seed != ask.recipe.seed


def test_an_autoencoder_draws_from_the_box_of_its_codes_and_has_no_kl(make_panel, fake_controller):
    panel = make_panel(2, kind="autoencoder")
    fake_controller.handle(replace(fake_controller.codes, kl_per_dim=None, loc=fake_controller.codes.loc + 50))
    press(panel, "dice")
    low, high = code_range(fake_controller.codes.loc)
    assert (fake_controller.selection.code >= low).all()
    assert (fake_controller.selection.code <= high).all()
    assert not panel.row(0).bar.isVisible()
    assert "box" in panel.findChild(QAbstractButton, "sliders_dice").toolTip()


def test_all_to_zero_says_where_that_is(make_panel, open_fake_run):
    zero = make_panel(2).findChild(QAbstractButton, "sliders_zero")
    assert "middle of the prior" in zero.toolTip()
    open_fake_run(latent_dim=2, kind="autoencoder")
    assert "prior" not in zero.toolTip()
    assert "box of the codes" in zero.toolTip()


def test_every_row_has_tooltips(make_panel):
    row = make_panel(2).row(1)
    assert "z₁" in row.field.toolTip()
    assert row.slider.toolTip()


def test_many_dimensions_cost_what_is_seen_and_all_can_be_reached(make_panel, fake_controller, qtbot):
    panel = make_panel(256)
    made = sum(panel.row(dim) is not None for dim in range(256))
    assert made < 40
    fake_controller.select_code(np.linspace(-1, 1, 256))
    grid = panel.findChild(object, "sliders_grid")
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    last = panel.row(panel.order[-1])
    assert last is not None
    assert last.field.value() == pytest.approx(fake_controller.selection.code[last.dim], abs=1e-3)
    assert grid.viewport().rect().contains(last.mapTo(grid.viewport(), last.rect().center()))


def test_tab_goes_down_the_rows_past_the_edge_of_what_is_seen(make_panel, qtbot):
    panel = make_panel(64)
    panel.activateWindow()
    first = panel.row(panel.order[0])
    first.slider.setFocus()
    seen = []
    for _ in range(40):
        qtbot.keyClick(panel.focusWidget(), Qt.Key.Key_Tab)
        seen.append(panel.focusWidget().objectName())
    fields = [f"slider_field_{dim}" for dim in panel.order[:20]]
    assert [name for name in seen if name.startswith("slider_field")] == fields


def test_another_run_has_other_rows(make_panel, fake_controller, open_fake_run):
    panel = make_panel(6)
    open_fake_run(latent_dim=2)
    assert sorted(panel.order) == [0, 1]
    assert panel.row(5) is None
    fake_controller.select_code([0.5, -0.5])
    assert panel.row(1).field.value() == -0.5


def test_before_a_run_it_says_the_next_step(qtbot, fake_controller):
    panel = SlidersPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.findChild(object, "sliders_empty").isVisible()
