"""The Sweep panel: a list in the form, tiles of all models, keys, and the real engine behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeController, make_data
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine import messages as m
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.run import RunPanel
from vae_explorer.gui.panels.sweep import SweepPanel
from vae_explorer.gui.theme import apply_theme, current_theme
from vae_explorer.gui.widgets.config_form import list_words
from vae_explorer.gui.widgets.sweep_grid import LEAST_HALF, SweepGrid, plane_points
from vae_explorer.gui.widgets.sweep_plot import SweepPlot
from vae_explorer.runs.records import MetricRecord
from vae_explorer.sweep_config import configs_of

BETAS = (0.5, 1.0, 2.0, 4.0)
PATH = Path("runs") / "sweep"


def record(beta: float, step: int = 10) -> MetricRecord:
    kl, distortion = 4.0 / (beta + 1), 20.0 + beta
    return MetricRecord(
        step=step, epoch=1.0, time_s=1.0, split="held_out", distortion=distortion, loss=distortion + beta * kl,
        elbo=-(distortion + kl), kl=kl, beta=beta, learning_rate=1e-3,
    )  # fmt: skip


def open_fake(controller: FakeController, betas: tuple[float, ...] = BETAS, *, latent_dim: int = 2) -> None:
    controller.show_data(make_data(40))
    configs = configs_of(RunConfig().with_values({"model.latent_dim": latent_dim}), betas)
    paths = tuple(PATH / f"beta-{beta:g}" for beta in betas)
    controller.handle(m.SweepOpened(PATH, configs, paths, 10, (), tuple((record(beta),) for beta in betas)))
    controller.handle(m.SweepShown(1, ()))
    controller.handle(m.RunOpened(configs[1], paths[1], 10, False, (), 1234))
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(len(betas), 40, latent_dim)).astype(np.float32)
    units, steps = np.full(len(betas), latent_dim), np.full(len(betas), 10)
    controller.handle(m.SweepSnapshot(10, np.arange(40), loc, units, steps))


@pytest.fixture
def panel(qtbot: QtBot, fake_controller: FakeController) -> SweepPanel:
    panel = SweepPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.resize(720, 240)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def grid_of(panel: SweepPanel) -> SweepGrid:
    found = panel.findChild(SweepGrid, "sweep_grid")
    assert isinstance(found, SweepGrid)
    return found


def sentence_of(panel: SweepPanel) -> str:
    found = panel.findChild(QLabel, "sweep_sentence")
    assert isinstance(found, QLabel)
    return found.text()


def test_without_a_sweep_the_panel_says_how_to_begin_one(panel: SweepPanel, fake_controller: FakeController) -> None:
    empty = panel.findChild(QLabel, "sweep_empty")
    assert isinstance(empty, QLabel)
    assert empty.isVisible()
    open_fake(fake_controller)
    assert not empty.isVisible()
    fake_controller.handle(m.RunOpened(RunConfig(), Path("runs") / "other", 0, False, (), 1))
    assert empty.isVisible()


def test_keys_choose_a_tile_and_return_shows_it(panel: SweepPanel, fake_controller: FakeController) -> None:
    open_fake(fake_controller)
    grid = grid_of(panel)
    assert grid.selected == 1
    assert sentence_of(panel).startswith("β 1 · held-out elbo −23.00 at step 10 · kl 2.00")
    assert "2 of 2 active" in sentence_of(panel)
    QTest.keyClick(grid, Qt.Key.Key_End)
    assert grid.selected == 3
    assert sentence_of(panel).startswith("β 4")
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert fake_controller.take(m.ShowModel) == [m.ShowModel(3)]
    QTest.mouseDClick(grid, Qt.MouseButton.LeftButton, pos=grid.tile_rect(0).center())
    assert fake_controller.take(m.ShowModel) == [m.ShowModel(0)]
    fake_controller.handle(m.SweepShown(0, ()))
    assert grid.selected == 0


def test_the_chosen_run_is_opened_by_itself(panel: SweepPanel, fake_controller: FakeController) -> None:
    open_fake(fake_controller)
    asked: list[Path] = []
    panel.alone_requested.connect(asked.append)
    grid_of(panel).select(2)
    button = panel.findChild(QToolButton, "sweep_alone")
    assert isinstance(button, QToolButton)
    button.click()
    assert asked == [PATH / "beta-2"]


def test_maps_have_one_scale_until_each_is_to_have_its_own(panel: SweepPanel, fake_controller: FakeController) -> None:
    open_fake(fake_controller)
    grid, codes = grid_of(panel), fake_controller.sweeps.codes
    assert codes is not None
    wide = codes.loc.copy()
    wide[0] *= 10
    fake_controller.handle(m.SweepSnapshot(20, codes.indices, wide, codes.active_units, codes.steps))
    assert grid.half_side(0) == grid.half_side(3) > 10
    linked = panel.findChild(QToolButton, "sweep_linked")
    assert isinstance(linked, QToolButton)
    linked.click()
    assert grid.half_side(0) > 10
    assert LEAST_HALF <= grid.half_side(3) < 5


def test_points_have_the_colours_of_their_labels_in_both_themes(
    panel: SweepPanel, fake_controller: FakeController, qapp: object
) -> None:
    for theme in ("light", "dark"):
        apply_theme(qapp, theme)  # type: ignore[arg-type]
        open_fake(fake_controller)
        image = grid_of(panel).grab().toImage()
        found = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        assert {current_theme().class_colour(label) for label in range(4)} <= found
    apply_theme(qapp, "light")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [2, 8, 25, 32])
def test_tiles_fill_the_room_without_overlap(panel: SweepPanel, fake_controller: FakeController, n: int) -> None:
    open_fake(fake_controller, tuple(0.5 * (place + 1) for place in range(n)))
    grid = grid_of(panel)
    rects = [grid.tile_rect(place) for place in range(n)]
    assert all(grid.rect().contains(rect) for rect in rects)
    assert not any(a.intersects(b) for place, a in enumerate(rects) for b in rects[:place])
    assert min(min(rect.width(), rect.height()) for rect in rects) >= 30
    grid.grab()


def test_a_model_that_diverged_says_so(panel: SweepPanel, fake_controller: FakeController) -> None:
    open_fake(fake_controller)
    fake_controller.handle(m.SweepShown(1, (2,)))
    grid_of(panel).select(2)
    assert "diverged at step 11 and stands still" in sentence_of(panel)


def test_the_plot_has_the_newest_place_of_every_model(panel: SweepPanel, fake_controller: FakeController) -> None:
    open_fake(fake_controller)
    fake_controller.handle(m.SweepRecordsAdded(((3, record(9.0, step=20)),)))
    plot = panel.findChild(SweepPlot, "sweep_plot")
    assert isinstance(plot, SweepPlot)
    assert plot.places == [(20.5, 4 / 1.5), (21.0, 2.0), (22.0, 4 / 3), (29.0, 0.4)]


def test_the_two_dimensions_that_vary_most_are_drawn() -> None:
    loc = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32) * np.array([1, 9, 0.1, 5], np.float32)
    assert np.array_equal(plane_points(loc), loc[:, [1, 3]])
    assert np.array_equal(plane_points(loc[:, :1])[:, 0], loc[:, 0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.5, 1, 2, 4", ["0.5", "1", "2", "4"]),
        ("[0.5,1]", ["0.5", "1"]),
        ("0.5 1 2", ["0.5", "1", "2"]),
        ("0,5; 1; 2", ["0,5", "1", "2"]),
        ("1,2,4", ["1", "2", "4"]),
        ("0,5", None),
        ("4", None),
    ],
)
def test_a_list_is_told_from_a_number_with_a_comma(text: str, words: list[str] | None) -> None:
    assert list_words(text) == words


def type_beta(panel: RunPanel, text: str) -> QLineEdit:
    field = panel.findChild(QLineEdit, "objective.beta")
    assert isinstance(field, QLineEdit)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)
    return field


def test_a_list_in_the_form_trains_a_sweep(qtbot: QtBot, open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    panel = RunPanel(controller)
    qtbot.addWidget(panel)
    panel.show()
    field = type_beta(panel, "0.5, 1, 4")
    assert controller.sweeps.betas == (0.5, 1.0, 4.0)
    button = panel.findChild(QPushButton, "run_train")
    assert isinstance(button, QPushButton)
    assert (button.text(), button.isEnabled()) == ("Train new sweep", True)
    button.click()
    sweep, start = controller.take()
    assert isinstance(sweep, m.NewSweep)
    assert [config.objective.beta for config in sweep.configs] == [0.5, 1.0, 4.0]
    assert isinstance(start, m.Start)
    assert not controller.is_draft_new
    field = type_beta(panel, "1, 1")
    assert "twice" in field.toolTip()
    assert controller.sweeps.betas == (0.5, 1.0, 4.0)
    type_beta(panel, "3")
    assert controller.sweeps.betas is None
    assert controller.draft.objective.beta == 3.0


def test_a_sweep_that_cannot_be_is_refused_with_a_notice(open_fake_run: Callable[..., FakeController]) -> None:
    controller = open_fake_run()
    said: list[str] = []
    controller.noticed.connect(lambda text, level: said.append(text))
    controller.set_draft(controller.draft.with_values({"model.network": "conv"}))
    controller.sweeps.set_betas((0.5, 1.0))
    controller.press_train()
    assert "model.network=mlp only" in said[0]
    assert controller.take(m.NewSweep) == []


def test_a_sweep_in_the_real_window(qtbot: QtBot, engine_window: Explorer, tmp_path: Path) -> None:
    controller, window = engine_window.controller, engine_window.window
    config = RunConfig().with_values({"model.hidden": [16], "train.steps": 60, "train.device": "cpu"})
    controller.new_run(config, open_data(config.data))
    qtbot.waitUntil(lambda: controller.opened is not None, timeout=60_000)
    controller.sweeps.set_betas((0.5, 1.0, 4.0))
    controller.press_train()
    finished = lambda: controller.status.state is m.EngineState.FINISHED and controller.status.is_saved  # noqa: E731
    qtbot.waitUntil(lambda: controller.sweeps.opened is not None and finished(), timeout=60_000)
    opened = controller.sweeps.opened
    assert window.docks.panels.sweep.isVisible(), "a sweep is seen in this panel alone"
    assert controller.opened.run_path.name == "beta-1"
    qtbot.waitUntil(lambda: controller.sweeps.codes is not None and controller.sweeps.codes.step == 60, timeout=60_000)
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.is_complete, timeout=60_000)
    controller.show_model(2)
    qtbot.waitUntil(
        lambda: controller.opened.run_path.name == "beta-4" and controller.codes is not None, timeout=60_000
    )
    assert not controller.is_draft_new
    window.files.open_run(opened.run_paths[0])
    qtbot.waitUntil(lambda: controller.opened.run_path.name == "beta-0.5", timeout=60_000)
    assert controller.sweeps.opened is None
    window.files.open_path(opened.path)
    qtbot.waitUntil(lambda: controller.sweeps.opened is not None, timeout=60_000)
    assert controller.sweeps.betas == (0.5, 1.0, 4.0)
    qtbot.waitUntil(lambda: controller.opened.run_path.name == "beta-1", timeout=60_000)
    assert controller.status.step == 60
