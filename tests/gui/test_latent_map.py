"""The latent map under the hand and the keyboard: what is pressed is exactly what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_opened
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.code_draw import draw_help
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.selecting import SelectionModel
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.number_field import NumberField

Open = Callable[..., FakeController]
LEFT, MIDDLE, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.NoButton


class Hand:
    """A mouse over a map, in pixels of the map."""

    def __init__(self, panel: LatentMapPanel) -> None:
        self.panel = panel
        self.port = panel.map.viewport()

    def send(self, kind: QEvent.Type, x: float, y: float, button: Qt.MouseButton) -> None:
        held = NONE if kind == QEvent.Type.MouseButtonRelease else button
        at = QPointF(x, y)
        cause = NONE if kind == QEvent.Type.MouseMove else button
        event = QMouseEvent(kind, at, self.port.mapToGlobal(at), cause, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self.port, event)

    def press(self, x: float, y: float, button: Qt.MouseButton = LEFT) -> None:
        self.send(QEvent.Type.MouseButtonPress, x, y, button)

    def move(self, x: float, y: float, button: Qt.MouseButton = LEFT) -> None:
        self.send(QEvent.Type.MouseMove, x, y, button)

    def release(self, x: float, y: float, button: Qt.MouseButton = LEFT) -> None:
        self.send(QEvent.Type.MouseButtonRelease, x, y, button)

    def click(self, x: float, y: float) -> None:
        self.press(x, y)
        self.release(x, y)

    def px(self, code: object) -> tuple[float, float]:
        """Return where a code lies, in pixels."""
        x, y = self.panel.map.frame().to_px(self.panel.latent.project(code)).tolist()  # type: ignore[arg-type]
        return x, y


def choose_axes(panel: LatentMapPanel, axes: tuple[int, int] | str) -> None:
    x, y = (panel.findChild(QComboBox, f"axis_{axis}") for axis in "xy")
    assert x is not None
    assert y is not None
    if isinstance(axes, tuple):
        y.setCurrentIndex(y.findData(axes[1]))
    x.setCurrentIndex(x.findData(axes[0] if isinstance(axes, tuple) else axes))


def open_panel(qtbot: QtBot, controller: FakeController) -> tuple[LatentMapPanel, Hand]:
    panel = LatentMapPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(800, 500)
    panel.show()
    qtbot.waitExposed(panel)
    while controller.answer_decodes(step=100):
        pass
    return panel, Hand(panel)


def child(panel: QWidget, name: str, kind: type = QToolButton) -> QWidget:
    found = panel.findChild(kind, name)
    assert isinstance(found, QWidget), name
    return found


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Selection, bool]]:
    """Every selection that is made, and whether it is final."""
    made: list[tuple[Selection, bool]] = []
    change = SelectionModel._change

    def record(self: SelectionModel, selection: Selection, is_final: bool) -> None:
        made.append((selection, is_final))
        change(self, selection, is_final)

    monkeypatch.setattr(SelectionModel, "_change", record)
    return made


def far_from_points(panel: LatentMapPanel) -> tuple[float, float]:
    """Return a pixel of the map with no point and no handle near it."""
    frame = panel.map.frame()
    at = (frame.left + 60.0, frame.top + 40.0)
    assert panel.map.cloud.raster.pick(frame, at, 8.0) is None
    return at


def test_a_press_looks_at_exactly_its_coordinates_at_once(
    qtbot: QtBot, open_fake_run: Open, places: list[tuple[Selection, bool]]
) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    at = far_from_points(panel)
    hand.press(*at)
    expected = np.array(panel.map.frame().to_view(*at), dtype=np.float32)
    np.testing.assert_array_equal(controller.selection.code, expected)
    assert [final for _, final in places] == [False]
    hand.release(*at)
    np.testing.assert_array_equal(controller.selection.code, expected)
    assert [final for _, final in places] == [False, True]
    assert controller.selection.image is None


def test_the_frame_agrees_with_what_the_plot_draws(qtbot: QtBot, open_fake_run: Open) -> None:
    panel, _ = open_panel(qtbot, open_fake_run())
    box = panel.map.getPlotItem().getViewBox()
    for at in (QPointF(100.0, 90.0), QPointF(700.0, 400.0)):
        drawn = box.mapSceneToView(at)
        assert panel.map.frame().to_view(at.x(), at.y()) == pytest.approx((drawn.x(), drawn.y()), abs=1e-9)


def test_a_drag_is_not_final_until_it_ends(
    qtbot: QtBot, open_fake_run: Open, places: list[tuple[Selection, bool]]
) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    x, y = far_from_points(panel)
    hand.press(x, y)
    for step in (10, 20, 30):
        hand.move(x + step, y + step)
    hand.release(x + 40, y + 40)
    assert [final for _, final in places] == [False, False, False, False, True]
    last = np.array(panel.map.frame().to_view(x + 40, y + 40), dtype=np.float32)
    np.testing.assert_array_equal(controller.selection.code, last)
    controller.select_back()
    assert np.array_equal(controller.selection.code, np.zeros(2)), "the way of the drag is not in the history"


@pytest.mark.parametrize(("offset", "is_picked"), [(0.0, True), (3.5, True), (4.6, False)])
def test_a_click_within_four_pixels_of_a_point_selects_its_image(
    qtbot: QtBot, open_fake_run: Open, offset: float, is_picked: bool
) -> None:
    controller = open_fake_run()
    _, hand = open_panel(qtbot, controller)
    lonely = replace(make_codes(40, 2, 101), loc=np.tile(np.float32([[2.0, -2.0]]), (40, 1)))
    lonely.loc[7] = (1.0, 2.0)
    controller.handle(lonely)
    x, y = hand.px(lonely.loc[7])
    hand.click(x + offset, y)
    assert controller.selection.image == (7 if is_picked else None)
    if is_picked:
        np.testing.assert_array_equal(controller.selection.code, lonely.loc[7])


def test_a_press_that_moves_on_does_not_pick(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    assert controller.codes is not None
    _, hand = open_panel(qtbot, controller)
    x, y = hand.px(controller.codes.loc[3])
    hand.press(x + 30, y)
    hand.move(x, y)
    hand.release(x, y)
    assert controller.selection.image is None


def test_a_point_is_painted_in_the_colour_of_its_class(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    for layer in ("rings", "path", "plane", "picture"):
        panel._tools.set_on(layer, False)
    codes = replace(make_codes(4, 2, 101), loc=np.float32([[-2, 2], [2, 2], [2, -2], [-2, -2]]))
    controller.handle(codes)
    image = panel.map.grab().toImage()
    theme = current_theme()
    for index in range(4):
        x, y = hand.px(codes.loc[index])
        seen, wanted = image.pixelColor(int(x), int(y)), QColor(theme.class_colour(index))
        parts = zip(seen.getRgb(), wanted.getRgb(), strict=True)
        assert all(abs(a - b) <= 16 for a, b in parts), (index, seen.name(), wanted.name())


def test_a_hidden_class_is_gone_and_cannot_be_picked(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    codes = replace(make_codes(4, 2, 101), loc=np.float32([[-2, 2], [2, 2], [2, -2], [-2, -2]]))
    controller.handle(codes)
    qtbot.mouseClick(child(panel, "legend_1", QWidget), LEFT)
    assert panel.map.cloud.raster.n_shown == 3
    hand.click(*hand.px(codes.loc[1]))
    assert controller.selection.image is None
    qtbot.keyClick(child(panel, "legend_1", QWidget), Qt.Key.Key_Space)
    hand.click(*hand.px(codes.loc[1]))
    assert controller.selection.image == 1
    qtbot.keyClick(child(panel, "legend_2", QWidget), Qt.Key.Key_Return)
    assert panel.map.cloud.raster.n_shown == 1, "Enter leaves a class alone"
    qtbot.keyClick(child(panel, "legend_2", QWidget), Qt.Key.Key_Return)
    assert panel.map.cloud.raster.n_shown == 4


def test_the_points_move_with_a_new_snapshot(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    before = panel.map.cloud.raster.points.copy()
    controller.handle(make_codes(40, 2, 200, seed=5))
    assert not np.array_equal(panel.map.cloud.raster.points, before)
    np.testing.assert_allclose(panel.map.cloud.raster.points, make_codes(40, 2, 200, seed=5).loc)
    assert "step 200" in panel._state.text()


def test_middle_drag_pans_and_space_drag_pans_without_selecting(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    before, code = panel.map.frame(), controller.selection.code
    hand.press(200, 200, MIDDLE)
    hand.move(250, 200, MIDDLE)
    hand.release(250, 200, MIDDLE)
    moved = panel.map.frame()
    assert moved.x_range[0] == pytest.approx(before.x_range[0] - 50 / before.scale[0], abs=1e-5)
    qtbot.keyPress(panel.map, Qt.Key.Key_Space)
    hand.press(200, 200)
    hand.move(150, 180)
    hand.release(150, 180)
    qtbot.keyRelease(panel.map, Qt.Key.Key_Space)
    assert panel.map.frame().x_range[0] == pytest.approx(before.x_range[0], abs=1e-5)
    assert panel.map.frame().y_range[0] == pytest.approx(before.y_range[0] - 20 / before.scale[1], abs=1e-5)
    np.testing.assert_array_equal(controller.selection.code, code)


def test_the_wheel_zooms_around_the_cursor_and_the_aspect_stays(qtbot: QtBot, open_fake_run: Open) -> None:
    panel, hand = open_panel(qtbot, open_fake_run())
    at = QPointF(300, 200)
    before = panel.map.frame()
    under = before.to_view(at.x(), at.y())
    event = QWheelEvent(
        at, hand.port.mapToGlobal(at), QPoint(), QPoint(0, 120), NONE, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(hand.port, event)
    after = panel.map.frame()
    assert after.to_view(at.x(), at.y()) == pytest.approx(under, abs=1e-6)
    assert after.scale[0] == pytest.approx(before.scale[0] * 1.2)
    assert after.scale[0] == pytest.approx(after.scale[1])


def test_the_view_follows_the_points_until_the_person_navigates(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    codes = make_codes(40, 2, 200)
    controller.handle(replace(codes, loc=codes.loc * 10))
    wide = panel.map.frame()
    assert wide.y_range[1] > 8
    panel.map.zoom(2.0)
    zoomed = panel.map.frame()
    controller.handle(replace(codes, loc=codes.loc * 100, step=300))
    assert panel.map.frame() == zoomed
    qtbot.keyClick(panel.map, Qt.Key.Key_0)
    assert panel.map.frame().y_range[1] > 80


def test_arrow_keys_move_the_selection_and_shift_moves_it_farther(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    scale = panel.map.frame().scale
    qtbot.keyClick(panel.map, Qt.Key.Key_Right)
    assert controller.selection.code.tolist() == pytest.approx([4 / scale[0], 0.0], rel=1e-5)
    qtbot.keyClick(panel.map, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert controller.selection.code.tolist() == pytest.approx([4 / scale[0], 40 / scale[1]], rel=1e-5)


def test_keys_set_the_ends_and_take_the_nearest_image(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    assert controller.codes is not None
    panel, _ = open_panel(qtbot, controller)
    target = controller.codes.loc[11]
    controller.select_code(target + np.float32(1e-3))
    qtbot.keyClick(panel.map, Qt.Key.Key_A)
    np.testing.assert_array_equal(controller.selection.end_a, target + np.float32(1e-3))
    qtbot.keyClick(panel.map, Qt.Key.Key_N)
    assert controller.selection.image == 11
    qtbot.keyClick(panel.map, Qt.Key.Key_B)
    np.testing.assert_array_equal(controller.selection.end_b, target)


def test_a_handle_is_dragged_and_a_click_on_it_looks_there(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, hand = open_panel(qtbot, controller)
    x, y = hand.px(controller.selection.end_a)
    code = controller.selection.code
    hand.press(x, y)
    hand.move(x - 40, y - 30)
    hand.release(x - 40, y - 30)
    expected = np.array(panel.map.frame().to_view(x - 40, y - 30), dtype=np.float32)
    np.testing.assert_array_equal(controller.selection.end_a, expected)
    np.testing.assert_array_equal(controller.selection.code, code)
    hand.click(x - 40, y - 30)
    np.testing.assert_array_equal(controller.selection.code, controller.selection.end_a)


def test_fields_select_a_code_and_show_it(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    field = child(panel, "map_1", NumberField)
    assert isinstance(field, NumberField)
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "0,25")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert controller.selection.code.tolist() == [0.0, 0.25]
    controller.select_code([1.5, -0.5])
    assert field.value() == -0.5


def test_images_are_found_by_index_by_class_and_by_bound(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    assert controller.codes is not None
    panel, _ = open_panel(qtbot, controller)
    index = child(panel, "find_index", NumberField)
    index.setFocus()
    index.selectAll()  # type: ignore[attr-defined]
    qtbot.keyClicks(index, "17")
    qtbot.keyClick(index, Qt.Key.Key_Return)
    assert controller.selection.image == 17
    elbo = controller.codes.elbo
    qtbot.mouseClick(child(panel, "find_best"), LEFT)
    assert controller.selection.image == int(np.argmax(elbo))
    qtbot.mouseClick(child(panel, "find_best"), LEFT)
    assert controller.selection.image == int(np.argsort(-elbo)[1]), "once more is the next best"
    qtbot.mouseClick(child(panel, "find_worst"), LEFT)
    assert controller.selection.image == int(np.argmin(elbo))
    panel._find._class.setCurrentIndex(panel._find._class.findData(2))
    controller.select_image(3)
    qtbot.mouseClick(child(panel, "find_next"), LEFT)
    assert controller.selection.image == 6, "labels go 0, 1, 2, 3 in turn"
    qtbot.mouseClick(child(panel, "find_previous"), LEFT)
    assert controller.selection.image == 2


def test_the_selected_image_has_its_ellipse_and_rings_are_the_prior(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    assert panel.map.over.overlay.ellipses == ()
    controller.select_image(5)
    inner, outer = panel.map.over.overlay.ellipses
    assert controller.codes is not None
    for n_sigma, outline in ((1, inner), (2, outer)):
        distance = np.linalg.norm(outline - controller.codes.loc[5], axis=1)
        np.testing.assert_allclose(distance, n_sigma * 0.2, rtol=1e-4)  # the fake scale is 0.2 in both dimensions
    radii = [np.linalg.norm(ring, axis=1) for ring in panel.map.over.overlay.rings]
    for sigma, radius in enumerate(radii, start=1):
        np.testing.assert_allclose(radius, sigma, rtol=1e-5)
    panel._tools.set_on("rings", False)
    assert panel.map.over.overlay.rings == ()


def test_an_autoencoder_has_no_prior_rings(qtbot: QtBot, open_fake_run: Open) -> None:
    panel, _ = open_panel(qtbot, open_fake_run(kind="autoencoder"))
    assert panel.map.over.overlay.rings == ()
    assert not child(panel, "layer_rings").isVisible()


def sample_of(codes: m.CodesSnapshot, n: int) -> m.CodesSnapshot:
    """Return the first n images of a snapshot."""
    return replace(
        codes, indices=codes.indices[:n], loc=codes.loc[:n], scale=codes.scale[:n], elbo=codes.elbo[:n],
        kl=codes.kl[:n], distortion=codes.distortion[:n], is_complete=False,
    )  # fmt: skip


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_an_image_outside_the_sample_has_the_ellipse_of_its_own_answer(
    qtbot: QtBot, open_fake_run: Open, latent_dim: int
) -> None:
    controller = open_fake_run(latent_dim=latent_dim)
    panel, _ = open_panel(qtbot, controller)
    controller.handle(sample_of(make_codes(40, latent_dim, 200), 5))
    controller.channel("image").encode(30)
    controller.select_image(30)
    assert panel.map.over.overlay.ellipses == ()
    controller.answer_encodes(step=200)
    inner, _ = panel.map.over.overlay.ellipses
    assert float(np.ptp(inner[:, 0])) == pytest.approx(0.2, rel=1e-2), "the scale of the answer is 0.1"
    if latent_dim == 1:
        np.testing.assert_allclose(inner[:, 1], -20.0)
    controller.select_image(3)
    inner, _ = panel.map.over.overlay.ellipses
    assert float(np.ptp(inner[:, 0])) == pytest.approx(0.4, rel=1e-2), "the snapshot comes first; its scale is 0.2"
    controller.select_code(controller.selection.code + 1)
    assert panel.map.over.overlay.ellipses == ()


def test_an_autoencoder_is_searched_by_its_reconstruction_loss(qtbot: QtBot, open_fake_run: Open) -> None:
    panel, _ = open_panel(qtbot, open_fake_run(kind="autoencoder"))
    best, worst = child(panel, "find_best"), child(panel, "find_worst")
    assert "lowest reconstruction loss" in best.toolTip()
    assert "highest reconstruction loss" in worst.accessibleName()
    open_fake_run()
    assert "highest ELBO" in best.toolTip()
    assert "lowest ELBO" in worst.toolTip()


def test_the_path_bends_where_the_selection_says_so(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    controller.set_end("a", [2.0, 0.0])
    controller.set_end("b", [0.0, 2.0])
    straight = panel.map.over.overlay.path
    controller.set_path("spherical")
    arc = panel.map.over.overlay.path
    assert straight is not None
    assert arc is not None
    middle = len(arc) // 2
    np.testing.assert_allclose(straight[middle], [1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), 2.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "has_rings", "figure", "drawn_from"),
    [
        ({}, True, "ELBO", "the prior p(z)"),
        ({"model.kind": "m2"}, True, "ELBO", "the prior p(z)"),
        ({"model.prior": "mixture"}, False, "ELBO", "the prior p(z)"),
        ({"model.prior": "vampprior"}, False, "ELBO", "the prior p(z)"),
        ({"model.kind": "m1m2"}, False, "ELBO", "the prior p(z)"),
        ({"model.kind": "autoencoder"}, False, "reconstruction loss", "box"),
    ],
)
def test_rings_are_those_of_a_standard_normal_prior_alone(
    qtbot: QtBot, open_fake_run: Open, settings: dict[str, str], has_rings: bool, figure: str, drawn_from: str
) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    opened = make_opened()
    controller.handle(replace(opened, config=opened.config.with_values(settings)))
    controller.handle(make_codes())
    controller.select_image(0)
    assert len(panel.map.over.overlay.rings) == 3 * has_rings
    assert panel._tools._toggles["rings"].isVisible() == has_rings
    assert figure in panel._find._best.toolTip()
    assert drawn_from in draw_help(controller)


class TestMoreDimensions:
    """Maps of more than two latent dimensions show planes; clicks stay in the plane through the selected code."""

    def test_a_click_changes_only_the_two_axes(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run(latent_dim=5)
        panel, hand = open_panel(qtbot, controller)
        start = np.float32([0.1, 0.2, 0.3, 0.4, 0.5])
        controller.select_code(start)
        choose_axes(panel, (3, 1))
        at = far_from_points(panel)
        hand.click(*at)
        x, y = panel.map.frame().to_view(*at)
        np.testing.assert_allclose(controller.selection.code, [0.1, y, 0.3, x, 0.5], rtol=1e-6)

    def test_a_click_on_main_directions_decodes_what_is_drawn_there(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run(latent_dim=5)
        panel, hand = open_panel(qtbot, controller)
        choose_axes(panel, "pca")
        controller.select_code([1.0, -1.0, 0.5, 0.2, 0.1])
        at = far_from_points(panel)
        hand.click(*at)
        np.testing.assert_allclose(
            panel.latent.project(controller.selection.code), panel.map.frame().to_view(*at), rtol=1e-4, atol=1e-5
        )

    def test_main_directions_do_not_flip_from_snapshot_to_snapshot(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run(latent_dim=5)
        panel, _ = open_panel(qtbot, controller)
        choose_axes(panel, "pca")
        before = panel.latent.points.copy()
        assert controller.codes is not None
        noise = np.random.default_rng(1).normal(size=controller.codes.loc.shape).astype(np.float32)
        controller.handle(replace(controller.codes, loc=controller.codes.loc + 0.01 * noise, step=150))
        assert float(np.abs(panel.latent.points - before).max()) < 0.5

    def test_two_equal_axes_give_way(self, qtbot: QtBot, open_fake_run: Open) -> None:
        panel, _ = open_panel(qtbot, open_fake_run(latent_dim=5))
        choose_axes(panel, (1, 2))
        panel._tools._x.setCurrentIndex(panel._tools._x.findData(2))
        assert panel.latent.basis.axes is not None
        assert panel.latent.basis.axes[0] == 2
        assert panel.latent.basis.axes[1] != 2


def test_one_latent_dimension_is_drawn_against_the_bound(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(latent_dim=1)
    assert controller.codes is not None
    panel, hand = open_panel(qtbot, controller)
    np.testing.assert_allclose(panel.map.cloud.raster.points[:, 1], controller.codes.elbo)
    at = far_from_points(panel)
    hand.click(*at)
    assert controller.selection.code.tolist() == pytest.approx([panel.map.frame().to_view(*at)[0]])
    assert panel.map.over.overlay.is_line


class TestPlane:
    """The decoded plane behind the points, on channel 'plane'."""

    def asked(self, controller: FakeController) -> list[m.Decode]:
        return [message for message in controller.sent if isinstance(message, m.Decode) and message.channel == "plane"]

    def test_pictures_lie_where_their_codes_are(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, hand = open_panel(qtbot, controller)
        for layer in ("points", "rings", "path", "picture"):
            panel._tools.set_on(layer, False)
        panel.map.plane.is_ink = False
        controller.handle(make_codes(40, 2, 101))
        assert len(self.asked(controller)) == 1
        controller.answer_decodes(step=101)  # brightness grows with the first coordinate
        image = panel.map.grab().toImage()
        greys = [image.pixelColor(*map(int, hand.px([x, 2.0]))).lightness() for x in (-3.0, 0.2, 3.0)]
        assert greys[0] + 40 < greys[1] < greys[2] - 40, greys

    def test_the_old_plane_stays_and_one_question_is_under_way(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, _ = open_panel(qtbot, controller)
        controller.handle(make_codes(40, 2, 101))
        first = self.asked(controller)
        assert len(first) == 1
        controller.handle(make_codes(40, 2, 102))
        controller.handle(make_codes(40, 2, 103))
        assert len(self.asked(controller)) == 1
        controller.answer_decodes(step=101)
        assert panel.map.plane.plane is not None
        again = self.asked(controller)
        assert len(again) == 1, "a newer snapshot had come meanwhile"
        while controller.answer_decodes(step=103):
            assert len(self.asked(controller)) <= 1
        assert self.asked(controller) == []

    def test_a_click_asks_for_no_new_plane_but_a_settled_zoom_does(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, hand = open_panel(qtbot, controller)
        controller.handle(make_codes(40, 2, 101))
        while controller.answer_decodes(step=101):
            pass
        hand.click(*far_from_points(panel))
        assert self.asked(controller) == []
        panel.map.zoom(4.0)
        qtbot.waitUntil(lambda: len(self.asked(controller)) == 1)

    def test_a_stored_plane_is_shown_without_a_question(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = LatentMapPanel(controller)
        qtbot.addWidget(panel)
        z = np.float32([[x, y] for y in (1, 0, -1) for x in (-1, 0, 1, 2)])
        controller.channel("plane").offer(m.Decoded("plane", 0, 90, z, np.ones((12, 1, 8, 8), np.float32)))
        plane = panel.map.plane.plane
        assert plane is not None
        assert plane.sheet is not None
        assert plane.sheet_extent == (-1.5, 2.5, -1.5, 1.5)
        controller.retell()  # for panels that are built later
        assert panel.map.plane.plane is plane
        open_fake_run()
        assert panel.map.plane.plane is None

    def test_its_step_is_told_when_it_is_not_that_of_the_points(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, _ = open_panel(qtbot, controller)
        assert panel._state.text() == "40 images · step 100"
        controller.handle(make_codes(40, 2, 12_000))
        assert panel._state.text() == "40 images · step 12,000 · plane of step 100"
        panel._tools.set_on("plane", False)
        assert "plane" not in panel._state.text()
        panel._tools.set_on("plane", True)
        controller.answer_decodes(step=12_000)
        assert panel._state.text() == "40 images · step 12,000"
        open_fake_run(step=5)
        assert panel._state.text() == "40 images · step 5"

    def test_switched_off_it_asks_nothing(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, _ = open_panel(qtbot, controller)
        panel._tools.set_on("plane", False)
        controller.take()
        controller.channel("plane").forget()
        controller.handle(make_codes(40, 2, 101))
        assert self.asked(controller) == []
        assert not panel.map.plane.isVisible()


def test_mean_or_draw_is_the_controllers(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel, _ = open_panel(qtbot, controller)
    qtbot.mouseClick(child(panel, "show_draw"), LEFT)
    assert controller.is_drawing
    controller.set_drawing(False)
    assert child(panel, "show_mean").isChecked()  # type: ignore[attr-defined]


def test_without_a_run_it_says_what_to_do_and_takes_presses(qtbot: QtBot, fake_controller: FakeController) -> None:
    panel, hand = open_panel(qtbot, fake_controller)
    assert panel._empty.isVisible()
    assert "Train" in panel._empty.text()
    hand.click(300, 200)
    for key in (Qt.Key.Key_N, Qt.Key.Key_0, Qt.Key.Key_Plus, Qt.Key.Key_Left):
        qtbot.keyClick(panel.map, key)
    panel.grab()


def test_every_control_has_a_name_and_a_tooltip(qtbot: QtBot, open_fake_run: Open) -> None:
    panel, _ = open_panel(qtbot, open_fake_run(latent_dim=3))
    for button in panel.findChildren(QToolButton):
        if button.isVisible():
            assert button.objectName(), button.text()
            assert button.toolTip(), button.objectName()
            assert button.accessibleName(), button.objectName()
