"""Beside: the autoencoder's own map, linked with the VAE's selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_data, make_opened, make_status
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.config import RunConfig
from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.beside import BesidePanel
from vae_explorer.gui.panels.beside_map import BesideMap
from vae_explorer.gui.widgets.picture import PictureView

Open = Callable[..., FakeController]

_kept: list[BesidePanel] = []


@pytest.fixture(autouse=True)
def keep_panels() -> Iterator[None]:
    """Keep panels alive whose test looks at the controller only."""
    yield
    _kept.clear()


def open_panel(qtbot: QtBot, controller: FakeController) -> BesidePanel:
    panel = BesidePanel(controller)
    _kept.append(panel)
    qtbot.addWidget(panel)
    panel.resize(700, 220)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def companion_codes(n: int = 40, step: int = 100, *, latent_dim: int = 2, seed: int = 5) -> m.CodesSnapshot:
    """Codes far from a prior: two islands, without scale, kl and bound."""
    codes = make_codes(n, latent_dim, step, seed=seed)
    nothing = np.full(n, np.nan, np.float32)
    loc = codes.loc + np.where(np.arange(n) % 2, 20.0, 0.0)[:, None].astype(np.float32)
    return replace(
        codes, loc=loc, scale=0 * codes.scale, kl=nothing, elbo=nothing, kl_per_dim=None, of="companion"
    )  # fmt: skip


def switch_on(controller: FakeController, panel: BesidePanel, codes: m.CodesSnapshot | None = None) -> m.CodesSnapshot:
    shown = companion_codes() if codes is None else codes
    toggle(panel).click()
    controller.handle(make_status(companion_step=shown.step))
    controller.handle(shown)
    return shown


def toggle(panel: QWidget) -> QToolButton:
    found = panel.findChild(QToolButton, "beside_toggle")
    assert isinstance(found, QToolButton)
    return found


def text(panel: QWidget, name: str) -> str:
    found = panel.findChild(QLabel, f"beside_{name}")
    assert isinstance(found, QLabel), name
    return found.text()


def picture(panel: QWidget, name: str) -> PictureView:
    found = panel.findChild(PictureView, f"beside_{name}")
    assert isinstance(found, PictureView), name
    return found


def the_map(panel: QWidget) -> BesideMap:
    found = panel.findChild(BesideMap)
    assert isinstance(found, BesideMap)
    return found


def asked(controller: FakeController, of: str) -> list[m.Decode]:
    return [ask for ask in controller.sent if isinstance(ask, m.Decode) and ask.of == of]


def test_the_toggle_trains_one_and_lets_it_go(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    assert "Train an autoencoder beside" in text(panel, "empty")
    toggle(panel).click()
    assert controller.take(m.SetCompanion) == [m.SetCompanion(True)]
    assert "on its way" in text(panel, "empty")
    controller.handle(make_status(companion_step=1200))
    controller.handle(companion_codes(step=1200))
    assert not panel.findChild(QLabel, "beside_empty").isVisible()
    assert text(panel, "state").startswith("step 1,200 · distortion 14.8")
    assert "(VAE 15." in text(panel, "state")
    controller.handle(replace(make_codes(step=1200), distortion=np.full(40, 7.25, np.float32)))
    assert "(VAE 7.25)" in text(panel, "state")
    qtbot.waitUntil(lambda: text(panel, "holes") != "")
    toggle(panel).click()
    assert controller.take(m.SetCompanion) == [m.SetCompanion(False)]
    assert text(panel, "state") == text(panel, "holes") == ""


def test_it_says_how_much_is_hole(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(n=400)
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel, companion_codes(400))
    qtbot.waitUntil(lambda: text(panel, "holes") != "")
    box, prior = (int(line.partition("\N{NO-BREAK SPACE}")[0]) for line in text(panel, "holes").splitlines())
    assert box > 60, "the islands fill little of their box"
    assert prior < 25, "the codes were drawn from the prior"


def test_a_learnt_prior_is_not_taken_for_the_standard_normal(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    opened = make_opened()
    config = opened.config.with_values({"model.prior": "mixture"})
    controller.handle(replace(opened, config=config))
    controller.handle(make_codes())
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel)
    qtbot.waitUntil(lambda: text(panel, "holes") != "")
    assert "VAE" not in text(panel, "holes")


def test_an_image_that_is_picked_anywhere_is_marked_and_made_by_both(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    codes = switch_on(controller, panel)
    controller.sent.clear()
    the_map(panel).picked.emit(7)
    assert controller.selection.image == 7
    assert np.array_equal(the_map(panel).place, codes.loc[7])
    assert np.array_equal(asked(controller, "companion")[-1].z[0], codes.loc[7])
    assert np.array_equal(asked(controller, "run")[-1].z[0], controller.codes.loc[7])
    controller.select_image(9)
    assert np.array_equal(the_map(panel).place, codes.loc[9])
    controller.answer_decodes()
    assert picture(panel, "image").has_image
    assert not picture(panel, "image").is_generated
    assert all(picture(panel, name).has_image for name in ("vae", "autoencoder"))


def test_an_image_outside_the_snapshot_is_encoded_first(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    whole = companion_codes()
    names = ("indices", "loc", "scale", "elbo", "kl", "distortion")
    switch_on(controller, panel, replace(whole, is_complete=False, **{k: getattr(whole, k)[::2] for k in names}))
    controller.select_image(7)
    (ask,) = [ask for ask in controller.take(m.Encode) if ask.of == "companion"]
    loc, one = np.array([[3.0, 4.0]], np.float32), np.ones(1, np.float32)
    image = np.zeros((1, 1, 8, 8), np.float32)
    controller.handle(m.Encoded(ask.channel, ask.id, 100, ask.indices, loc, 0 * loc, None, one, one, one, one, image))
    assert the_map(panel).place.tolist() == [3.0, 4.0]
    assert asked(controller, "companion")[-1].z.tolist() == [[3.0, 4.0]]


def test_a_press_elsewhere_is_decoded_there_and_is_of_no_image(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel)
    controller.select_image(7)
    code = controller.selection.code
    controller.sent.clear()
    plot = the_map(panel)
    between = plot.frame().to_px(np.array([10.0, 10.0])).astype(int).tolist()
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(*between))
    for ask in asked(controller, "companion"):
        np.testing.assert_allclose(ask.z[0], [10.0, 10.0], atol=0.3)
    assert asked(controller, "companion")
    assert controller.selection.image is None
    assert np.array_equal(controller.selection.code, code)
    assert not picture(panel, "image").has_image


def test_everything_goes_by_the_keyboard(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    codes = switch_on(controller, panel)
    plot = the_map(panel)
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    first = plot.place.copy()
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    place = plot.place.copy()
    assert place[0] > first[0]
    qtbot.keyClick(plot, Qt.Key.Key_N)
    nearest = int(np.linalg.norm(codes.loc - place, axis=1).argmin())
    assert controller.selection.image == nearest


def test_while_it_is_hidden_it_asks_nothing(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel)
    controller.select_image(7)
    panel.hide()
    controller.sent.clear()
    controller.handle(replace(make_codes(step=101)))
    controller.handle(companion_codes(step=101, seed=6))
    controller.select_image(9)
    assert not asked(controller, "companion") + asked(controller, "run")
    panel.show()
    assert asked(controller, "companion")
    assert asked(controller, "run")


def test_newer_weights_move_the_mark_and_are_decoded(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel)
    controller.select_image(7)
    controller.answer_decodes()
    newer = companion_codes(step=101, seed=6)
    controller.handle(newer)
    assert np.array_equal(asked(controller, "companion")[-1].z[0], newer.loc[7])


@pytest.mark.parametrize(
    ("kind", "says", "is_enabled"), [("autoencoder", "autoencoder itself", False), ("m2", "Press", True)]
)
def test_what_cannot_be_is_said(qtbot: QtBot, open_fake_run: Open, kind: str, says: str, is_enabled: bool) -> None:
    controller = open_fake_run(kind=kind)
    panel = open_panel(qtbot, controller)
    assert says in text(panel, "empty")
    assert toggle(panel).isEnabled() is is_enabled


def test_without_a_model_it_says_what_to_do(qtbot: QtBot, fake_controller: FakeController) -> None:
    panel = open_panel(qtbot, fake_controller)
    assert "Open a run" in text(panel, "empty")
    assert not toggle(panel).isEnabled()


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_other_dimensions_are_shown_too(qtbot: QtBot, open_fake_run: Open, latent_dim: int) -> None:
    controller = open_fake_run(latent_dim=latent_dim)
    panel = open_panel(qtbot, controller)
    codes = switch_on(controller, panel, companion_codes(latent_dim=latent_dim))
    the_map(panel).picked.emit(3)
    assert np.array_equal(the_map(panel).place, codes.loc[3])
    the_map(panel).touched.emit(0.5, 0.5, True)
    assert asked(controller, "companion")[-1].z.shape == (1, latent_dim)


def test_another_run_forgets_the_companion(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    switch_on(controller, panel)
    controller.select_image(7)
    controller.handle(make_opened(latent_dim=3))
    assert not toggle(panel).isChecked()
    assert the_map(panel).place is None
    assert "Press" in text(panel, "empty")


def test_with_the_engine_both_maps_agree(qtbot: QtBot, engine_window: Explorer) -> None:
    controller, window = engine_window.controller, engine_window.window
    config = RunConfig().with_values({"model.hidden": [16], "train.steps": 60, "train.device": "cpu"})
    controller.new_run(config, make_data(200))
    window.docks.by_name["beside"].raise_()
    panel = window.docks.panels.beside
    qtbot.waitUntil(panel.isVisible)
    qtbot.waitUntil(lambda: controller.opened is not None and toggle(panel).isEnabled(), timeout=30_000)
    toggle(panel).click()
    controller.train()
    qtbot.waitUntil(
        lambda: controller.companion_codes is not None and controller.companion_codes.step == 60, timeout=60_000
    )
    the_map(panel).picked.emit(11)
    qtbot.waitUntil(lambda: picture(panel, "autoencoder").has_image and picture(panel, "vae").has_image)
    assert controller.selection.image == int(controller.companion_codes.indices[11])
