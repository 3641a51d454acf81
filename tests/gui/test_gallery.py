"""The gallery: choices become a recipe, the recipe's picture is shown, pressed, copied and exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QLabel, QWidget

from vae_explorer.engine import messages as m
from vae_explorer.export.mixture_recipe import to_mixture
from vae_explorer.export.picture import compose
from vae_explorer.gui.panels.gallery import GalleryPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.gallery_view import GalleryView
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.latent.em import start
from vae_explorer.latent.grids import quantile_lattice
from vae_explorer.latent.mixture import Mixture


@pytest.fixture
def panel(qtbot, open_fake_run):
    controller = open_fake_run()
    controller.take()
    panel = GalleryPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(560, 300)
    panel.show()
    return panel


def part(panel, kind, name):
    found = panel.findChild(kind, name if name == "export" else f"gallery_{name}")
    assert found is not None
    return found


def choose(panel, name, value):
    box = part(panel, QComboBox, name)
    box.setCurrentIndex(box.findData(value))


def newest(controller) -> m.Render:
    return [message for message in controller.sent if isinstance(message, m.Render)][-1]


def answer(controller, *, step: int = 500, with_originals: bool = False) -> m.Rendered:
    """Answer the newest Render: the manifold's codes, tiles of the logistic function of their first coordinate."""
    ask = newest(controller)
    codes = quantile_lattice(ask.recipe.rows, ask.recipe.cols, latent_dim=2)
    tiles = np.broadcast_to((1 / (1 + np.exp(-codes[:, :, 0])))[:, :, None, None, None], (*codes.shape[:2], 1, 8, 8))
    if with_originals:
        codes[::2] = np.nan
    picture = compose(tiles, ask.recipe)
    rendered = m.Rendered(ask.channel, ask.id, step, ask.recipe, picture, tiles, codes)
    controller.sent.clear()
    controller.handle(rendered)
    return rendered


def test_before_a_run_it_says_the_next_step_and_asks_nothing(qtbot, fake_controller):
    panel = GalleryPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.show()
    assert fake_controller.sent == []
    assert not part(panel, QAbstractButton, "export").isEnabled()
    assert not part(panel, QAbstractButton, "copy").isEnabled()


def test_the_manifold_is_asked_for_at_once(panel, fake_controller):
    recipe = newest(fake_controller).recipe
    assert (recipe.what, recipe.rows, recipe.cols, recipe.axes) == ("manifold", 12, 12, None)


def test_every_choice_is_in_the_recipe(panel, fake_controller, qtbot):
    choose(panel, "what", "samples")
    choose(panel, "scale", 3)
    for name, times in (("rows", 2), ("cols", 1), ("gap", 3), ("seed", 4)):
        for _ in range(times):
            qtbot.keyClick(part(panel, NumberField, name), Qt.Key.Key_Up)
    part(panel, QCheckBox, "captions").click()
    part(panel, QAbstractButton, "dice").click()
    recipe = newest(fake_controller).recipe
    assert (recipe.what, recipe.rows, recipe.cols, recipe.gap) == ("samples", 10, 13, 5)
    assert (recipe.scale, recipe.seed, recipe.captions) == (3, 5, True)


def test_each_kind_remembers_its_shape(panel, fake_controller, qtbot):
    qtbot.keyClick(part(panel, NumberField, "rows"), Qt.Key.Key_Down)
    choose(panel, "what", "interpolation")
    assert (newest(fake_controller).recipe.rows, newest(fake_controller).recipe.cols) == (1, 10)
    choose(panel, "what", "manifold")
    assert (newest(fake_controller).recipe.rows, newest(fake_controller).recipe.cols) == (11, 12)


def test_only_what_matters_is_offered(panel, open_fake_run):
    offers = {"split", "ends", "path", "from_image", "axis_0"}

    def offered() -> set[str]:
        return {name for name in offers if part(panel, QWidget, name).isVisible()}

    assert offered() == set()
    choose(panel, "what", "reconstructions")
    assert offered() == {"split", "from_image"}
    choose(panel, "what", "interpolation")
    assert offered() == {"ends", "path"}
    assert not part(panel, NumberField, "seed").isEnabled()
    choose(panel, "ends", "drawn")
    assert part(panel, NumberField, "seed").isEnabled()
    choose(panel, "what", "traversal")
    assert offered() == {"from_image", "axis_0"}
    choose(panel, "what", "manifold")
    open_fake_run(latent_dim=5)
    assert offered() == {"axis_0"}


def test_reconstructions_are_of_the_split_from_the_selected_image(panel, fake_controller):
    choose(panel, "what", "reconstructions")
    assert newest(fake_controller).recipe.split is None
    choose(panel, "split", "train")
    part(panel, QCheckBox, "from_image").click()
    fake_controller.select_image(7)
    recipe = newest(fake_controller).recipe
    assert (recipe.split, recipe.image) == ("train", 7)


def test_splits_without_images_are_not_offered(panel, fake_controller):
    box = part(panel, QComboBox, "split")
    assert [box.itemData(i) for i in range(box.count())] == [None, "train", "validation", "test", "all"]


def test_an_interpolation_follows_the_ends_and_the_path(panel, fake_controller):
    choose(panel, "what", "interpolation")
    fake_controller.set_end("a", [1, 2])
    fake_controller.set_path("spherical")
    recipe = newest(fake_controller).recipe
    assert recipe.start == (1, 2)
    assert recipe.path == "spherical"
    assert part(panel, QComboBox, "path").currentData() == "spherical"
    choose(panel, "path", "linear")
    assert fake_controller.selection.path == "linear"


def test_axes_are_both_chosen_or_both_automatic(panel, fake_controller, open_fake_run):
    open_fake_run(latent_dim=5)
    choose(panel, "axis_0", 3)
    assert newest(fake_controller).recipe.axes is None
    choose(panel, "axis_1", 1)
    assert newest(fake_controller).recipe.axes == (3, 1)


def test_a_tile_shows_its_picture_and_selects_its_code(panel, fake_controller, qtbot):
    rendered = answer(fake_controller)
    view = part(panel, GalleryView, "view")
    image = view.grab().toImage()
    for tile in ((0, 0), (5, 3), (11, 11)):
        centre = view.tile_rect(tile).center().toPoint()
        assert image.pixelColor(centre).lightness() == pytest.approx(255 * rendered.tiles[tile].mean(), abs=3)
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=centre)
        assert np.array_equal(fake_controller.selection.code, rendered.codes[tile])
        assert view.marked == tile
    where = view.tile_rect((11, 11)).adjusted(-1, -1, 1, 1).topLeft().toPoint()
    assert view.grab().toImage().pixelColor(where) == QColor(current_theme().accent)
    fake_controller.select_code([9, 9])
    assert view.marked is None


def test_a_drag_over_tiles_is_one_entry_of_the_history(panel, fake_controller, qtbot):
    answer(fake_controller)
    view = part(panel, GalleryView, "view")
    places = [view.tile_rect((5, col)).center().toPoint() for col in (2, 3)]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[1])
    assert view.marked == (5, 3)
    fake_controller.select_back()
    assert not fake_controller.selection.code.any()


def test_arrow_keys_go_from_tile_to_tile_past_those_without_a_code(panel, fake_controller, qtbot):
    choose(panel, "what", "reconstructions")
    rendered = answer(fake_controller, with_originals=True)
    view = part(panel, GalleryView, "view")
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.marked == (1, 0)
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert np.array_equal(fake_controller.selection.code, rendered.codes[1, 1])
    before = fake_controller.selection
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.tile_rect((0, 4)).center().toPoint())
    assert fake_controller.selection is before


def test_captions_do_not_shift_the_tiles(panel, fake_controller):
    plain = answer(fake_controller)
    view = part(panel, GalleryView, "view")
    padded = np.full((plain.picture.shape[0] + 40, plain.picture.shape[1] + 60, 3), 255, np.uint8)
    padded[40:, 60:] = plain.picture
    size = plain.tiles.shape[-1] * 4
    view.set_picture(padded, tile_px=(size, size), gap=plain.recipe.gap, has_code=np.ones((12, 12), bool))
    for tile in ((0, 0), (11, 11)):
        centre = view.tile_rect(tile).center()
        assert view.tile_at(centre) == tile
        shade = view.grab().toImage().pixelColor(centre.toPoint()).lightness()
        assert shade == pytest.approx(255 * plain.tiles[tile].mean(), abs=3)


def test_a_small_picture_is_enlarged_by_a_whole_number(panel):
    view = part(panel, GalleryView, "view")
    picture = np.zeros((10, 10, 3), np.uint8)
    view.set_picture(picture, tile_px=(10, 10), gap=0, has_code=np.ones((1, 1), bool))
    assert view.picture_rect().width() % 10 == 0
    assert view.picture_rect().width() > 100


def test_the_caption_names_the_step(panel, fake_controller):
    answer(fake_controller, step=12_400)
    assert "step 12,400" in part(panel, QLabel, "caption").text()


@pytest.mark.parametrize(("kind", "has_box"), [("samples", True), ("manifold", True), ("reconstructions", False)])
def test_an_autoencoder_has_the_box_of_its_codes_for_the_prior(panel, fake_controller, open_fake_run, kind, has_box):
    box = part(panel, QComboBox, "source")
    assert [box.itemText(i) for i in range(box.count())] == ["of the prior", "of the aggregate posterior"]
    open_fake_run(kind="autoencoder")
    assert [box.itemText(i) for i in range(box.count())] == ["of the box of its codes"]
    choose(panel, "what", kind)
    answer(fake_controller)
    assert ("in the box of the codes" in part(panel, QLabel, "caption").text()) == has_box
    open_fake_run()
    choose(panel, "what", kind)
    panel._ask()
    answer(fake_controller)
    assert "box" not in part(panel, QLabel, "caption").text()


def test_samples_come_from_the_source_that_is_chosen(panel, fake_controller):
    source = part(panel, QComboBox, "source")
    assert not source.isVisibleTo(panel)
    assert panel.recipe.source == "prior"
    choose(panel, "what", "samples")
    assert source.isVisibleTo(panel)
    choose(panel, "source", "aggregate")
    assert fake_controller.take(m.Render)[-1].recipe.source == "aggregate"
    choose(panel, "what", "manifold")
    assert panel.recipe.source == "prior"


def test_a_mixture_is_offered_chosen_and_forgotten_with_its_run(panel, fake_controller, open_fake_run):
    mixture = start(fake_controller.codes.loc, 3).mixture
    source = part(panel, QComboBox, "source")
    assert source.findData("mixture") < 0
    fake_controller.set_mixture(mixture)
    assert panel.recipe.what == "samples"
    recipe = fake_controller.take(m.Render)[-1].recipe
    assert recipe.source == "mixture"
    np.testing.assert_array_equal(to_mixture(recipe.mixture).means, mixture.means)
    open_fake_run()
    assert source.findData("mixture") < 0
    assert panel.recipe.source == "prior"
    assert panel.recipe.mixture is None


def test_a_mixture_too_large_for_a_recipe_is_refused_in_words(panel, fake_controller):
    n_dims = 201
    fake_controller.set_mixture(Mixture(np.ones(1), np.zeros((1, n_dims)), np.eye(n_dims)[None]))
    assert "too many numbers" in part(panel, QLabel, "caption").text()
    assert part(panel, QComboBox, "source").findData("mixture") < 0


def test_new_weights_are_asked_for_only_when_seen_and_answered(panel, fake_controller):
    answer(fake_controller)
    fake_controller.handle(fake_controller.codes)
    fake_controller.handle(fake_controller.codes)
    assert len(fake_controller.take(m.Render)) == 1
    panel.hide()
    choose(panel, "what", "samples")
    fake_controller.handle(fake_controller.codes)
    assert fake_controller.take(m.Render) == []
    panel.show()
    assert newest(fake_controller).recipe.what == "samples"


def test_a_failure_is_said_and_the_picture_stays(panel, fake_controller):
    answer(fake_controller)
    choose(panel, "what", "samples")
    ask = newest(fake_controller)
    fake_controller.handle(m.RequestFailed(ask.channel, ask.id, "That cannot be drawn."))
    assert part(panel, QLabel, "caption").text() == "That cannot be drawn."
    assert part(panel, GalleryView, "view").image() is not None


def test_mean_or_a_draw_is_the_windows_choice(panel, fake_controller):
    panel.findChild(QAbstractButton, "show_draw").click()
    assert fake_controller.is_drawing
    assert newest(fake_controller).recipe.draw
    seed = newest(fake_controller).recipe.seed
    panel.findChild(QAbstractButton, "draw_again").click()
    assert newest(fake_controller).recipe.seed == seed + 1
    fake_controller.set_drawing(False)
    assert not newest(fake_controller).recipe.draw
    assert panel.findChild(QAbstractButton, "show_mean").isChecked()


def test_export_hands_out_the_recipe_that_is_shown(panel, fake_controller, qtbot):
    shown = answer(fake_controller)
    with qtbot.waitSignal(panel.export_requested) as asked:
        part(panel, QAbstractButton, "export").click()
    assert asked.args == [shown.recipe]


def test_copy_puts_the_pictures_own_pixels_on_the_clipboard(panel, fake_controller):
    shown = answer(fake_controller)
    part(panel, QAbstractButton, "copy").click()
    image = QGuiApplication.clipboard().image()
    assert (image.height(), image.width()) == shown.picture.shape[:2]
    assert [image.pixelColor(20, 20).red(), image.pixelColor(0, 0).red()] == [shown.picture[20, 20, 0], 255]


def test_exports_show_their_progress_can_be_cancelled_and_say_how_they_ended(panel, fake_controller):
    bar = part(panel, QWidget, "jobs")
    job = fake_controller.export(panel.recipe, Path("grid.png"))
    fake_controller.handle(m.JobProgress(job, 0.4))
    assert bar.isVisible()
    assert part(panel, QAbstractButton, "jobs_cancel").toolTip()
    assert panel.minimumSizeHint().width() <= 560
    part(panel, QAbstractButton, "jobs_cancel").click()
    assert m.CancelJob(job) in fake_controller.sent
    fake_controller.handle(m.JobFailed(job, "Cancelled.", is_cancelled=True))
    assert not bar.isVisible()
    fake_controller.handle(m.JobProgress(job + 2, 0.4))
    assert not bar.isVisible(), "the job of another panel"
    job = fake_controller.export(panel.recipe, Path("grid.png"))
    fake_controller.handle(m.JobDone(job, Path("folder") / "grid.png", 1200))
    assert part(panel, QLabel, "caption").text() == "Written: grid.png, step 1,200"


@pytest.mark.parametrize("kind", ["manifold", "samples", "reconstructions", "interpolation", "traversal"])
def test_nothing_is_cut_off_in_a_low_dock(panel, fake_controller, qtbot, kind):
    def cut_off() -> list[str]:
        controls = [w for w in panel.findChildren(QWidget) if isinstance(w, QAbstractButton | QComboBox | NumberField)]
        return [
            w.objectName()
            for w in controls
            if w.isVisible()
            and (w.width() < w.minimumSizeHint().width() or w.visibleRegion().boundingRect() != w.rect())
        ]

    panel.resize(560, 210)
    choose(panel, "what", kind)
    qtbot.waitUntil(lambda: cut_off() == [])
