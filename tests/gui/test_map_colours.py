"""The points of the map by class, by a figure or as a density: colours, legend, keys, the question for the gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_status
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QSlider, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.cloud_colours import ramp
from vae_explorer.gui.widgets.cloud_tools import CloudLook
from vae_explorer.gui.window_state import open_settings, restore_cloud_look, save_cloud_look

Open = Callable[..., FakeController]
NONE = Qt.MouseButton.NoButton


def open_panel(qtbot: QtBot, controller: FakeController) -> LatentMapPanel:
    panel = LatentMapPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(800, 500)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def choose(panel: LatentMapPanel, colour_by: str) -> None:
    box = panel.findChild(QComboBox, "colour_by")
    assert box is not None
    box.setCurrentIndex(box.findData(colour_by))


def hover(panel: LatentMapPanel, code: np.ndarray | None) -> None:
    port = panel.map.viewport()
    at = QPointF(2.0, 2.0) if code is None else QPointF(*panel.map.frame().to_px(code).tolist())
    kind = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(port, QMouseEvent(QEvent.Type.MouseMove, at, port.mapToGlobal(at), NONE, NONE, kind))


def at_corners(n: int = 4, **changes: object) -> m.CodesSnapshot:
    loc = np.float32([[-2, 2], [2, 2], [2, -2], [-2, -2]])
    return replace(make_codes(n, 2, 101), loc=loc[:n], **changes)


@pytest.mark.parametrize("colour_by", ["kl", "elbo"])
def test_points_are_coloured_by_a_figure_in_the_pixels_and_the_legend_has_its_ends(
    qtbot: QtBot, open_fake_run: Open, colour_by: str
) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    for layer in ("rings", "path", "plane", "picture"):
        panel._tools.set_on(layer, False)
    values = np.float32([1, 2, 3, np.nan])
    controller.handle(at_corners(**{colour_by: values}))
    choose(panel, colour_by)
    theme, colours = current_theme(), ramp(current_theme())
    image = panel.map.grab().toImage()
    for index, wanted in ((0, colours[0]), (1, colours[30]), (2, colours[-1]), (3, QColor(theme.muted))):
        x, y = panel.map.frame().to_px(panel.latent.points[index]).tolist()
        seen = image.pixelColor(int(x), int(y))
        parts = zip(seen.getRgb(), wanted.getRgb(), strict=True)
        assert all(abs(a - b) <= 16 for a, b in parts), (index, seen.name(), wanted.name())
    legend = panel.map.legend()
    assert legend is not None
    assert "nats per image" in legend.title
    assert legend.ends == ("≤ 1.02", "≥ 2.98")
    assert legend.unknown
    choose(panel, "class")
    assert panel.map.legend() is None
    assert panel.map.cloud.raster.colour_of(0) == QColor(theme.class_colour(0))


def test_hidden_classes_stay_hidden_in_every_colour_and_style(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    chip = panel.findChild(QWidget, "legend_1")
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    for colour_by in ("kl", "elbo", "gap", "density", "class"):
        choose(panel, colour_by)
        assert panel.map.cloud.raster.n_shown == 30
        controller.handle(make_codes(40, 2, 300))
        assert panel.map.cloud.raster.n_shown == 30
    panel._tools.set_on("density", True)
    assert panel.map.cloud.raster.n_shown == 30


def test_colours_follow_a_new_snapshot(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    choose(panel, "kl")
    controller.handle(at_corners(kl=np.float32([9, 1, 1, 1])))
    first = panel.map.cloud.raster.colour_of(0)
    controller.handle(at_corners(kl=np.float32([1, 9, 1, 1]), step=102))
    assert panel.map.cloud.raster.colour_of(1) == first == ramp(current_theme())[-1]


def test_keys_change_colours_density_and_size(qtbot: QtBot, open_fake_run: Open) -> None:
    panel = open_panel(qtbot, open_fake_run())
    seen = []
    for _ in range(5):
        qtbot.keyClick(panel.map, Qt.Key.Key_C)
        seen.append(panel.colours.look.colour_by)
    assert seen == ["kl", "elbo", "gap", "density", "class"]
    qtbot.keyClick(panel.map, Qt.Key.Key_D)
    assert panel.colours.look.is_density
    assert panel.map.cloud.raster.style == "density"
    panel.map.grab()
    legend = panel.map.legend()
    assert legend is not None
    assert legend.title.startswith("images in a cell of")
    before = panel.map.cloud.raster.radius_px
    qtbot.keyClick(panel.map, Qt.Key.Key_BracketRight)
    qtbot.keyClick(panel.map, Qt.Key.Key_BracketRight)
    assert panel.map.cloud.raster.radius_px == pytest.approx(before * 1.25**2)
    qtbot.keyClick(panel.map, Qt.Key.Key_BracketLeft)
    slider = panel.findChild(QSlider, "point_size")
    assert slider is not None
    assert slider.value() == 1
    qtbot.keyClick(panel.map, Qt.Key.Key_D)
    assert panel.map.cloud.raster.style == "points"


def test_the_overlay_repaints_without_the_cloud(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    panel.map.grab()
    painted = panel.map.cloud.raster.n_painted
    for place in (1, 2, 3):
        controller.select_image(place)
        hover(panel, panel.latent.points[place])
        panel.map.grab()
    assert panel.map.cloud.raster.n_painted == painted


def test_the_point_under_the_pointer_is_marked_and_named(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.handle(at_corners(kl=np.float32([1, 2, 3, 4])))
    choose(panel, "kl")
    hover(panel, panel.latent.points[2])
    assert panel.map.marks.hovered == 2
    assert panel._state.text() == "image 2 · class 2 · KL 3.00"
    assert panel.map.viewport().cursor().shape() == Qt.CursorShape.PointingHandCursor
    hover(panel, None)
    assert panel.map.marks.hovered is None
    assert "step 101" in panel._state.text()
    controller.select_image(1)
    assert panel.map.marks.selected == 1
    controller.select_code([0.5, 0.5])
    assert panel.map.marks.selected is None


def test_what_moves_under_a_pointer_that_stands_still_is_marked_anew(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.handle(at_corners())
    hover(panel, panel.latent.points[2])
    assert panel.map.marks.hovered == 2
    panel.map.pan(-100.0, 0.0)
    qtbot.waitUntil(lambda: panel.map.marks.hovered is None)
    assert panel.map.viewport().cursor().shape() == Qt.CursorShape.CrossCursor
    assert "step 101" in panel._state.text()
    hover(panel, panel.latent.points[2])
    assert panel.map.marks.hovered == 2
    panel.map.set_hidden(frozenset([2]))
    assert panel.map.marks.hovered is None


def test_gaps_are_asked_for_in_parts_while_training_rests(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(n=2500)
    panel = open_panel(qtbot, controller)
    controller.handle(make_status(m.EngineState.RUNNING))
    controller.take()
    choose(panel, "gap")
    assert controller.take(m.EstimateGaps) == []
    legend = panel.map.legend()
    assert legend is not None
    assert "pauses" in legend.unknown
    controller.handle(make_status(m.EngineState.PAUSED))
    asked = answer_gaps(controller)
    assert len(asked) == 1000
    assert asked[0] == 0
    assert asked[-1] > 1500, "spread over all images"
    assert panel.colours.values is not None
    assert np.isfinite(panel.colours.values).sum() == 1000
    np.testing.assert_allclose(panel.colours.values[asked], asked / 100, rtol=1e-6)
    answer_gaps(controller)
    answer_gaps(controller)
    np.testing.assert_allclose(panel.colours.values, np.arange(2500) / 100, rtol=1e-6)
    assert controller.take(m.EstimateGaps) == []
    legend = panel.map.legend()
    assert legend is not None
    assert "64 codes" in legend.title
    assert legend.unknown == ""
    controller.handle(make_codes(2500, 2, 101))
    assert np.isnan(panel.colours.values).all(), "gaps of another step are not shown"


def answer_gaps(controller: FakeController) -> np.ndarray:
    """Answer the one question for gaps that was sent, a gap of index / 100 nats; return its images."""
    (ask,) = controller.take(m.EstimateGaps)
    assert isinstance(ask, m.EstimateGaps)
    gap = (ask.indices / 100).astype(np.float32)
    controller.handle(m.GapsEstimated(ask.channel, ask.id, 100, ask.indices, gap, ask.samples))
    return ask.indices


def test_an_autoencoder_has_no_figures_and_no_gap_is_asked(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(kind="autoencoder")
    unknown = np.full(40, np.nan, np.float32)
    controller.handle(replace(make_codes(40, 2, 101), kl=unknown, elbo=unknown))
    panel = open_panel(qtbot, controller)
    for colour_by in ("kl", "elbo", "gap"):
        choose(panel, colour_by)
        legend = panel.map.legend()
        assert legend is not None
        assert legend.scale is None
        assert legend.unknown == "not known"
    assert controller.take(m.EstimateGaps) == []


def test_the_look_is_remembered_and_a_damaged_one_is_the_first(qtbot: QtBot, engine_window: Explorer) -> None:
    panel = engine_window.window.docks.panels.map
    assert panel.colours.look == CloudLook()
    look = CloudLook("elbo", True, -2)
    panel.colours.set_look(look)
    assert restore_cloud_look(open_settings()) == look
    settings = open_settings()
    for damaged in ("nothing", "99", b"\x00", None):
        for name in ("colour_by", "is_density", "size_step"):
            settings.setValue(f"map/{name}", damaged)
        assert restore_cloud_look(settings) == CloudLook()
    save_cloud_look(settings, look)
    engine_window.window.view.restore()
    assert panel.colours.look == look


def test_the_demo_run_is_coloured_by_its_gaps(qtbot: QtBot, engine_window: Explorer) -> None:
    engine_window.open()
    controller, panel = engine_window.controller, engine_window.window.docks.panels.map
    qtbot.waitUntil(lambda: controller.status is not None and controller.codes is not None, timeout=60_000)
    choose(panel, "gap")

    def is_known() -> bool:
        return panel.colours.values is not None and bool(np.isfinite(panel.colours.values).all())

    qtbot.waitUntil(is_known, timeout=60_000)
    assert panel.colours.values is not None
    assert 0 < panel.colours.values.mean() < 2
