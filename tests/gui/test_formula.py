"""The formula page: every number is the selected image's, signs and colours hold, slips give the wrong number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from analytic import GaussianPosterior
from fakes import FakeController, make_codes, make_opened, make_status
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QListWidget, QPushButton
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.formula_bounds import gap_page
from vae_explorer.gui.formula_page import FormulaContext
from vae_explorer.gui.formula_relatives import em_reading
from vae_explorer.gui.formula_similarities import correlation_at, similarities_page
from vae_explorer.gui.formula_slips import RIGHT, WRONG, slips_page
from vae_explorer.gui.panels.formula import PAGES, FormulaPanel
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.curve_text import nats_text
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.gui.widgets.plate_diagram import PlateDiagram
from vae_explorer.latent.bound_terms import BoundTerms
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.objective import similarities
from vae_explorer.runs.records import MetricRecord

Open = Callable[..., FakeController]
KL = 3.0


@pytest.fixture
def panel(qtbot: QtBot, open_fake_run: Open) -> FormulaPanel:
    panel = FormulaPanel(open_fake_run())
    qtbot.addWidget(panel)
    panel.resize(700, 240)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def controller_of(panel: FormulaPanel) -> FakeController:
    return panel._controller  # type: ignore[return-value]


def answer(controller: FakeController, *, kl: float | None = KL) -> BoundTerms:
    """Answer the newest question for terms with made-up draws; returns them."""
    ask = controller.take(m.ReadTerms)[-1]
    assert isinstance(ask, m.ReadTerms)
    rng = np.random.default_rng(ask.seed)
    likelihood, prior, posterior = (rng.normal(size=ask.samples) + at for at in (-20.0, -3.0, 0.2))
    z = np.zeros((ask.samples, 2), np.float32)
    read = m.TermsRead(
        ask.channel, ask.id, 100, ask.index, z, *(v.astype(np.float32) for v in (likelihood, prior, posterior)),
        kl=kl, kl_per_dim=None, pixels=64, latent_dim=2,
    )  # fmt: skip
    controller.handle(read)
    return BoundTerms.of(read.log_likelihood, read.log_prior, log_posterior=read.log_posterior, kl=kl)


def go_to(panel: FormulaPanel, name: str) -> None:
    entries = panel.findChild(QListWidget, "formula_list")
    names = [entries.item(row).data(Qt.ItemDataRole.UserRole) for row in range(entries.count())]
    entries.setCurrentRow(names.index(name))


def values(panel: FormulaPanel) -> list[str]:
    labels = [panel.findChild(QLabel, f"formula_value_{row}") for row in range(20)]
    return [label.text() for label in labels if label is not None and label.isVisibleTo(panel)]


def text(panel: FormulaPanel, name: str) -> str:
    return panel.findChild(QLabel, name).text()


def test_the_page_asks_for_the_selected_image_and_shows_its_terms(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.take()
    controller.select_image(6)
    assert [(q.index, q.samples) for q in controller.sent if isinstance(q, m.ReadTerms)] == [(6, 64)]
    terms = answer(controller)
    assert values(panel) == [nats_text(terms.elbo.value), nats_text(terms.expected_log_likelihood.value), "3.00"]
    assert text(panel, "formula_title").startswith("Image 6 · step 100")
    theme = current_theme()
    for row, colour in enumerate((theme.elbo, theme.distortion, theme.kl)):
        assert colour in text(panel, f"formula_symbol_{row}")


def test_what_the_numbers_do_not_compare_with_is_said(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    assert "do not compare beyond these images" in text(panel, "formula_note")
    opened = make_opened()
    binary = opened.config.with_values({"data.binarize": "dynamic"})
    controller.handle(replace(opened, config=binary, run_path=Path("runs") / "binary"))
    controller.select_image(6)
    assert text(panel, "formula_note") == ""


def test_both_readings_stand_side_by_side_with_their_difference(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    terms = answer(controller)
    go_to(panel, "readings")
    first, second, difference = values(panel)
    assert first == nats_text(terms.closed.value)
    assert second == nats_text(terms.sampled.value)
    assert difference == nats_text(terms.sampled.value - terms.closed.value)
    # Without a closed form there is one reading only.
    controller.handle(make_codes())
    answer(controller, kl=None)
    assert values(panel)[0] == "no closed form"
    assert values(panel)[2] == "–"


def test_other_draws_and_more_of_them_are_asked_for(panel: FormulaPanel, qtbot: QtBot) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    controller.take()
    qtbot.mouseClick(panel.findChild(QPushButton, "formula_again"), Qt.MouseButton.LeftButton)
    assert [q.seed for q in controller.take(m.ReadTerms)] == [1]
    field = panel.findChild(NumberField, "formula_draws")
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "500")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert [q.samples for q in controller.take(m.ReadTerms)] == [500]


def test_log_px_is_asked_for_by_the_entries_that_show_it(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    answer(controller)
    assert not controller.take(m.Inspect)
    go_to(panel, "gap")
    (ask,) = controller.take(m.Inspect)
    assert text(panel, "formula_symbol_0").count("estimate") == 1
    grid, point = np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
    controller.handle(
        m.Inspected(
            ask.channel, ask.id, 100, 6, False, grid, grid, (0, 1, 0, 1), point, point,
            log_px=-20.0, error=0.4, elbo=-22.5, gap=2.5, mode=point, log_px_error=0.3, elbo_error=0.1,
        )
    )  # fmt: skip
    assert values(panel) == ["−20.00", "−22.50", "2.50"]
    lines = gap_page(panel.context()).lines
    assert [line.estimate.error for line in lines] == [0.3, 0.1, 0.4], "each has its own"
    assert all(len(line.curve) == 64 for line in lines), "one step is no curve: the draws come to it"
    fine = [q for q in controller.take(m.Inspect) if q.is_fine]
    assert len(fine) == 1, "weights that stand still are looked at closely"


def test_log_px_and_gap_have_curves_over_the_steps_since_the_image_was_selected(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.handle(make_status(m.EngineState.RUNNING, 100))
    controller.select_image(6)
    answer(controller)
    go_to(panel, "gap")
    model = GaussianPosterior()
    for at, (step, log_px) in enumerate(((100, -20.0), (120, -18.0))):
        model.log_px = log_px
        controller.handle(model.inspected(m.Inspect("bound coarse", 99 + at, 6, False), step))
        assert f"step {step}" in text(panel, "formula_title"), "that of the numbers which are shown"
    log_px, elbo, gap = gap_page(panel.context()).lines
    assert log_px.curve.tolist() == [-20.0, -18.0]
    assert np.allclose(log_px.curve - elbo.curve, gap.curve)
    controller.select_image(7)
    assert panel.context().exact_history == {}


def test_terms_catch_up_with_weights_that_stand_still(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.handle(make_status(m.EngineState.RUNNING, 130))
    controller.select_image(6)
    answer(controller)
    assert not controller.take(m.ReadTerms)
    for _ in range(2):
        controller.handle(make_status(m.EngineState.PAUSED, 140))
    assert len(controller.take(m.ReadTerms)) == 1


@pytest.mark.parametrize(
    ("values_", "word"),
    [
        ({"objective.free_bits": 0.5}, "free bits"),
        ({"objective.bound": "iwae", "objective.samples": 5}, "importance samples"),
        ({"objective.mmd_weight": 10.0}, "MMD"),
        ({"objective.tc_weight": 2.0}, "total correlation"),
        ({"objective.similarity": "renyi"}, "stands in the place"),
        ({"objective.weight_prior": 1.0}, "weight prior"),
        ({"model.kind": "m2"}, "without labels"),
    ],
)
def test_a_loss_that_is_no_sum_of_these_terms_has_no_number_but_a_reason(
    panel: FormulaPanel, values_: dict[str, object], word: str
) -> None:
    controller = controller_of(panel)
    opened = make_opened()
    controller.handle(replace(opened, config=opened.config.with_values(values_)))
    controller.select_image(6)
    answer(controller)
    go_to(panel, "loss")
    assert values(panel)[0] == "no number"
    assert word in text(panel, "formula_note")


def test_the_other_similarities_are_those_of_the_objective(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    go_to(panel, "similarities")
    controller.answer_encodes()
    loc = torch.tensor(controller.codes.loc[6:7])
    q = DiagonalNormal(loc, torch.full_like(loc, math.log(0.1)))
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(loc, 0.1), torch.distributions.Normal(0.0, 1.0))
    expected = (
        kl.sum(-1),
        similarities.reverse_kl(q),
        similarities.renyi(q, 0.5),
        similarities.wasserstein2_squared(q),
    )
    found = [line.estimate.value for line in similarities_page(panel.context()).lines]
    assert found == pytest.approx([float(value) for value in expected], rel=1e-4)
    assert all("no longer a bound" in line.meaning for line in similarities_page(panel.context()).lines[1:])


def test_independent_codes_have_no_correlation_and_equal_ones_have() -> None:
    loc = np.stack(np.meshgrid([-1.0, 1.0], [-2.0, 0.0, 2.0]), axis=-1).reshape(-1, 2)
    scale = np.full_like(loc, 0.3)
    assert correlation_at(loc[0], loc, scale) == pytest.approx(0.0, abs=1e-12)
    line = np.stack([[-9.0, 9.0]] * 2, axis=-1)
    assert correlation_at(line[0], line, np.ones_like(line)) == pytest.approx(math.log(2.0))


def test_nothing_is_asked_while_the_page_is_hidden(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    panel.hide()
    controller.take()
    controller.select_image(6)
    controller.handle(make_codes())
    assert not controller.take(m.ReadTerms)
    panel.show()
    assert [q.index for q in controller.take(m.ReadTerms)] == [6]


def test_another_image_does_not_keep_the_numbers_of_the_last(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    answer(controller)
    controller.select_image(7)
    assert values(panel) == ["–", "–", "–"]


def test_every_entry_can_be_read_without_a_run_without_an_image_and_with_one(
    qtbot: QtBot, open_fake_run: Open, fake_controller: FakeController
) -> None:
    panel = FormulaPanel(fake_controller)
    qtbot.addWidget(panel)
    panel.show()
    titles = []
    for prepare in (lambda: None, open_fake_run, lambda: fake_controller.select_image(3)):
        prepare()
        for name in PAGES:
            go_to(panel, name)
            assert text(panel, "formula_formula")
            assert values(panel)
        titles.append(text(panel, "formula_title"))
    assert len(set(titles)) == 3


def test_an_autoencoder_has_no_bound_and_is_not_asked_for_one(qtbot: QtBot, open_fake_run: Open) -> None:
    controller = open_fake_run(kind="autoencoder")
    panel = FormulaPanel(controller)
    qtbot.addWidget(panel)
    panel.show()
    controller.select_image(6)
    go_to(panel, "autoencoder")
    assert not [q for q in controller.sent if isinstance(q, m.ReadTerms)]
    controller.answer_encodes()
    assert values(panel) == ["−16.00", "none: a point has no density", "none"]


def test_the_loss_is_weighed_with_beta_as_it_is_now(panel: FormulaPanel, qtbot: QtBot) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    terms = answer(controller)
    go_to(panel, "loss")
    record = MetricRecord(
        step=100, epoch=1.0, time_s=1.0, split="train", distortion=20.0, loss=32.0, elbo=-23.0, kl=3.0, beta=4.0,
        learning_rate=1e-3,
    )  # fmt: skip
    controller.handle(m.RecordsAdded((record, msgspec.structs.replace(record, step=150))))
    qtbot.waitUntil(lambda: values(panel)[2] == "12.00")
    loss, distortion, _ = values(panel)
    assert distortion == nats_text(-terms.expected_log_likelihood.value)
    assert loss == nats_text(-terms.expected_log_likelihood.value + 12.0)


def test_each_slip_gives_its_wrong_number_beside_the_right_one() -> None:
    rng = np.random.default_rng(0)
    likelihood, prior, posterior = (rng.normal(size=200) + at for at in (-20.0, -3.0, 0.2))
    terms = BoundTerms.of(likelihood, prior, log_posterior=posterior, kl=KL)
    point, grid = np.zeros(2, np.float32), np.zeros((1, 1), np.float32)
    exact = m.Inspected("c", 1, 0, 0, True, grid, grid, (0, 1, 0, 1), point, point, -20.0, 0.0, -23.0, 2.5, point)
    lines = slips_page(FormulaContext(terms=terms, terms_step=0, inspected=exact, pixels=64, latent_dim=2)).lines
    assert [line.sign for line in lines] == [WRONG, RIGHT] * 6
    wrong = [line.estimate.value for line in lines if line.sign == WRONG]
    mean, log_weight = likelihood.mean(), likelihood + prior - posterior
    expected = [
        mean + KL, mean / 64 - KL, mean - 2.5, log_weight[0],
        -math.log(np.exp(-(log_weight + 20)).mean()) - 20, -(mean - KL),
    ]  # fmt: skip
    assert np.allclose(wrong, expected)
    right = [line.estimate.value for line in lines if line.sign == RIGHT]
    assert np.allclose(right[:4] + right[5:], mean - KL)
    other = slips_page(FormulaContext(terms=terms, terms_step=1, inspected=exact, pixels=64, latent_dim=2)).lines
    assert other[4].estimate is None, "terms and gap of different weights are not subtracted"
    assert wrong[4] < terms.sampled.value < right[4], "upside down it lies below the ELBO, the right way up above it"


def test_jensens_bound_touches_after_the_e_step() -> None:
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(size=(100, 2)) - 2, rng.normal(size=(100, 2)) + 2])
    reading = em_reading(codes, np.zeros(2))
    assert reading.bound_before < reading.log_density
    assert reading.bound_after == pytest.approx(reading.log_density)


def test_ancestral_sampling_shows_the_code_first_and_then_its_image(panel: FormulaPanel, qtbot: QtBot) -> None:
    controller = controller_of(panel)
    go_to(panel, "plate")
    controller.take()
    qtbot.mouseClick(panel.findChild(QPushButton, "plate_sample"), Qt.MouseButton.LeftButton)
    (ask,) = controller.take(m.Render)
    assert (ask.recipe.what, ask.recipe.draw, ask.recipe.rows * ask.recipe.cols) == ("samples", True, 1)
    tiles = np.full((1, 1, 1, 8, 8), 0.5, np.float32)
    codes = np.array([[[0.25, -1.5]]], np.float32)
    controller.handle(m.Rendered(ask.channel, ask.id, 100, ask.recipe, np.zeros((8, 8, 3), np.uint8), tiles, codes))
    diagram, picture = panel.findChild(PlateDiagram, "plate_diagram"), panel.findChild(PictureView, "plate_picture")
    assert "+0.25, −1.50" in text(panel, "plate_code")
    assert (diagram.marked, picture.has_image) == ("z", False)
    qtbot.waitUntil(lambda: picture.has_image)
    assert (diagram.marked, picture.is_generated) == ("x", True)


def test_m2_shows_the_bound_with_the_classes_summed_out(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    opened = make_opened()
    controller.handle(replace(opened, config=opened.config.with_values({"model.kind": "m2"})))
    controller.select_image(6)
    go_to(panel, "m2")
    ask = [q for q in controller.take(m.Encode) if q.channel == "formula_encode"][-1]
    one, pair = np.ones(1, np.float32), np.zeros((1, 2), np.float32)
    shares = np.array([[0.0, 0.25, 0.75, 0.0]], np.float32)
    controller.handle(
        m.Encoded(
            ask.channel, ask.id, 100, ask.indices, pair, pair, None, -30 * one, 6 * one, 24 * one, 0.1 * one,
            np.zeros((1, 1, 8, 8), np.float32), shares,
        )
    )  # fmt: skip
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    # Image 6 of the made-up data is of class 2.
    assert values(panel) == ["−30.00", "6.00", nats_text(entropy), "75.0 %", nats_text(-math.log(0.75))]


def test_a_refusal_of_the_engine_is_said(panel: FormulaPanel) -> None:
    controller = controller_of(panel)
    controller.select_image(6)
    ask = controller.take(m.ReadTerms)[-1]
    controller.handle(m.RequestFailed(ask.channel, ask.id, "The model is being trained elsewhere."))
    assert text(panel, "formula_title") == "The model is being trained elsewhere."
