"""The true posterior on the latent map: the pixels lie where the mass is, and come and go with who asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from analytic import GaussianPosterior
from conftest import close_window
from fakes import FakeController, make_codes, make_status
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed
from vae_explorer.gui.panels.q_walk import QWalk
from vae_explorer.gui.theme import DARK, LIGHT, apply_theme
from vae_explorer.gui.widgets.heat import MOST_ALPHA, density_image, energy_image, heat_colour
from vae_explorer.gui.window_state import open_settings

Open = Callable[..., FakeController]
MODEL = GaussianPosterior()

_kept: list[LatentMapPanel] = []


@pytest.fixture(autouse=True)
def keep_panels() -> Iterator[None]:
    """Keep panels alive whose test looks at the controller only."""
    yield
    _kept.clear()


def open_map(qtbot: QtBot, controller: FakeController) -> LatentMapPanel:
    """Return the map with nothing on it but what a test switches on."""
    panel = LatentMapPanel(controller)
    _kept.append(panel)
    qtbot.addWidget(panel)
    panel.resize(800, 500)
    panel.show()
    qtbot.waitExposed(panel)
    for layer in ("points", "plane", "rings", "path", "picture"):
        panel._tools.set_on(layer, False)
    return panel


def look(panel: LatentMapPanel) -> Callable[[float, float], QColor]:
    """Paint the map; the function returned gives the colour at a code."""
    image, frame = panel.map.grab().toImage(), panel.map.frame()

    def colour(x: float, y: float) -> QColor:
        px = frame.to_px([x, y])
        return image.pixelColor(QPoint(round(float(px[0])), round(float(px[1]))))

    return colour


def mode_lightness(panel: LatentMapPanel) -> list[int]:
    """Lightness of the pixels around the mode, inside of the cross."""
    image = panel.map.grab().toImage()
    x, y = np.round(panel.map.frame().to_px(MODEL.mean)).astype(int).tolist()
    return [image.pixelColor(x + step, y + step).lightness() for step in (-2, -1, 0, 1, 2)]


def warmth(colour: QColor) -> int:
    """How much redder than blue; 0 on a neutral ground."""
    return colour.red() - colour.blue()


def inspected(controller: FakeController) -> list[int]:
    return [message.index for message in controller.sent if isinstance(message, m.Inspect)]


class TestColours:
    """One map of colours, for every eye and both grounds."""

    def test_lightness_falls_from_little_to_much_and_nothing_is_clear(self) -> None:
        lightness = [_luminance(heat_colour(share)) for share in np.linspace(0, 1, 21)]
        assert (np.diff(lightness) < 0).all()
        image = density_image(np.float32([[0.0, -1.4, -7.0, -np.inf]]))
        alphas = [image.pixelColor(x, 0).alphaF() for x in range(4)]
        assert alphas == pytest.approx([MOST_ALPHA, MOST_ALPHA * np.exp(-0.7), 0.0, 0.0], abs=0.01)

    @pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
    def test_the_densest_place_stands_out_of_either_ground(self, theme: object) -> None:
        ground = QColor(theme.surface)  # type: ignore[attr-defined]
        image = QImage(1, 1, QImage.Format.Format_RGB32)
        peak = density_image(np.float32([[0.0]])).pixelColor(0, 0)
        parts = [peak.alphaF() * a + (1 - peak.alphaF()) * b for a, b in zip(_rgb(peak), _rgb(ground), strict=True)]
        image.setPixelColor(0, 0, QColor.fromRgbF(*parts))
        assert _contrast(image.pixelColor(0, 0), ground) > 2.0

    def test_the_first_row_of_a_lattice_is_the_lowest(self) -> None:
        log_density = np.full((3, 2), -50.0, np.float32)
        log_density[0, 1] = 0.0
        image = density_image(log_density)
        assert image.pixelColor(1, 2).alphaF() == pytest.approx(MOST_ALPHA, abs=0.01)
        assert image.pixelColor(1, 0).alpha() == 0

    def test_energy_falls_in_terraces_towards_its_lowest_place(self) -> None:
        energy = np.float32([[0.5, 1.0, 1.4, 2.2, 4.0, 30.0, 5000.0]]) + 120
        image = energy_image(np.vstack([energy, energy]))
        middles = [image.pixelColor(round(x * (image.width() - 1) / 6), 5).alpha() for x in range(7)]
        assert middles[0] == middles[1] == middles[2], "all within a nat of the lowest place"
        assert middles[2] > middles[3] > middles[4] > middles[5] > middles[6] == 0

    def test_a_lattice_of_no_numbers_is_clear(self) -> None:
        nothing = np.full((2, 2), np.nan, np.float32)
        assert density_image(nothing).pixelColor(0, 0).alpha() == 0
        assert energy_image(nothing).pixelColor(0, 0).alpha() == 0


class TestLayers:
    """Toggles, keys, and what is painted where."""

    def test_the_heat_lies_where_the_mass_is(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        controller.select_code([-3.0, -3.0], image=6)  # the crosshair and q's ellipse stay out of the way
        panel._tools.set_on("posterior", True)
        MODEL.answer_all(controller)
        colour, (x, y) = look(panel), MODEL.mean
        assert warmth(colour(x + 0.2, y + 0.2)) > 60, "along the ridge"
        assert warmth(colour(x + 0.3, y - 0.3)) < 30, "across it there is less"
        assert warmth(colour(x + 2.0, y - 1.0)) == 0
        panel._tools.set_on("posterior", False)
        assert warmth(look(panel)(x + 0.2, y + 0.2)) == 0

    def test_the_energy_reaches_beyond_the_mass(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        panel._tools.set_on("energy", True)
        MODEL.answer_all(controller)
        x, y = MODEL.mean
        assert warmth(look(panel)(x + 0.9, y - 0.3)) > 5

    def test_the_mode_is_marked(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        controller.select_code([-3.0, -3.0], image=6)
        panel._tools.set_on("posterior", True)
        MODEL.answer_all(controller)
        assert min(mode_lightness(panel)) < 80

    def test_keys_switch_the_layers(self, qtbot: QtBot, open_fake_run: Open) -> None:
        panel = open_map(qtbot, open_fake_run())
        for key, layer in ((Qt.Key.Key_P, "posterior"), (Qt.Key.Key_E, "energy")):
            assert not panel._tools.is_on(layer)  # type: ignore[arg-type]
            qtbot.keyClick(panel.map, key)
            assert panel._tools.is_on(layer)  # type: ignore[arg-type]
            qtbot.keyClick(panel.map, key)
            assert not panel._tools.is_on(layer)  # type: ignore[arg-type]

    def test_it_is_asked_for_only_while_it_is_shown(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        assert inspected(controller) == []
        panel._tools.set_on("energy", True)
        assert inspected(controller) == [6]
        MODEL.answer_all(controller)
        panel._tools.set_on("energy", False)
        controller.select_image(7)
        assert inspected(controller) == []
        assert panel.map.posterior.shown is None, "that of another image is taken away"

    def test_it_comes_with_the_microscope_and_goes_with_it(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel, feed = open_map(qtbot, controller), PosteriorFeed.of(controller)
        feed.set_open(True)
        assert panel._tools.is_on("posterior")
        feed.set_open(False)
        assert not panel._tools.is_on("posterior")
        panel._tools.set_on("posterior", True)
        feed.set_open(True)
        feed.set_open(False)
        assert panel._tools.is_on("posterior"), "what the person had switched on stays on"

    def test_its_step_is_told_when_it_is_not_that_of_the_points(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        panel._tools.set_on("posterior", True)
        MODEL.answer_all(controller, step=100)
        assert "posterior" not in panel._state.text()
        controller.handle(make_status(m.EngineState.RUNNING, 12_000))
        controller.handle(make_codes(40, 2, 12_000))
        assert "posterior of step 100" in panel._state.text()

    @pytest.mark.parametrize(("latent_dim", "kind"), [(3, "vae"), (2, "autoencoder")])
    def test_it_is_offered_only_where_it_exists(
        self, qtbot: QtBot, open_fake_run: Open, latent_dim: int, kind: str
    ) -> None:
        controller = open_fake_run(latent_dim=latent_dim, kind=kind)
        panel = open_map(qtbot, controller)
        for name in ("layer_posterior", "layer_energy"):
            toggle = panel.findChild(QToolButton, name)
            assert isinstance(toggle, QWidget)
            assert not toggle.isVisible()
        qtbot.keyClick(panel.map, Qt.Key.Key_P)
        controller.select_image(6)
        assert not panel._tools.is_on("posterior")
        assert inspected(controller) == []

    def test_a_line_has_a_curve(self, qtbot: QtBot, open_fake_run: Open) -> None:
        model, controller = GaussianPosterior(1, correlation=0.0), open_fake_run(latent_dim=1)
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        controller.select_code([-3.0], image=6)
        panel._tools.set_on("posterior", True)
        panel._tools.set_on("energy", True)
        model.answer_all(controller)
        image, frame = panel.map.grab().toImage(), panel.map.frame()
        x = round(float(frame.to_px([float(model.mean[0]), 0.0])[0]))
        foot = round(frame.top + frame.height)
        assert warmth(image.pixelColor(x + 3, foot - 60)) > 30, "the curve"
        assert warmth(image.pixelColor(x + 3, foot - 6)) > 30, "the energy's strip"
        assert warmth(image.pixelColor(x - 200, foot - 60)) == 0


class TestImprovedQ:
    """The ellipse walks to its best on the map."""

    @pytest.mark.parametrize("latent_dim", [1, 2, 4])
    def test_the_ellipse_is_that_of_the_walk(self, qtbot: QtBot, open_fake_run: Open, latent_dim: int) -> None:
        model, controller = GaussianPosterior(latent_dim, correlation=0.3), open_fake_run(latent_dim=latent_dim)
        panel = open_map(qtbot, controller)
        controller.select_image(6)
        before = panel.map.over.overlay.ellipses[0]
        qtbot.keyClick(panel.map, Qt.Key.Key_I)
        model.answer_all(controller)
        walk = QWalk.of(controller)
        qtbot.waitUntil(lambda: not walk.is_under_way, timeout=5000)
        overlay, (loc, scale) = panel.map.over.overlay, model.best
        assert overlay.start is not None
        np.testing.assert_array_equal(overlay.start, before)
        x = overlay.ellipses[0][:, 0]
        assert (x.max() + x.min()) / 2 == pytest.approx(loc[0], abs=1e-3)
        assert (x.max() - x.min()) / 2 == pytest.approx(scale[0], rel=2e-3)
        panel.map.grab()
        qtbot.keyClick(panel.map, Qt.Key.Key_I)
        np.testing.assert_array_equal(panel.map.over.overlay.ellipses[0], before)
        assert panel.map.over.overlay.start is None


def test_another_theme_has_the_mode_in_its_own_colour(qtbot: QtBot, open_fake_run: Open, qapp: QApplication) -> None:
    controller = open_fake_run()
    panel = open_map(qtbot, controller)
    controller.select_image(6)
    controller.select_code([-3.0, -3.0], image=6)
    panel._tools.set_on("posterior", True)
    MODEL.answer_all(controller)
    try:
        apply_theme(qapp, "dark")
        qtbot.waitUntil(lambda: panel.map.posterior.theme.is_dark)
        assert max(mode_lightness(panel)) > 180
    finally:
        apply_theme(qapp, "light")
    qtbot.waitUntil(lambda: not panel.map.posterior.theme.is_dark)
    assert min(mode_lightness(panel)) < 80


def test_toggles_of_a_run_that_opens_before_the_window_have_its_theme(qtbot: QtBot, qapp: QApplication) -> None:
    """The demo run opens, and its toggles are polished, before the window is shown in the theme of last time."""
    apply_theme(qapp, "light")
    settings = open_settings()
    settings.setValue("window/theme", "dark")
    settings.sync()
    explorer = Explorer()
    try:
        explorer.open()
        explorer.window.show()
        for name, colour in (("rings", DARK.surface), ("posterior", DARK.raised)):
            toggle = explorer.window.findChild(QToolButton, f"layer_{name}")
            assert toggle.grab().toImage().pixelColor(8, 4) == QColor(colour), name
    finally:
        close_window(qtbot, explorer)
        apply_theme(qapp, "light")


def test_a_place_without_a_number_is_left_clear(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_map(qtbot, controller)
    controller.select_image(6)
    panel._tools.set_on("posterior", True)
    (ask,) = [message for message in controller.sent if isinstance(message, m.Inspect)]
    answer = MODEL.inspected(ask, 100)
    hole = answer.log_density.copy()
    hole[:5] = -np.inf
    controller.handle(replace(answer, log_density=hole))
    panel.map.grab()


def _rgb(colour: QColor) -> tuple[float, float, float]:
    return colour.redF(), colour.greenF(), colour.blueF()


def _luminance(colour: QColor) -> float:
    """Relative luminance as WCAG 2 has it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: QColor, other: QColor) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)
