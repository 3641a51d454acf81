"""The manifold as a map: tiles are asked for as they come into view, of one step, and shown where they belong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_data, make_opened, make_status
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.theme import DARK, LIGHT
from vae_explorer.gui.widgets.plane_layer import Plane, PlaneLayer, sight_of
from vae_explorer.gui.widgets.tile_cache import OVERHEAD_BYTES, PlaneKey, TileCache
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.mosaic import to_uint8
from vae_explorer.latent.tiles import GROUND_LEVELS, PICTURES, Piece, Pyramid, Tile, pieces

Open = Callable[..., FakeController]
KEY = PlaneKey(7, None, None, (0.0,))


def grey(value: int, side: int = 32) -> QImage:
    image = QImage(side, side, QImage.Format.Format_Grayscale8)
    image.fill(QColor(value, value, value))
    return image


class TestCache:
    """Tiles are kept in bounded memory, those looked at last for longest."""

    def test_its_memory_is_bounded_and_the_oldest_look_goes_first(self) -> None:
        one = 32 * 32 + OVERHEAD_BYTES
        cache = TileCache(limit_bytes=10 * one)
        for ix in range(10):
            cache.put(KEY, Tile(0, ix, 0), grey(ix))
        assert cache.n_bytes == 10 * one
        assert cache.find(KEY, Tile(0, 0, 0)) is not None
        assert cache.has(KEY, Tile(0, 1, 0)), "asking is not looking"
        cache.put(KEY, Tile(0, 10, 0), grey(1))
        cache.put(KEY, Tile(0, 10, 0), grey(2))
        assert [ix for ix in range(11) if not cache.has(KEY, Tile(0, ix, 0))] == [1]
        cache.put(KEY, Tile(1, 0, 0), grey(3, 64))
        assert cache.n_bytes <= 10 * one
        assert cache.has(KEY, Tile(0, 0, 0))
        assert not cache.has(KEY, Tile(0, 3, 0))

    def test_planes_are_kept_apart_and_those_of_other_steps_dropped(self) -> None:
        cache, tile = TileCache(), Tile(0, 0, 0)
        keys = [KEY, KEY._replace(label=2), KEY._replace(draw_seed=1), KEY._replace(place=(1.0,)), KEY._replace(step=8)]
        for value, key in enumerate(keys):
            cache.put(key, tile, grey(value))
        assert [cache.find(key, tile).pixelColor(0, 0).red() for key in keys] == list(range(5))  # type: ignore[union-attr]
        cache.keep_step(7)
        assert [cache.has(key, tile) for key in keys] == [True] * 4 + [False]
        assert cache.n_bytes == 4 * (32 * 32 + OVERHEAD_BYTES)
        cache.clear()
        assert (len(cache), cache.n_bytes) == (0, 0)


class TestLayer:
    """Pictures lie where their codes are, whichever level they come from."""

    FRAME = ViewFrame(20.0, 10.0, 400.0, 300.0, (-1.0, 3.0), (-1.5, 1.5))

    def painted(self, plane: Plane, frame: ViewFrame = FRAME, *, is_ink: bool = False, is_dark: bool = False) -> QImage:
        """Return what the layer paints on black, or on a white ground by daylight."""
        layer = PlaneLayer()
        layer.is_ink, layer.theme = is_ink, DARK if is_dark else LIGHT
        layer.set_plane(plane)
        image = QImage(440, 320, QImage.Format.Format_RGB32)
        image.fill(QColor("white") if is_ink and not is_dark else QColor("black"))
        painter = QPainter(image)
        painter.setClipRect(QRectF(frame.left, frame.top, frame.width, frame.height))
        layer.paint_layer(painter, frame, 1.0)
        painter.end()
        return image

    def red(self, image: QImage, frame: ViewFrame, x: float, y: float) -> int:
        px, py = frame.to_px([x, y]).tolist()
        return image.pixelColor(int(px), int(py)).red()

    def tiles(self, pyramid: Pyramid, levels: list[int], frame: ViewFrame = FRAME) -> dict[Tile, QImage]:
        """Tiles of some levels whose brightness is 40 a unit of x, in columns of a picture each."""
        made = {}
        for level in levels:
            for tile in pyramid.cover(level, sight_of(frame, pyramid)):
                x = pyramid.centres([tile])[: pyramid.shape[1], 0]
                row = np.repeat(np.clip(100 + 40 * x, 0, 255).astype(np.uint8), pyramid.image_shape[2])
                pixels = np.ascontiguousarray(np.tile(row, (pyramid.shape[0] * pyramid.image_shape[1], 1)))
                made[tile] = QImage(
                    pixels.data, pixels.shape[1], pixels.shape[0], pixels.shape[1], QImage.Format.Format_Grayscale8
                ).copy()
        return made

    @pytest.mark.parametrize("up", [0, 1, 2, -1, -2])
    def test_any_level_shows_the_same_places(self, up: int) -> None:
        pyramid = Pyramid((1, 8, 8))
        level = pyramid.level(sight_of(self.FRAME, pyramid))
        shown = self.tiles(pyramid, [level - up])
        image = self.painted(Plane(pyramid, shown.get))
        pitch = pyramid.pitch(level - up)[0]
        for x in (-0.9, 0.3, 1.1, 2.9):
            for y in (-1.4, 0.0, 1.4):
                centre = (np.floor(x / pitch) + 0.5) * pitch
                assert self.red(image, self.FRAME, x, y) == pytest.approx(0.6 * (100 + 40 * centre), abs=2)

    def test_neighbours_meet_without_gap_or_overlap(self) -> None:
        pyramid = Pyramid((1, 8, 8))
        frame = replace(self.FRAME, x_range=(-1.013, 2.987), y_range=(-1.507, 1.493))
        level = pyramid.level(sight_of(frame, pyramid))
        mixed = {tile: grey(200) for tile in self.tiles(pyramid, [level], frame) if tile.ix % 2}
        mixed |= {tile: grey(200) for tile in self.tiles(pyramid, [level - 2], frame)}
        image = self.painted(Plane(pyramid, mixed.get), frame)
        values = {image.pixelColor(x, y).red() for x in range(20, 420) for y in range(10, 310)}
        assert len(values) == 1, values

    def test_a_stored_sheet_is_seen_where_there_is_no_tile(self) -> None:
        pyramid = Pyramid((1, 8, 8))
        some = {tile: grey(250) for tile in self.tiles(pyramid, [2]) if tile.ix == 0}
        image = self.painted(Plane(pyramid, some.get, grey(100), (-0.5, 2.5, -0.6, 0.9)))
        assert self.red(image, self.FRAME, 0.7, 1.3) == pytest.approx(150, abs=2)
        assert self.red(image, self.FRAME, -0.3, 0.3) == pytest.approx(60, abs=2)
        assert self.red(image, self.FRAME, 2.4, -0.5) == pytest.approx(60, abs=2)
        assert self.red(image, self.FRAME, -0.8, 0.0) == 0
        assert self.red(image, self.FRAME, 2.0, -1.2) == 0

    @pytest.mark.parametrize("up", [0, 2, -1])
    def test_on_a_line_pictures_stand_along_the_lower_edge(self, up: int) -> None:
        pyramid = Pyramid((1, 8, 8), is_line=True)
        level = pyramid.level(sight_of(self.FRAME, pyramid))
        image = self.painted(Plane(pyramid, self.tiles(pyramid, [level - up]).get))
        height = pyramid.pitch(max(level, level - up))[0] * 100
        bottom = self.FRAME.top + self.FRAME.height
        assert all(image.pixelColor(x, int(bottom - height) + 2).red() > 30 for x in range(30, 410, 10))
        assert all(image.pixelColor(x, int(bottom - height) - 2).red() == 0 for x in range(30, 410, 10))

    def test_strokes_are_ink_by_daylight_and_light_by_night(self) -> None:
        pyramid = Pyramid((1, 8, 8))
        for value, is_dark, expected in ((255, False, 255 * (1 - 0.38)), (0, False, 255), (255, True, 255 * 0.55)):
            tiles = {tile: grey(value) for tile in self.tiles(pyramid, [1])}
            image = self.painted(Plane(pyramid, tiles.get), is_ink=True, is_dark=is_dark)
            assert self.red(image, self.FRAME, 0.5, 0.5) == pytest.approx(expected, abs=2)


def asked(controller: FakeController) -> list[m.Decode]:
    return [message for message in controller.sent if isinstance(message, m.Decode) and message.channel == "plane"]


def shown_panel(qtbot: QtBot, controller: FakeController, step: int = 100) -> LatentMapPanel:
    panel = LatentMapPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(800, 500)
    panel.show()
    qtbot.waitExposed(panel)
    fill(controller, step)
    return panel


def fill(controller: FakeController, step: int) -> int:
    """Answer until nothing more is asked for; returns the number of questions."""
    n = 0
    while controller.answer_decodes(step=step):
        n += 1
        assert n < 200
    return n


def drawn_in(panel: LatentMapPanel) -> list[Piece]:
    plane = panel.map.plane.plane
    assert plane is not None
    return list(pieces(plane.pyramid, sight_of(panel.map.frame(), plane.pyramid), lambda tile: bool(plane.find(tile))))


def present(panel: LatentMapPanel) -> tuple[int, set[int]]:
    """Return how many tiles the view lacks on its own level, and the levels of all that is drawn."""
    pyramid = panel.map.plane.plane.pyramid
    drawn, level = drawn_in(panel), pyramid.level(sight_of(panel.map.frame(), pyramid))
    lacking = sum(piece.source is None or piece.source.level != level for piece in drawn)
    return lacking, {piece.source.level for piece in drawn if piece.source is not None}


class TestAsking:
    """One question at a time, what is in view, of one step."""

    def test_standing_still_each_question_is_a_slice_and_tiles_are_shown_as_they_come(
        self, qtbot: QtBot, open_fake_run: Open
    ) -> None:
        controller = open_fake_run()
        panel = LatentMapPanel(controller)
        qtbot.addWidget(panel)
        panel.resize(800, 500)
        panel.show()
        qtbot.waitExposed(panel)
        pyramid = Pyramid(controller.data.shape)
        levels = []
        while questions := asked(controller):
            assert len(questions) == 1
            assert 0 < len(questions[0].z) <= m.SMALL_BATCH
            x = np.unique(np.round(questions[0].z[:PICTURES, 0].astype(np.float64), 5))
            levels.append(-round(float(np.log2(np.diff(x)[0]))))
            controller.answer_decodes(step=100)
            assert panel.map.plane.plane is not None
        own = pyramid.level(sight_of(panel.map.frame(), pyramid))
        assert levels[0] < own
        assert levels[-1] == own - GROUND_LEVELS, "around the view, for when it is moved"
        assert own in levels
        assert present(panel) == (0, {own})

    def test_zooming_in_keeps_the_coarse_tiles_until_the_finer_ones_are_there(
        self, qtbot: QtBot, open_fake_run: Open
    ) -> None:
        controller = open_fake_run()
        panel = shown_panel(qtbot, controller)
        _, (coarse,) = present(panel)
        panel.map.zoom(2.0)
        assert present(panel)[1] == {coarse}, "cropped, and no hole"
        assert fill(controller, 100) > 0
        assert present(panel) == (0, {coarse + 1})
        panel.map.zoom(0.5)
        assert asked(controller) == []
        assert present(panel) == (0, {coarse})

    def test_a_storm_of_zooms_has_one_question_under_way_and_asks_for_what_is_in_view_at_last(
        self, qtbot: QtBot, open_fake_run: Open
    ) -> None:
        controller = open_fake_run()
        panel = shown_panel(qtbot, controller)
        for _ in range(40):
            panel.map.zoom(1.2)
        for _ in range(30):
            panel.map.pan(13.0, -7.0)
        first = asked(controller)
        assert len(first) == 1
        controller.answer_decodes(step=100)
        frame, pitch = panel.map.frame(), panel.map.plane.plane.pyramid
        for _ in range(3):
            (question,) = asked(controller)
            xy = panel.latent.basis.project(question.z)
            reach = 4 * 2 * pitch.span(pitch.level(sight_of(frame, pitch)))[0]
            assert (xy[:, 0] > frame.x_range[0] - reach).all()
            assert (xy[:, 0] < frame.x_range[1] + reach).all()
            controller.answer_decodes(step=100)
        assert fill(controller, 100) < 100
        assert present(panel)[0] == 0

    def test_while_it_trains_a_view_is_one_question_a_snapshot_and_moving_it_asks_nothing(
        self, qtbot: QtBot, open_fake_run: Open
    ) -> None:
        controller = open_fake_run()
        panel = shown_panel(qtbot, controller)
        controller.handle(make_status(m.EngineState.RUNNING, 110))
        controller.handle(make_codes(40, 2, 110))
        (question,) = asked(controller)
        assert len(question.z) > m.SMALL_BATCH, "worked in slices within the budget of live views"
        controller.answer_decodes(step=117)
        assert asked(controller) == []
        assert panel._plane_step == 117
        assert present(panel)[0] == 0
        panel.map.zoom(2.0)
        assert asked(controller) == []
        qtbot.waitUntil(lambda: len(asked(controller)) == 1)
        assert present(panel)[0] > 0
        controller.answer_decodes(step=125)
        assert present(panel)[0] == 0
        controller.handle(make_codes(40, 2, 130))
        assert len(asked(controller)) == 1

    def test_two_steps_are_never_shown_together(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = shown_panel(qtbot, controller)
        old = panel.map.plane.plane
        some = next(piece.source for piece in drawn_in(panel))
        panel.map.zoom(2.0)  # a question of step 100 is on its way
        controller.handle(make_codes(40, 2, 101))
        controller.answer_decodes(step=101, value=1.0)
        assert panel._plane_step == 100, "one slice of the new step does not fill the view"
        assert panel.map.plane.plane.find(some).pixelColor(0, 0).red() < 128
        (question,) = asked(controller)
        assert len(question.z) > m.SMALL_BATCH
        controller.answer_decodes(step=101, value=1.0)
        assert panel._plane_step == 101
        assert present(panel)[0] == 0
        assert old.find(some) is None, "the weights have moved: what they decoded before is dropped"
        shown = panel.map.plane.plane
        sight = sight_of(panel.map.frame(), shown.pyramid)
        for tile in shown.pyramid.cover(shown.pyramid.level(sight), sight):
            assert shown.find(tile).pixelColor(0, 0).red() == 255

    def test_a_class_that_was_shown_before_is_shown_again_without_a_question(
        self, qtbot: QtBot, fake_controller: FakeController
    ) -> None:
        controller = fake_controller
        controller.show_data(make_data(40))
        controller.handle(make_opened(kind="m2"))
        controller.handle(make_codes())
        panel = shown_panel(qtbot, controller)
        plain = panel.map.plane.plane
        controller.set_label(2)
        assert panel.map.plane.plane is plain, "until the others are there"
        assert [question.label for question in asked(controller)] == [2]
        fill(controller, 100)
        assert panel.map.plane.plane is not plain
        controller.set_label(None)
        assert asked(controller) == []
        assert present(panel)[0] == 0

    def test_a_failed_question_ends_nothing(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = shown_panel(qtbot, controller)
        panel.map.zoom(2.0)
        (question,) = asked(controller)
        controller.take()
        controller.handle(m.RequestFailed("plane", question.id, "It was too much."))
        assert asked(controller) == []
        panel.map.pan(1.0, 0.0)
        fill(controller, 100)
        assert present(panel)[0] == 0

    def test_large_pictures_are_kept_as_large_as_they_are_seen(
        self, qtbot: QtBot, fake_controller: FakeController
    ) -> None:
        controller = fake_controller
        controller.show_data(make_data(4, (3, 200, 160)))
        controller.handle(make_opened())
        controller.handle(make_codes(4))
        panel = shown_panel(qtbot, controller)
        assert present(panel)[0] == 0
        plane = panel.map.plane.plane
        image = plane.find(drawn_in(panel)[0].source)
        height, width = plane.pyramid.kept_size
        assert (image.width(), image.height()) == (4 * width, 4 * height)
        assert image.width() * image.height() <= 16 * 128 * 128 * 1.02

    @pytest.mark.parametrize("latent_dim", [1, 5])
    def test_other_dimensions_have_tiles_too(self, qtbot: QtBot, open_fake_run: Open, latent_dim: int) -> None:
        controller = open_fake_run(latent_dim=latent_dim)
        panel = shown_panel(qtbot, controller)
        assert present(panel)[0] == 0
        code = np.linspace(0.5, 1.5, latent_dim)
        controller.select_code(code)
        assert asked(controller) == [], "what is decoded at the code itself comes first"
        if latent_dim > 2:
            questions: list[m.Decode] = []
            qtbot.waitUntil(lambda: bool(questions.extend(asked(controller)) or questions))
            assert len(questions) == 1, "the plane goes through the selected code"
            np.testing.assert_allclose(questions[0].z[:, 2:], np.tile(code[2:], (len(questions[0].z), 1)), rtol=1e-6)
        fill(controller, 100)
        panel.map.zoom(3.0)
        assert fill(controller, 100) > 0
        assert present(panel)[0] == 0


def open_digits(qtbot: QtBot, explorer: Explorer) -> LatentMapPanel:
    config = RunConfig().with_values(
        {"train.steps": 60, "train.batch_size": 32, "model.latent_dim": 2, "model.hidden": [24], "train.device": "cpu"}
    )
    explorer.controller.new_run(config, open_data(config.data))
    qtbot.waitUntil(lambda: explorer.controller.opened is not None, timeout=60_000)
    panel = explorer.window.findChild(LatentMapPanel, "latent_map_panel")
    assert panel is not None
    if not panel._feed.is_on:
        panel.findChild(QToolButton, "layer_plane").setChecked(True)
    return panel


def is_filled(panel: LatentMapPanel, step: int) -> bool:
    return panel._plane_step == step and present(panel)[0] == 0 and not panel._feed._pending


def test_on_the_real_engine_finer_tiles_come_into_view_and_go_with_the_weights(
    qtbot: QtBot, engine_window: Explorer
) -> None:
    controller = engine_window.controller
    panel = open_digits(qtbot, engine_window)
    qtbot.waitUntil(lambda: is_filled(panel, 0), timeout=60_000)
    _, (coarse,) = present(panel)
    panel.map.zoom(2.0)
    panel.map.zoom(2.0)
    qtbot.waitUntil(lambda: is_filled(panel, 0), timeout=60_000)
    _, (fine,) = present(panel)
    assert fine == coarse + 2
    plane = panel.map.plane.plane
    sight = sight_of(panel.map.frame(), plane.pyramid)
    tile = plane.pyramid.cover(fine, sight)[0]
    answers: list[m.Decoded] = []
    channel = controller.channel("test tiles")
    channel.answered.connect(answers.append)
    channel.decode(panel.latent.basis.lift(plane.pyramid.centres([tile])))
    qtbot.waitUntil(lambda: len(answers) == 1, timeout=60_000)
    assert answers[0].step == 0
    image = plane.find(tile)
    wanted = to_uint8(answers[0].images).reshape(4, 4, 8, 8).transpose(0, 2, 1, 3).reshape(32, 32)
    pixels = np.array([[image.pixelColor(x, y).red() for x in range(32)] for y in range(32)])
    assert np.abs(pixels - wanted.astype(int)).max() <= 1  # batches of other sizes may round otherwise
    controller.train()
    qtbot.waitUntil(lambda: controller.status.state is m.EngineState.FINISHED, timeout=60_000)
    qtbot.waitUntil(lambda: is_filled(panel, 60), timeout=60_000)
    assert plane.find(tile) is None
    assert panel.map.plane.plane.find(tile) is not None
