"""What the window shows of M2: the class that codes are decoded as, q(y|x), marked labels, styles under every class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import make_codes, make_data, make_opened
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QComboBox, QToolButton

from vae_explorer.config import RunConfig
from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.gallery import GalleryPanel
from vae_explorer.gui.panels.here import HerePanel
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.class_bars import ClassBars
from vae_explorer.gui.widgets.labelled_layer import MOST_RINGS, LabelledLayer
from vae_explorer.gui.widgets.number_field import NumberField

LABELLED = np.array([0, 5, 9], dtype=np.int64)
PREDICTED = (np.arange(40) + 1) % 4


@pytest.fixture
def open_m2(fake_controller):
    """Function that opens a run of M2 (or another kind) on 40 images of 4 classes, of which three have a label."""

    def open_run(kind="m2", latent_dim=2):
        fake_controller.show_data(make_data(40))
        is_labelled = kind in ("m2", "m1m2")
        opened = make_opened(latent_dim, kind=kind)
        fake_controller.handle(replace(opened, labelled=LABELLED if is_labelled else None))
        fake_controller.handle(
            replace(make_codes(40, latent_dim), predicted=PREDICTED if is_labelled else None)
        )  # fmt: skip
        return fake_controller

    return open_run


def shown(qtbot, panel, width=700, height=560):
    qtbot.addWidget(panel)
    panel.resize(width, height)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def labels_asked(controller, channel):
    return [ask.label for ask in controller.take(m.Decode) if ask.channel == channel]


def encoded(controller, ask, chances):
    n, d = 1, controller.selection.latent_dim
    full = np.ones(n, np.float32)
    loc = np.zeros((n, d), np.float32)
    return m.Encoded(
        ask.channel, ask.id, 100, ask.indices, loc, loc + 0.1, loc + 1, -20 * full, 4 * full, 16 * full, 0.1 * full,
        np.zeros((n, *controller.data.shape), np.float32), class_probabilities=np.array([chances], np.float32),
    )  # fmt: skip


def test_a_class_is_chosen_once_and_forgotten_with_the_run(qtbot, open_m2):
    controller = open_m2()
    told = []
    controller.label_changed.connect(told.append)
    controller.set_label(2)
    controller.set_label(2)
    assert told == [2]
    controller.handle(make_opened(kind="m2"))
    assert told == [2, None]
    assert controller.label is None


def test_without_a_choice_the_most_probable_class_of_the_selected_image_is_decoded(open_m2):
    controller = open_m2()
    assert controller.label_here is None
    controller.select_image(7)
    assert controller.label_here == PREDICTED[7]
    controller.set_label(1)
    assert controller.label_here == 1
    controller.set_label(None)
    controller.select_code([0.3, 0.4])
    assert controller.label_here is None


@pytest.mark.parametrize("kind", ["vae", "m1m2"])
def test_where_the_class_acts_through_the_code_none_is_asked_for(open_m2, kind):
    controller = open_m2(kind)
    controller.select_image(7)
    assert controller.label_here is None
    assert not controller.decodes_classes


def test_here_decodes_under_the_class_and_asks_again_for_another(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, HerePanel(controller), 280)
    controller.take()
    controller.select_image(6)
    assert labels_asked(controller, "here")[-1] == PREDICTED[6]
    controller.set_label(0)
    assert labels_asked(controller, "here") == [0]
    assert panel.isVisible()


def test_here_shows_the_classes_of_the_selected_image_with_its_label(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, HerePanel(controller), 280)
    bars = panel.findChild(ClassBars, "class_bars")
    assert bars.isVisible()
    assert "no image" in bars.accessibleName()
    controller.take()
    controller.select_image(6)
    ask = [ask for ask in controller.take(m.Encode) if ask.channel == "image"][-1]
    controller.handle(encoded(controller, ask, [0.1, 0.7, 0.2, 0.0]))
    assert bars.shown == [0, 1, 2, 3]
    assert bars.accessibleName() == "q(y|x): most probable class class 1, 70.0 % (its label is class 2)"
    image, colour = bars.grab().toImage(), QColor(current_theme().class_colour(1))
    column = round(bars.width() * (1.5 / 4) * image.devicePixelRatio())
    heights = [sum(image.pixelColor(column, row) == colour for row in range(image.height()))]
    assert heights[0] == pytest.approx(0.7 * 23 * image.devicePixelRatio(), abs=2)
    controller.select_code([0.0, 0.0])
    assert bars.shown == []


def test_bars_are_for_models_of_classes_alone(qtbot, open_m2):
    panel = shown(qtbot, HerePanel(open_m2("vae")), 280)
    assert not panel.findChild(ClassBars, "class_bars").isVisible()


def test_of_many_classes_the_most_probable_ones_have_a_bar(qtbot):
    bars = ClassBars()
    qtbot.addWidget(bars)
    chances = np.linspace(0, 1, 40, dtype=np.float32)
    bars.set_chances(chances / chances.sum())
    assert bars.shown == list(range(28, 40))


def test_the_chooser_is_there_for_m2_and_decides_what_the_plane_decodes(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, LatentMapPanel(controller))
    box = panel.findChild(QComboBox, "map_class")
    assert box.isVisible()
    assert [box.itemText(place) for place in range(box.count())][1:] == ["class 0", "class 1", "class 2", "class 3"]
    controller.answer_decodes()
    controller.take()
    box.setCurrentIndex(3)
    assert controller.label == 2
    assert labels_asked(controller, "plane")[-1:] == [2]
    controller.set_label(None)
    assert box.currentData() is None


@pytest.mark.parametrize(("kind", "n_rings"), [("vae", 0), ("m1m2", 3)])
def test_other_models_have_no_chooser(qtbot, open_m2, kind, n_rings):
    panel = shown(qtbot, LatentMapPanel(open_m2(kind)))
    assert not panel.findChild(QComboBox, "map_class").isVisible()
    assert len(panel.map.labelled.points) == n_rings


def test_images_whose_label_is_used_have_a_ring_that_goes_with_the_points(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, LatentMapPanel(controller))
    np.testing.assert_array_equal(panel.map.labelled.points, panel.latent.points[LABELLED])
    with_rings = panel.map.grab().toImage()
    panel.map.labelled.set_points(panel.latent.points[:0])
    qtbot.waitUntil(lambda: panel.map.grab().toImage() != with_rings)
    at = panel.map.frame().to_px(panel.latent.points[5])
    ratio = with_rings.devicePixelRatio()
    x, y = round(float(at[0]) * ratio), round((float(at[1]) - 6) * ratio)
    without = panel.map.grab().toImage()
    nearby = [(x, row) for row in range(y - 2, y + 3)]
    assert any(with_rings.pixelColor(*place) != without.pixelColor(*place) for place in nearby)
    panel.findChild(QToolButton, "layer_points").setChecked(False)
    assert not panel.map.labelled.isVisible()


def test_where_nearly_all_images_have_a_label_there_are_no_rings(qtbot):
    layer = LabelledLayer()
    layer.set_points(np.zeros((MOST_RINGS + 1, 2), np.float32))
    assert len(layer.points) == 0


def test_styles_under_every_class_are_offered_for_models_of_classes(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, GalleryPanel(controller), 560, 300)
    kinds = panel.findChild(QComboBox, "gallery_what")
    kinds.setCurrentIndex(kinds.findData("classes"))
    controller.select_image(3)
    recipe = panel.recipe
    assert (recipe.what, recipe.rows, recipe.image, recipe.label) == ("classes", 6, None, None)
    assert not panel.findChild(NumberField, "gallery_cols").isEnabled()
    assert panel.findChild(NumberField, "gallery_seed").isEnabled()
    panel.findChild(QCheckBox, "gallery_from_image").setChecked(True)
    assert panel.recipe.image == 3
    assert not panel.findChild(NumberField, "gallery_rows").isEnabled()
    controller.handle(make_opened())
    assert kinds.findData("classes") < 0
    assert panel.recipe.what == "manifold"


def test_other_pictures_are_of_the_chosen_class(qtbot, open_m2):
    controller = open_m2()
    panel = shown(qtbot, GalleryPanel(controller), 560, 300)
    controller.take()
    controller.set_label(2)
    assert panel.recipe.label == 2
    assert [ask.recipe.label for ask in controller.take(m.Render)] == [2]


def test_the_window_trains_m2_decodes_a_class_and_draws_styles(qtbot, engine_window):
    """The whole way on the real engine: few labels, rings, q(y|x), a chosen class, styles under every class."""
    from vae_explorer.data.catalog import open_data

    controller = engine_window.controller
    config = RunConfig().with_values(
        {
            "model.kind": "m2", "model.hidden": [16], "data.labels_per_class": 3, "train.labelled_batch": 20,
            "train.batch_size": 40, "train.steps": 6, "train.log_every": 2, "train.device": "cpu",
        }
    )  # fmt: skip
    data = open_data(config.data)
    records = []
    controller.records_added.connect(records.extend)
    controller.new_run(config, data)
    qtbot.waitUntil(lambda: controller.opened is not None and controller.config == config, timeout=90_000)
    assert np.bincount(data.labels[controller.opened.labelled]).tolist() == [3] * 10
    controller.train()
    qtbot.waitUntil(lambda: getattr(controller.status, "state", None) is m.EngineState.FINISHED, timeout=90_000)
    assert any(record.classification_error is not None for record in records if hasattr(record, "classification_error"))
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.predicted is not None, timeout=90_000)
    bars = engine_window.window.findChild(ClassBars, "class_bars")
    controller.select_image(11)
    qtbot.waitUntil(lambda: len(bars.shown) == 10, timeout=90_000)
    answers = []
    channel = controller.channel("test classes")
    channel.answered.connect(answers.append)
    for label in (0, 1):
        channel.decode([[0.5, -0.5]], label=label)
        qtbot.waitUntil(lambda label=label: len(answers) == label + 1, timeout=90_000)
    assert not np.array_equal(answers[0].images, answers[1].images)
    kinds = engine_window.window.findChild(QComboBox, "gallery_what")
    assert kinds.findData("classes") >= 0
    assert kinds.itemData(0, Qt.ItemDataRole.UserRole) == "manifold"
