"""The Bound microscope: what it asks and when, and that its figures are those of a posterior that is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from analytic import GaussianPosterior
from fakes import FakeController, make_codes, make_data, make_opened, make_status
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QMainWindow, QPushButton, QStackedLayout, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.actions import WindowActions
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.bound import SAMPLES, TRAINING_SAMPLES, BoundPanel
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed
from vae_explorer.gui.panels.q_walk import QWalk, q_at
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.tool_bar import RunToolBar
from vae_explorer.gui.widgets.bound_bar import BoundBar, ruler_span
from vae_explorer.gui.widgets.bound_ladder import BoundLadder
from vae_explorer.gui.widgets.bound_reading import BoundReading, error_text, plain_nats
from vae_explorer.gui.widgets.figure import Figure

Open = Callable[..., FakeController]
MODEL = GaussianPosterior()
RUNNING = m.EngineState.RUNNING


_kept: list[BoundPanel] = []


@pytest.fixture(autouse=True)
def keep_panels() -> Iterator[None]:
    """Keep panels alive whose test looks at the controller only."""
    yield
    _kept.clear()


def open_panel(qtbot: QtBot, controller: FakeController) -> BoundPanel:
    panel = BoundPanel(controller)
    _kept.append(panel)
    qtbot.addWidget(panel)
    panel.resize(700, 206)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def text(panel: QWidget, name: str) -> str:
    found = panel.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


def figures(panel: QWidget) -> list[str]:
    return [text(panel, f"bound_{name}") for name in ("log_px", "elbo", "amortisation", "family")]


def button(panel: QWidget) -> QPushButton:
    found = panel.findChild(QPushButton, "bound_improve")
    assert isinstance(found, QPushButton)
    return found


def asked(controller: FakeController, kind: type) -> list[m.Message]:
    return [message for message in controller.sent if isinstance(message, kind)]


def inspected(controller: FakeController) -> list[tuple[int, bool]]:
    return [(ask.index, ask.is_fine) for ask in asked(controller, m.Inspect)]  # type: ignore[union-attr]


class TestQuestions:
    """Coarse before fine, only for whom it may concern, and no more often than it can be looked at."""

    def test_a_first_look_then_the_figures_then_the_best_q(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        open_panel(qtbot, controller)
        assert MODEL.answer(controller) == [], "no image is selected"
        controller.select_image(6)
        assert inspected(controller) == [(6, False)]
        MODEL.answer(controller)
        assert inspected(controller) == [(6, True)]
        assert asked(controller, m.Improve) == asked(controller, m.Climb) == [], "the figures come first"
        MODEL.answer(controller)
        (climb,) = asked(controller, m.Climb)
        assert (climb.index, climb.samples) == (6, SAMPLES)  # type: ignore[union-attr]
        assert [ask.index for ask in asked(controller, m.Improve)] == [6]  # type: ignore[union-attr]
        MODEL.answer_all(controller)
        controller.handle(make_status(step=100))
        controller.handle(make_codes(40, 2, 100))
        assert MODEL.answer(controller) == [], "nothing has moved"

    def test_nothing_is_asked_while_it_cannot_be_seen(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        panel.hide()
        controller.select_image(6)
        controller.handle(make_status(step=101))
        assert MODEL.answer(controller) == []
        panel.show()
        assert inspected(controller) == [(6, False)]

    def test_training_gets_a_coarse_look_now_and_then(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.handle(make_status(RUNNING, 100))
        controller.select_image(6)
        for step in range(101, 140):
            controller.handle(make_status(RUNNING, step))
            controller.handle(make_codes(40, 2, step))
        assert inspected(controller) == [(6, False)]
        (climb,) = asked(controller, m.Climb)
        assert climb.samples == TRAINING_SAMPLES  # type: ignore[union-attr]
        MODEL.answer(controller, step=100)
        assert inspected(controller) == [], "the next look waits for its time"
        assert "step 100" in text(panel, "bound_caption")
        assert "coarse" in text(panel, "bound_caption")
        qtbot.waitUntil(lambda: inspected(controller) == [(6, False)])
        assert asked(controller, m.Improve) == []

    def test_while_training_the_ladder_is_asked_for_beside_a_look_at_the_same_weights(
        self, qtbot: QtBot, open_fake_run: Open
    ) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        ladder = panel.findChild(BoundLadder)
        assert isinstance(ladder, BoundLadder)
        controller.handle(make_status(RUNNING, 100))
        controller.select_image(6)
        looks, climbs = asked(controller, m.Inspect), asked(controller, m.Climb)
        assert controller.sent.index(climbs[0]) == controller.sent.index(looks[0]) + 1
        MODEL.answer(controller, step=100)
        assert ladder._exact.isVisible()
        controller.handle(make_status(RUNNING, 150))
        qtbot.waitUntil(lambda: inspected(controller) == [(6, False)])
        assert asked(controller, m.Climb) == [], "a ladder takes its time"
        MODEL.answer(controller, step=150)
        assert "step 150" in text(panel, "bound_caption")
        assert ladder._exact.isVisible(), "the ladder of step 100 has the exact value of step 100"
        controller.handle(MODEL.climbed(m.Climb("bound ladder", 99, 6, TRAINING_SAMPLES), 175))
        assert not ladder._exact.isVisible(), "no exact value is known of the weights of this ladder"

    def test_another_image_is_asked_for_at_once(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        open_panel(qtbot, controller)
        controller.handle(make_status(RUNNING, 100))
        controller.select_image(6)
        controller.select_image(7)
        assert [index for index, _ in inspected(controller)] == [6, 7]

    def test_once_it_stands_still_the_figures_follow(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.handle(make_status(RUNNING, 100))
        controller.select_image(6)
        MODEL.answer(controller, step=100)
        controller.handle(make_status(m.EngineState.PAUSED, 140))
        done = MODEL.answer_all(controller, step=140)
        kinds = [(type(ask).__name__, getattr(ask, "is_fine", None)) for ask in done]
        assert kinds == [("Inspect", False), ("Inspect", True), ("Improve", None), ("Climb", None)]
        assert "step 140" in text(panel, "bound_caption")
        assert "coarse" not in text(panel, "bound_caption")

    def test_two_who_look_ask_once(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        open_panel(qtbot, controller)
        PosteriorFeed.of(controller).set_layer(True)
        controller.select_image(6)
        assert inspected(controller) == [(6, False)]

    def test_an_answer_about_another_image_is_not_shown(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer_all(controller)
        assert figures(panel)[0] == "−20.00"
        controller.select_image(7)
        assert figures(panel) == ["–"] * 4
        late = replace(MODEL.inspected(m.Inspect("bound fine", 99, 6, True), 100))
        controller.handle(late)
        assert figures(panel) == ["–"] * 4

    def test_a_coarse_look_does_not_take_the_figures_away(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        feed = PosteriorFeed.of(controller)
        open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer_all(controller)
        assert feed.latest is not None
        assert feed.latest.is_fine
        controller.handle(MODEL.inspected(m.Inspect("bound coarse", 99, 6, False), 100))
        assert feed.latest.is_fine
        controller.handle(MODEL.inspected(m.Inspect("bound coarse", 100, 6, False), 101))
        assert not feed.latest.is_fine

    def test_a_question_that_fails_says_so_and_is_not_asked_again(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        (ask,) = asked(controller, m.Inspect)
        controller.take()
        controller.handle(m.RequestFailed("bound coarse", ask.id, "There is no such grid."))  # type: ignore[union-attr]
        assert text(panel, "bound_note") == "There is no such grid."
        assert len(asked(controller, m.Climb)) == 1, "the ladder needs no grid"
        controller.handle(make_status(step=100))
        assert inspected(controller) == []
        controller.select_image(7)
        assert text(panel, "bound_note") == ""
        assert inspected(controller) == [(7, False)]


class TestFigures:
    """log p(x) = ELBO + gap, to the nat."""

    def test_the_gap_and_its_parts_are_those_of_the_known_posterior(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer_all(controller)
        gap, family = MODEL.kl(MODEL.loc, MODEL.scale), MODEL.kl(*MODEL.best)
        wanted = [-20.0, -20.0 - gap, gap - family, family]
        assert figures(panel) == [plain_nats(value) for value in wanted]
        assert text(panel, "bound_log_px_error") == "± 0.0002"
        assert f"{gap - family:.2f}" in text(panel, "bound_note")

    def test_before_the_best_q_is_known_the_gap_is_one(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer(controller)
        assert figures(panel)[2] == plain_nats(MODEL.kl(MODEL.loc, MODEL.scale))
        family = panel.findChild(QLabel, "bound_family")
        assert isinstance(family, QLabel)
        assert not family.isVisible()

    def test_many_dimensions_have_an_estimate_and_say_why(self, qtbot: QtBot, open_fake_run: Open) -> None:
        model, controller = GaussianPosterior(5), open_fake_run(latent_dim=5)
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        assert inspected(controller) == []
        done = model.answer_all(controller)
        assert [type(ask).__name__ for ask in done] == ["Climb", "Improve"]
        assert "biased low" in text(panel, "bound_caption")
        assert "latent_dim 1 or 2; with 5" in text(panel, "bound_note")
        ladder = panel.findChild(BoundLadder)
        assert isinstance(ladder, BoundLadder)
        assert not ladder._exact.isVisible()
        climbed = model.climbed(m.Climb("", 0, 6, SAMPLES), 100)
        assert figures(panel)[0] == plain_nats(climbed.log_px)
        assert figures(panel)[1] == plain_nats(float(climbed.bounds[0]))

    def test_classes_that_are_summed_out_have_an_estimate(self, qtbot: QtBot, fake_controller: FakeController) -> None:
        controller = open_kind(fake_controller, "m2")
        panel = open_panel(qtbot, controller)
        controller.select_image(3)
        assert inspected(controller) == []
        assert [type(ask).__name__ for ask in MODEL.answer_all(controller)] == ["Climb"]
        assert "summed out" in text(panel, "bound_note")
        assert not button(panel).isEnabled()
        assert "no one q" in button(panel).toolTip()

    def test_an_autoencoder_is_told_that_there_is_none(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run(kind="autoencoder")
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        assert MODEL.answer(controller) == []
        assert "no bound" in text(panel, "bound_empty")
        assert shown(panel) == 0

    def test_empty_states_say_the_next_step(self, qtbot: QtBot, fake_controller: FakeController) -> None:
        panel = open_panel(qtbot, fake_controller)
        assert "press Train" in text(panel, "bound_empty")
        fake_controller.handle(make_opened())
        assert "Click a point" in text(panel, "bound_empty")

    def test_errors_have_one_digit(self) -> None:
        errors = (2e-4, 0.013, 1.7, 23.4, 1e-7, 0.0, math.inf)
        words = ["± 0.0002", "± 0.01", "± 2", "± 23", "± <0.0001", "± <0.0001", "± ?"]
        assert [error_text(error) for error in errors] == words

    def test_nothing_has_no_sign(self) -> None:
        assert plain_nats(-0.004) == "0.00"
        assert plain_nats(-0.006) == "−0.01"


class TestLadder:
    """The bounds climb to the exact value, with a word on whether to believe them."""

    def test_bounds_errors_and_the_exact_value_are_drawn(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer_all(controller)
        ladder = panel.findChild(BoundLadder)
        assert isinstance(ladder, BoundLadder)
        climbed = MODEL.climbed(m.Climb("", 0, 6, SAMPLES), 100)
        x, y = ladder._curve.getOriginalDataset()
        np.testing.assert_allclose(10**x, climbed.k)
        np.testing.assert_allclose(y, climbed.bounds)
        np.testing.assert_allclose(ladder._bars.opts["height"], 2 * climbed.errors)
        assert ladder._exact.value() == -20.0
        assert ladder._band.getRegion() == pytest.approx((-20.00015, -19.99985), abs=1e-6)
        low, high = ladder.getPlotItem().getViewBox().viewRange()[1]
        assert low < float((climbed.bounds - climbed.errors).min())
        assert high > -20.0
        assert "k = 5,000" in ladder.accessibleDescription()

    @pytest.mark.parametrize(
        ("k_hat", "word", "is_warning"),
        [
            (-math.inf, "can be trusted", False),
            (0.42, "can be trusted", False),
            (0.71, "not to be trusted", True),
            (math.nan, "too few codes", True),
        ],
    )
    def test_a_plain_word_about_trust(
        self, qtbot: QtBot, open_fake_run: Open, k_hat: float, word: str, is_warning: bool
    ) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        for _ in range(2):
            MODEL.answer(controller)
        (ask,) = asked(controller, m.Climb)
        controller.handle(replace(MODEL.climbed(ask, 100), k_hat=k_hat, ess=1234.4))  # type: ignore[arg-type]
        label = panel.findChild(QLabel, "bound_trust")
        assert isinstance(label, QLabel)
        assert word in label.text()
        assert "ESS 1,234 of 5,000" in label.text()
        assert (current_theme().warning in label.styleSheet()) == is_warning


class TestImproving:
    """The button walks q to its best and back."""

    def ready(self, qtbot: QtBot, open_fake_run: Open) -> tuple[FakeController, BoundPanel]:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        MODEL.answer_all(controller)
        return controller, panel

    def test_it_walks_to_the_best_q_and_back(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller, panel = self.ready(qtbot, open_fake_run)
        walk, seen = QWalk.of(controller), []
        walk.moved.connect(lambda: seen.append(walk.now))
        before = figures(panel)
        qtbot.mouseClick(button(panel), Qt.MouseButton.LeftButton)
        assert walk.is_under_way
        qtbot.waitUntil(lambda: not walk.is_under_way, timeout=5000)
        steps = [now for now in seen if now is not None]
        assert len(steps) > 5
        climb = [now.elbo for now in steps]
        assert climb == sorted(climb)
        np.testing.assert_allclose(steps[-1].loc, MODEL.best[0], rtol=1e-6)
        np.testing.assert_allclose(steps[-1].scale, MODEL.best[1], rtol=1e-6)
        family = MODEL.kl(*MODEL.best)
        assert figures(panel) == ["−20.00", plain_nats(-20.0 - family), "0.00", plain_nats(family)]
        assert "amortisation gap" in text(panel, "bound_note")
        assert "Back" in button(panel).text()
        button(panel).setFocus()
        qtbot.keyClick(button(panel), Qt.Key.Key_Space)
        assert walk.now is None
        assert figures(panel) == before
        assert "Improve" in button(panel).text()

    def test_another_tab_takes_the_best_q_off_the_map(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller, panel = self.ready(qtbot, open_fake_run)
        walk = QWalk.of(controller)
        walk.press()
        qtbot.waitUntil(lambda: walk.now is not None)
        panel.hide()
        assert walk.now is None
        assert not walk.is_under_way

    def test_a_key_does_what_the_button_does(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller, panel = self.ready(qtbot, open_fake_run)
        panel.activateWindow()
        button(panel).setFocus()
        qtbot.waitUntil(button(panel).hasFocus)
        qtbot.keyClick(button(panel), Qt.Key.Key_I)
        assert QWalk.of(controller).is_under_way
        qtbot.keyClick(button(panel), Qt.Key.Key_I)
        assert not QWalk.of(controller).is_under_way
        assert QWalk.of(controller).now is None

    def test_pressed_early_it_plays_when_the_answer_is_there(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        walk = QWalk.of(controller)
        walk.press()
        assert walk.is_under_way
        assert walk.now is None
        assert len(asked(controller, m.Improve)) == 1
        MODEL.answer_all(controller)
        assert walk.now is not None
        walk.press()
        assert "Improve" in button(panel).text()

    @pytest.mark.parametrize("how", ["image", "step", "run"])
    def test_it_is_over_when_image_or_weights_change(self, qtbot: QtBot, open_fake_run: Open, how: str) -> None:
        controller, panel = self.ready(qtbot, open_fake_run)
        walk = QWalk.of(controller)
        walk.press()
        if how == "image":
            controller.select_image(7)
        elif how == "step":
            controller.handle(make_status(m.EngineState.PAUSED, 101))
        else:
            controller.handle(make_opened())
        assert walk.now is None
        assert walk.improved is None
        assert not walk.is_under_way
        assert "Improve" in button(panel).text()

    def test_training_must_pause_first(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller, panel = self.ready(qtbot, open_fake_run)
        controller.handle(make_status(RUNNING, 101))
        assert not button(panel).isEnabled()
        assert "Pause" in button(panel).toolTip()
        controller.take()
        QWalk.of(controller).press()
        assert asked(controller, m.Improve) == []

    def test_a_failure_can_be_tried_again(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        panel = open_panel(qtbot, controller)
        controller.select_image(6)
        walk = QWalk.of(controller)
        for _ in range(2):
            walk.press()
            (ask,) = asked(controller, m.Improve)
            controller.take()
            controller.handle(m.RequestFailed("bound improve", ask.id, "It did not converge."))  # type: ignore[union-attr]
            assert not walk.is_under_way
            assert text(panel, "bound_note") == "It did not converge."

    def test_places_between_are_between(self) -> None:
        improved = MODEL.improved(m.Improve("", 1, 6), 100)
        for share in (0.0, 0.05, 0.5, 1.0):
            q = q_at(improved, share)
            np.testing.assert_allclose(q.loc, MODEL.loc + share * (MODEL.mean - MODEL.loc), rtol=1e-5)
        one = replace(improved, loc=improved.loc[:1], scale=improved.scale[:1], elbo=improved.elbo[:1])
        assert q_at(one, 1.0).elbo == improved.elbo[0]


class TestBar:
    """A stacked bar whose end is to scale."""

    def colour_at(self, bar: BoundBar, value: float) -> QColor:
        return bar.grab().toImage().pixelColor(QPointF(bar.place_of(value), 6.0).toPoint())

    def test_parts_lie_where_their_nats_are(self, qtbot: QtBot) -> None:
        bar = BoundBar()
        qtbot.addWidget(bar)
        bar.resize(400, 44)
        bar.show()
        bar.set_reading(BoundReading(-20.0, 1e-3, -24.0, -23.0, 3.0, is_exact=True))
        theme = current_theme()
        assert self.colour_at(bar, -24.5) == QColor(theme.elbo)
        assert self.colour_at(bar, -22.0) == QColor(theme.gap)
        won = self.colour_at(bar, -23.5)
        assert won not in (QColor(theme.elbo), QColor(theme.gap))
        a_nat = bar.place_of(-20.0) - bar.place_of(-21.0)
        assert bar.place_of(-22.0) - bar.place_of(-24.0) == pytest.approx(2 * a_nat)
        assert bar.place_of(-200.0) == 0.0

    def test_the_ruler_holds_the_gap(self) -> None:
        gaps = (0.0, 0.02, 1.5, 4.9, 5.1, 30, 1000, -1.0, math.nan)
        assert [ruler_span(gap) for gap in gaps] == pytest.approx([1, 1, 2, 5, 10, 50, 1000, 1, 1])

    def test_a_bar_of_nothing_or_of_no_number_paints(self, qtbot: QtBot) -> None:
        bar = BoundBar()
        qtbot.addWidget(bar)
        for reading in (None, BoundReading(math.nan, math.nan, -3.0, -3.0, None, is_exact=False)):
            bar.set_reading(reading)
            bar.grab()


def open_kind(controller: FakeController, kind: str) -> FakeController:
    """Open a fake run of a kind that needs labels."""
    controller.show_data(make_data())
    controller.handle(make_opened(2, 100, kind=kind))
    controller.handle(make_status())
    controller.handle(make_codes())
    return controller


def shown(panel: QWidget) -> int:
    """Which page is shown: 0 is the sentence."""
    layout = panel.layout()
    assert isinstance(layout, QStackedLayout)
    return layout.currentIndex()


def test_every_control_has_a_name_and_a_tooltip(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run()
    panel = open_panel(qtbot, controller)
    controller.select_image(6)
    MODEL.answer_all(controller)
    assert button(panel).toolTip()
    for name in ("bound_bar", "bound_ladder", "bound_trust", "bound_elbo"):
        found = panel.findChild(QWidget, name)
        assert isinstance(found, QWidget)
        assert found.toolTip(), name
    sentence = panel._figures.accessibleName()
    assert "amortisation gap" in sentence


class TestToolBar:
    """The gap of the selected image, for as long as it is that of the weights."""

    def test_it_is_shown_while_it_is_true(self, qtbot: QtBot, open_fake_run: Open) -> None:
        controller = open_fake_run()
        window = QMainWindow()
        qtbot.addWidget(window)
        bar = RunToolBar(controller, WindowActions(window), window)
        figure = bar.findChild(Figure, "figure_gap")
        assert isinstance(figure, Figure)
        assert figure.text == "–"
        feed = PosteriorFeed.of(controller)
        feed.set_layer(True)
        controller.select_image(6)
        MODEL.answer_all(controller)
        assert figure.text == plain_nats(MODEL.kl(MODEL.loc, MODEL.scale))
        feed.set_layer(False)
        controller.handle(make_status(step=100))
        assert figure.text != "–", "the weights are the same"
        controller.handle(make_status(RUNNING, 101))
        assert figure.text == "–"


class TestRealEngine:
    """The demo run in the real window."""

    def test_the_figures_of_a_clicked_image_agree_with_each_other(self, qtbot: QtBot, engine_window: Explorer) -> None:
        controller, docks = engine_window.controller, engine_window.window.docks
        engine_window.open()
        qtbot.waitUntil(lambda: controller.opened is not None and controller.opened.n_parameters > 0, timeout=60_000)
        asked_before = {name for name, channel in controller._channels.items() if channel.asked}
        assert not {name for name in asked_before if name.startswith("bound")}, "nobody looks"
        docks.by_name["bound"].raise_()
        qtbot.waitUntil(docks.panels.bound.isVisible)
        controller.select_image(37)
        feed, walk = PosteriorFeed.of(controller), QWalk.of(controller)
        ladder = docks.panels.bound._ladder_question
        qtbot.waitUntil(lambda: walk.improved is not None and ladder.latest is not None, timeout=60_000)
        exact, improved, climbed = feed.latest, walk.improved, ladder.latest
        assert exact is not None
        assert improved is not None
        assert exact.is_fine
        assert exact.error < 2e-3
        assert exact.gap == pytest.approx(improved.amortisation_gap + (improved.family_gap or 0.0), abs=2e-3)
        cell = (exact.extent[1] - exact.extent[0]) * (exact.extent[3] - exact.extent[2]) / exact.log_density.size
        assert np.exp(exact.log_density.astype(np.float64)).sum() * cell == pytest.approx(1.0, abs=1e-2)
        assert np.ptp(exact.log_density + exact.energy) < 5.0, "they differ by log p(x), and by what a cell averages"
        assert exact.elbo == pytest.approx(float(climbed.bounds[0]), abs=5 * float(climbed.errors[0]) + 2e-3)
        assert climbed.log_px < exact.log_px + 5 * climbed.log_px_mc_se
        assert docks.panels.map.map.posterior.shown is exact
        assert docks.panels.map._tools.is_on("posterior")

    def test_training_is_watched_and_a_pause_brings_the_figures(self, qtbot: QtBot, engine_window: Explorer) -> None:
        controller, docks = engine_window.controller, engine_window.window.docks
        engine_window.open(dataset="digits")
        qtbot.waitUntil(lambda: controller.opened is not None and controller.opened.n_parameters > 0, timeout=60_000)
        docks.by_name["bound"].raise_()
        qtbot.waitUntil(docks.panels.bound.isVisible)
        controller.select_image(6)
        feed, steps = PosteriorFeed.of(controller), set()
        feed.shown.connect(lambda answer: answer and steps.add((answer.step, answer.is_fine)))
        controller.train(until_step=1_000_000)
        qtbot.waitUntil(lambda: any(step > 0 and not is_fine for step, is_fine in steps), timeout=90_000)
        controller.pause()
        qtbot.waitUntil(lambda: bool(feed.latest and feed.latest.is_fine), timeout=60_000)
        assert feed.latest is not None
        assert controller.status is not None
        assert feed.latest.step == controller.status.step
        assert f"step {feed.latest.step:,}" in text(docks.panels.bound, "bound_caption")
        qtbot.waitUntil(lambda: not controller.is_waiting, timeout=60_000)
