"""The EM panel: its steps, what they show, going back, playing, fitting, and the two steps of a VAE."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from fakes import make_codes, make_opened, make_status
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton

from vae_explorer.engine import messages as m
from vae_explorer.engine.mixture_fits import fit_slices
from vae_explorer.engine.slices import drain
from vae_explorer.errors import VaeExplorerError
from vae_explorer.gui.panels.em_theatre import EmTheatrePanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.em_history import EmHistory
from vae_explorer.gui.widgets.em_points import MOST_POINTS, code_points
from vae_explorer.gui.widgets.theatre_map import OPACITY, blended
from vae_explorer.latent.em import start
from vae_explorer.runs.records import MarkRecord


@pytest.fixture
def panel(qtbot, fake_controller):
    """The panel before anything is open."""
    panel = EmTheatrePanel(fake_controller)
    qtbot.addWidget(panel)
    panel.resize(700, 250)
    panel.show()
    return panel


def button(panel, name):
    return panel.findChild(QPushButton, name)


def choose(panel, name, data):
    box = panel.findChild(QComboBox, name)
    box.setCurrentIndex(box.findData(data))


def told(panel, name="em_told"):
    return panel.findChild(QLabel, name).text()


def answer(controller, *, step=100):
    """Answer the questions about EM as the engine does; returns them."""
    asked = controller.take(m.FitMixture)
    for question in asked:
        try:
            controller.handle(drain(fit_slices(question, step=step)))
        except VaeExplorerError as error:
            controller.handle(m.RequestFailed(question.channel, question.id, str(error)))
    return asked


def press(panel, controller, *names):
    for name in names:
        button(panel, f"em_{name}").click()
        answer(controller)


def test_without_a_model_it_says_what_to_do_and_offers_drawn_points(panel, fake_controller):
    assert panel.findChild(QComboBox, "em_source").currentData() == "blobs"
    press(panel, fake_controller, "start", "e")
    assert "E step" in told(panel)
    assert not button(panel, "em_use").isEnabled()
    assert "all their dimensions" in button(panel, "em_use").toolTip()


def test_the_steps_of_em_climb_and_are_drawn(panel, open_fake_run):
    controller = open_fake_run(n=60)
    choose(panel, "em_source", "codes")
    assert not button(panel, "em_e").isEnabled()
    press(panel, controller, "start", "e", "m", "e")
    climbs = panel.mixture._stage.plot.climbs
    assert [climb.x for climb in climbs] == [0.0, 1.0, 2.0, 3.0]
    likelihoods = [climb.log_likelihood for climb in climbs]
    assert likelihoods == sorted(likelihoods)
    assert climbs[0].bound < climbs[0].log_likelihood  # hard assignment
    assert climbs[1].bound == climbs[1].log_likelihood
    assert climbs[1].bound < climbs[2].bound < climbs[2].log_likelihood
    components = panel.mixture._stage.map.components.components
    assert len(components) == 5
    assert sum(component.weight for component in components) == pytest.approx(1.0)
    assert "touches" in told(panel)
    assert "60 codes" in told(panel, "em_of")


def test_an_m_step_that_wins_nothing_does_not_say_that_it_did(panel, open_fake_run):
    controller = open_fake_run(n=60)
    choose(panel, "em_source", "codes")
    press(panel, controller, "start", "e", "m")
    assert "have risen" in told(panel)
    press(panel, controller, "m")
    climbs = panel.mixture._stage.plot.climbs
    assert climbs[-1].bound == pytest.approx(climbs[-2].bound)
    assert "have risen" not in told(panel)
    assert "M step" in told(panel)


def test_words_do_not_push_the_foot_of_the_window_up(panel, open_fake_run):
    controller = open_fake_run(n=60)
    choose(panel, "em_source", "codes")
    before = panel.minimumSizeHint().height()
    press(panel, controller, "start", "e", "m")
    panel.mixture._stage.tell_of("a line of words " * 12)
    assert panel.minimumSizeHint().height() == before


def test_an_m_step_uses_the_responsibilities_that_are_shown(panel, open_fake_run):
    controller = open_fake_run()
    choose(panel, "em_source", "codes")
    press(panel, controller, "start", "e")
    shown = panel.mixture._history.newest.result
    button(panel, "em_m").click()
    (asked,) = controller.take(m.FitMixture)
    assert asked.responsibilities is shown.responsibilities
    assert asked.mixture is shown.mixture


def test_back_undoes_steps_and_an_answer_that_comes_late_is_dropped(panel, open_fake_run):
    controller = open_fake_run()
    choose(panel, "em_source", "codes")
    press(panel, controller, "start")
    first = panel.mixture._history.newest
    assert not button(panel, "em_back").isEnabled()
    press(panel, controller, "e")
    button(panel, "em_m").click()
    button(panel, "em_back").click()
    answer(controller)  # to the M step that is no longer wanted
    assert panel.mixture._history.newest is first
    assert len(panel.mixture._stage.plot.climbs) == 1


def test_another_choice_forgets_the_steps(panel, open_fake_run):
    controller = open_fake_run()
    assert panel.findChild(QComboBox, "em_source").currentData() == "codes"
    press(panel, controller, "start", "e")
    choose(panel, "em_covariance", "spherical")
    assert panel.mixture._stage.plot.climbs == ()
    button(panel, "em_start").click()
    (asked,) = controller.take(m.FitMixture)
    assert (asked.action, asked.covariance, asked.mixture) == ("start", "spherical", None)


def test_playing_waits_for_each_answer_and_ends_where_it_stands(panel, open_fake_run, qtbot):
    controller = open_fake_run()
    choose(panel, "em_source", "codes")
    panel.mixture._pace.setInterval(1)
    button(panel, "em_play").click()
    assert button(panel, "em_play").text() == "Pause"
    actions = []
    while panel.mixture.is_busy:
        qtbot.waitUntil(lambda: bool(controller.sent) or not panel.mixture.is_busy)
        asked = answer(controller)
        assert len(asked) <= 1
        actions += [question.action for question in asked]
    assert actions[:4] == ["start", "e", "m", "e"]
    assert actions[-1] == "e"
    assert button(panel, "em_play").text() == "Play"
    assert panel.mixture._history.last_gain < 1e-5


def test_playing_stops_when_pressed_again_and_when_nobody_looks(panel, open_fake_run):
    controller = open_fake_run()
    for stop in (button(panel, "em_play").click, panel.hide):
        button(panel, "em_play").click()
        answer(controller)
        assert panel.mixture.is_busy
        stop()
        assert not panel.mixture.is_busy
        assert not panel.mixture._pace.isActive()
        panel.show()


def test_fit_goes_on_until_it_stands_and_can_be_stopped(panel, open_fake_run):
    controller = open_fake_run()
    choose(panel, "em_source", "codes")
    button(panel, "em_fit").click()
    while panel.mixture.is_busy:
        answer(controller)
    newest = panel.mixture._history.newest
    assert newest.action == "fit"
    assert newest.result.iterations < 5
    assert "it stands" in told(panel)
    button(panel, "em_start").click()
    answer(controller)
    button(panel, "em_fit").click()
    button(panel, "em_fit").click()
    answer(controller)
    assert not panel.mixture.is_busy


def test_a_refusal_is_told_and_ends_the_playing(panel, open_fake_run):
    controller = open_fake_run(n=3)
    choose(panel, "em_source", "codes")
    press(panel, controller, "play")
    assert "5 components cannot be fitted to 3 points; choose 1 to 3." in told(panel)
    assert not panel.mixture.is_busy


def test_a_mixture_of_all_dimensions_can_be_used_for_sampling(panel, open_fake_run, qtbot):
    controller = open_fake_run(latent_dim=3)
    choose(panel, "em_source", "main")
    press(panel, controller, "start")
    assert not button(panel, "em_use").isEnabled()
    choose(panel, "em_source", "codes")
    press(panel, controller, "start", "e", "m")
    with qtbot.waitSignal(controller.mixture_changed):
        button(panel, "em_use").click()
    assert controller.mixture.n_dims == 3
    controller.handle(make_opened(3, 100))
    assert controller.mixture is None


def test_codes_move_with_the_training_until_em_has_started(panel, open_fake_run):
    controller = open_fake_run(step=100)
    choose(panel, "em_source", "codes")
    controller.handle(make_codes(step=110, seed=1))
    assert "step 110" in told(panel, "em_of")
    press(panel, controller, "start")
    before = panel.mixture._points.points
    controller.handle(make_codes(step=120, seed=2))
    assert panel.mixture._points.points is before
    assert "the model is at step 120" in told(panel, "em_of")
    press(panel, controller, "start")
    assert panel.mixture._points.step == 120


def test_a_large_set_is_sampled_and_the_panel_says_so(panel, open_fake_run):
    controller = open_fake_run(n=40)
    controller.handle(make_codes(n=70_000, step=101))
    choose(panel, "em_source", "codes")
    assert f"a sample of {MOST_POINTS:,} of 70,000 codes" in told(panel, "em_of")
    button(panel, "em_start").click()
    assert controller.take(m.FitMixture)[0].points.shape == (MOST_POINTS, 2)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_ellipses_are_those_of_the_projected_covariances(latent_dim):
    points = code_points(make_codes(n=300, latent_dim=latent_dim), only_main=False)
    mixture = start(points.points, 2, seed=0).mixture
    for k, component in enumerate(points.components(mixture, ["#ff0000", "#00ff00"])):
        one, two = component.outlines
        plane = np.stack([points.basis.u, points.basis.v], axis=1)
        spread = plane.T @ mixture.covariances[k] @ plane
        reach = np.ptp(one[:, 0]) / 2
        assert reach == pytest.approx(np.sqrt(spread[0, 0]), rel=0.01)
        np.testing.assert_allclose(two - component.mean, 2 * (one - component.mean), atol=1e-4)


def test_the_two_most_used_dimensions_are_those_of_largest_kl():
    codes = replace(make_codes(n=20, latent_dim=4), kl_per_dim=np.array([0.1, 3.0, 0.2, 2.0], np.float32))
    points = code_points(codes, only_main=True)
    np.testing.assert_array_equal(points.points, codes.loc[:, [1, 3]])
    assert points.axis_names == ("z₁", "z₃")


def test_codes_that_are_not_finite_are_left_out():
    codes = make_codes(n=20)
    loc = codes.loc.copy()
    loc[3] = np.nan
    assert len(code_points(replace(codes, loc=loc), only_main=False).points) == 19


def test_colours_are_mixed_by_responsibilities():
    mixed = blended(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], np.float32), ["#ff0000", "#0000ff"])
    assert mixed[:2].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert mixed[2, 0] == mixed[2, 2] > 180  # in linear light: half of each is no mud


def test_points_are_painted_in_their_colours(panel, open_fake_run):
    controller = open_fake_run(n=60)
    choose(panel, "em_source", "codes")
    press(panel, controller, "start")
    image = panel.mixture._stage.map.grab().toImage()
    seen = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    ground = QColor(current_theme().surface)
    for component in panel.mixture._stage.map.components.components:
        colour = QColor(component.colour)
        over = [(OPACITY, shade) for shade in colour.getRgb()[:3]]
        wanted = [round(a * b + (1 - a) * c) for (a, b), c in zip(over, ground.getRgb()[:3], strict=True)]
        assert any(np.abs(np.array(QColor(name).getRgb()[:3]) - wanted).max() <= 3 for name in seen)


def test_the_history_is_bounded_in_memory(monkeypatch):
    monkeypatch.setattr("vae_explorer.gui.widgets.em_history.MOST_NUMBERS", 100)
    history = EmHistory()
    result = m.MixtureFitted("em", 1, 0, None, np.zeros((10, 2), np.float32), -1.0, -1.0, 0, False)
    for action in ("start", *("e", "m") * 10):
        history.add(action, result)
    assert len(history.climbs) == 21
    for _ in range(30):
        history.go_back()
    assert len(history.climbs) == 17  # five steps were kept


# ---- the VAE's page -------------------------------------------------------------------------------------------------


def climb(controller, part, step, elbo):
    """What a StepPart brings about: marks, a status, and codes of the new weights."""
    marks = (MarkRecord(step=step - 25, time_s=0.0, name="part", value=part),
             MarkRecord(step=step, time_s=0.0, name="part", value=0.0))  # fmt: skip
    controller.handle(m.RecordsAdded(marks))
    codes = make_codes(step=step)
    controller.handle(replace(codes, elbo=np.full(len(codes.loc), elbo, np.float32)))


def test_the_two_parts_are_updated_by_hand_and_their_steps_are_told_apart(panel, open_fake_run):
    controller = open_fake_run(step=100)
    controller.handle(make_status(m.EngineState.PAUSED, step=100))
    panel.set_mode("vae")
    button(panel, "lazy_encoder").click()
    assert controller.take(m.StepPart) == [m.StepPart("encoder", 25)]
    climb(controller, 1.0, 125, -19.0)
    button(panel, "lazy_decoder").click()
    assert controller.take(m.StepPart) == [m.StepPart("decoder", 25)]
    climb(controller, 2.0, 150, -18.0)
    controller.handle(make_codes(step=175))
    climbs = panel.lazy._stage.plot.climbs
    assert [(step.x, step.kind) for step in climbs] == [
        (100.0, "all"), (125.0, "encoder"), (150.0, "decoder"), (175.0, "all"),
    ]  # fmt: skip
    assert climbs[2].bound == pytest.approx(-18.0)


def test_only_snapshots_of_all_images_are_steps_of_the_bound(panel, open_fake_run):
    controller = open_fake_run(step=100)
    for step, value, is_complete in ((200, -30.0, False), (200, -31.0, True), (210, -50.0, False)):
        codes = make_codes(step=step)
        elbo = np.full(len(codes.loc), value, np.float32)
        panel.lazy._steps.add_codes(replace(codes, elbo=elbo, is_complete=is_complete))
    assert [(step.x, step.bound) for step in panel.lazy._steps.climbs][1:] == [(200.0, -31.0)]
    controller.handle(make_codes(step=150))  # the training went back to other weights
    assert [step.x for step in panel.lazy._steps.climbs] == [100.0, 150.0]


def test_parts_are_not_stepped_while_it_trains_nor_of_an_autoencoder(panel, open_fake_run):
    controller = open_fake_run(step=100)
    panel.set_mode("vae")
    assert button(panel, "lazy_encoder").isEnabled()
    controller.handle(make_status(m.EngineState.RUNNING, step=101))
    assert not button(panel, "lazy_encoder").isEnabled()
    assert "Pause" in button(panel, "lazy_encoder").accessibleDescription()
    open_fake_run(kind="autoencoder")
    assert not button(panel, "lazy_decoder").isEnabled()
    assert "autoencoder has no q" in told(panel, "lazy_told")


def test_with_the_real_engine_em_climbs_and_both_parts_of_the_vae_are_updated(engine_window, qtbot):
    window, controller = engine_window.window, engine_window.controller
    engine_window.open()
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.is_complete, timeout=30_000)
    window.docks.by_name["em"].raise_()
    panel = window.docks.panels.em
    qtbot.waitUntil(panel.isVisible)
    for name in ("start", "e", "m", "e"):
        button(panel, f"em_{name}").click()
        qtbot.waitUntil(lambda: panel.mixture._asked is None, timeout=30_000)
    likelihoods = [climb.log_likelihood for climb in panel.mixture._stage.plot.climbs]
    assert len(likelihoods) == 4
    assert likelihoods == sorted(likelihoods)
    panel.set_mode("vae")
    for part in ("encoder", "decoder"):
        before = controller.status.step
        button(panel, f"lazy_{part}").click()
        qtbot.waitUntil(lambda at=before: panel.lazy._steps.climbs[-1].x == at + 25, timeout=30_000)
        qtbot.waitUntil(button(panel, f"lazy_{part}").isEnabled, timeout=30_000)
    # A slow machine may show a part's updates in more than one piece.
    kinds = [kind for kind, _ in groupby(climb.kind for climb in panel.lazy._stage.plot.climbs)]
    assert kinds[-2:] == ["encoder", "decoder"]


def test_nothing_is_cut_off_in_the_room_of_the_foot(panel, open_fake_run, qtbot):
    controller = open_fake_run(latent_dim=6)
    press(panel, controller, "start", "e")
    for mode in ("mixture", "vae"):
        panel.set_mode(mode)
        QApplication.processEvents()
        assert panel.minimumSizeHint().height() <= 250
        assert panel.minimumSizeHint().width() <= 700
        for label in panel.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width())
