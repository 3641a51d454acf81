"""The collapse doctor: strips and bars tell the log's KL, the verdict is in words, cures act and can be undone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import FakeController, make_codes, make_opened, make_status
from PySide6.QtCore import QPoint, Qt, QTranslator
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QTableWidget, QToolButton
from pytestqt.qtbot import QtBot

from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.collapse import CollapsePanel
from vae_explorer.gui.report_words import report_notes, report_rows
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.verdict_words import verdict_words
from vae_explorer.gui.widgets.kl_history import KlHistory
from vae_explorer.gui.widgets.kl_strips import KlStrips
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.latent.collapse import CollapseVerdict, LeastUsed
from vae_explorer.latent.told import Told
from vae_explorer.runs.records import MarkRecord, MetricRecord

Open = Callable[..., FakeController]
LEFT = Qt.MouseButton.LeftButton


def record(step: int, kl: tuple[float, ...] | None) -> MetricRecord:
    total = None if kl is None else sum(kl)
    return MetricRecord(
        step=step, epoch=step / 100, time_s=step / 50, split="train", distortion=20.0, loss=20.0 + (total or 0),
        elbo=None if total is None else -20.0 - total, kl=total, kl_per_dim=kl, beta=1.0, learning_rate=1e-3,
    )  # fmt: skip


def collapsing(n: int = 100) -> tuple[MetricRecord, ...]:
    """Return rows of three dimensions: one grows, one stays, the last is off from step 2,550 on."""
    return tuple(record(50 * i, (i / 50, 0.5, 1.0 if i <= 50 else 0.001)) for i in range(1, n + 1))


@pytest.fixture
def panel(qtbot: QtBot, open_fake_run: Open) -> CollapsePanel:
    controller = open_fake_run(latent_dim=3)
    panel = CollapsePanel(controller)
    qtbot.addWidget(panel)
    panel.resize(693, 222)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.fixture
def full(panel: CollapsePanel) -> CollapsePanel:
    controller = controller_of(panel)
    controller.handle(m.RecordsAdded(collapsing()))
    codes = make_codes(latent_dim=3)
    codes.loc[:, 2] = 0.01
    controller.handle(codes)
    panel._redraw()
    controller.take()
    return panel


def controller_of(panel: CollapsePanel) -> FakeController:
    return panel._controller  # type: ignore[return-value]


def text(panel: CollapsePanel, name: str) -> str:
    return panel.findChild(QLabel, name).text()


def button(panel: CollapsePanel, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name) or panel.findChild(QToolButton, name)
    assert found is not None, name
    return found


# ---- the history ----------------------------------------------------------------------------------------------------


def test_a_long_history_keeps_its_means_in_bounded_memory() -> None:
    history = KlHistory(max_rows=16)
    values = np.random.default_rng(0).uniform(size=(200, 4))
    history.add([record(i + 1, tuple(row.tolist())) for i, row in enumerate(values)])
    stride = history.stride
    assert len(history) <= 16
    assert stride == 16
    assert history.steps.tolist() == [stride * (i + 1) for i in range(len(history))]
    assert np.allclose(history.kl, values[: len(history) * stride].reshape(-1, stride, 4).mean(axis=1))


def test_records_without_a_kl_of_each_dimension_are_left_out() -> None:
    history = KlHistory()
    history.add([record(1, None), record(2, (0.5, 1.0)), record(3, (float("nan"), 1.0))])
    assert history.steps.tolist() == [2]


# ---- the dimensions -------------------------------------------------------------------------------------------------


def test_the_verdict_names_what_is_off_and_counts_active_units(full: CollapsePanel) -> None:
    said = text(full, "collapse_verdict")
    assert "2 of 3 units are active" in said
    assert "z2 since step 2,550" in said
    assert "gap of the bound is 0" in said, "kept apart from looseness"


@pytest.mark.parametrize("settings", [{"model.prior": "mixture"}, {"model.prior": "vampprior"}, {"model.kind": "m1m2"}])
def test_active_units_tell_where_there_is_no_kl_of_each_dimension(panel: CollapsePanel, settings: dict) -> None:
    opened, controller = make_opened(3), controller_of(panel)
    controller.handle(replace(opened, config=opened.config.with_values(settings)))
    codes = make_codes(latent_dim=3)
    codes.loc[:, 1:] = 0.01
    controller.handle(replace(codes, kl_per_dim=None))
    panel._redraw()
    assert "active" not in text(panel, "collapse_verdict"), "untrained"
    for step, said in ((50, "too early"), (250, "1 of 3 units are active")):
        controller.handle(m.RecordsAdded(tuple(record(step + i, None) for i in range(4))))
        panel._redraw()
        assert said in text(panel, "collapse_verdict")
    assert "2 of 3 dimensions are off: z1, z2." in text(panel, "collapse_verdict")


def test_codes_of_an_autoencoder_are_no_collapse(panel: CollapsePanel) -> None:
    opened, controller = make_opened(3), controller_of(panel)
    controller.handle(replace(opened, config=opened.config.with_values({"model.kind": "autoencoder"})))
    codes = make_codes(latent_dim=3)
    codes.loc[:] = 0.01
    controller.handle(replace(codes, kl_per_dim=None))
    controller.handle(m.RecordsAdded(tuple(record(50 * i, None) for i in range(1, 9))))
    panel._redraw()
    assert "active" not in text(panel, "collapse_verdict")
    assert "off" not in text(panel, "collapse_verdict")


class Marking(QTranslator):
    """A language whose words are those of English between marks."""

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        return f"«{source}»"

    def isEmpty(self) -> bool:
        return False


@pytest.mark.parametrize(
    "verdict",
    [
        CollapseVerdict("early", 3),
        CollapseVerdict("used", 3, least_used=LeastUsed(1, 0.5, is_kl=True)),
        CollapseVerdict("used", 3, least_used=LeastUsed(1, 0.5, is_kl=False)),
        CollapseVerdict("some_off", 4, (1,), (200,)),
        CollapseVerdict("most_off", 12, tuple(range(11)), (0,) * 11),
        CollapseVerdict("collapsed", 2, (0, 1), (0, 100)),
    ],
)
def test_every_word_of_a_verdict_can_be_in_another_language(qapp: QApplication, verdict: CollapseVerdict) -> None:
    english, marking = verdict_words(verdict), Marking()
    assert qapp.installTranslator(marking)
    try:
        marked = verdict_words(verdict)
    finally:
        qapp.removeTranslator(marking)
    assert [sentence.replace("«", "").replace("»", "") for sentence in marked] == english
    names = " ".join(marked)
    while "«" in names:
        names = re.sub(r"«[^«»]*»", "", names)
    assert not re.search(r"[a-y]{2}", names), f"outside of what is translated: {names}"


def test_time_goes_to_the_right_and_colour_is_the_kl(full: CollapsePanel) -> None:
    strips = full.findChild(KlStrips, "collapse_strips")
    picture, where, theme = strips.grab().toImage(), strips._strips(), current_theme()

    def distance(row: int, share: float) -> int:
        at = QPoint(round(where.left() + share * where.width()), round(where.top() + (row + 0.5) * strips._row_px()))
        colour, full_colour = picture.pixelColor(at), QColor(theme.kl)
        return abs(colour.red() - full_colour.red()) + abs(colour.green() - full_colour.green())

    assert distance(0, 0.98) < 12, "the highest KL has the term's full colour"
    assert distance(0, 0.98) < distance(0, 0.1) < distance(2, 0.98)
    assert distance(2, 0.2) < distance(2, 0.8)


def test_the_arrow_keys_read_every_value(full: CollapsePanel, qtbot: QtBot) -> None:
    strips = full.findChild(KlStrips, "collapse_strips")
    strips.setFocus()
    assert text(full, "collapse_reading").startswith("step 5,000 · KL 2.50 nats")
    qtbot.keyClick(strips, Qt.Key.Key_Home)
    for _ in range(3):
        qtbot.keyClick(strips, Qt.Key.Key_Down)
    assert text(full, "collapse_reading") == "step 50 · KL 1.52 nats · z₂ 1"
    qtbot.keyClick(strips, Qt.Key.Key_Right)
    assert text(full, "collapse_reading").startswith("step 100")
    qtbot.keyClick(strips, Qt.Key.Key_Escape)
    assert text(full, "collapse_reading") == "step 5,000 · KL 2.50 nats"


def test_sorting_puts_the_largest_first(full: CollapsePanel, qtbot: QtBot) -> None:
    strips = full.findChild(KlStrips, "collapse_strips")
    controller_of(full).handle(m.RecordsAdded((record(6000, (0.1, 0.5, 0.9)),) * 10))
    button(full, "collapse_sort").click()
    strips.setFocus()
    qtbot.keyClick(strips, Qt.Key.Key_Down)
    assert text(full, "collapse_reading").endswith("z₂ 0.9")


@pytest.mark.parametrize("latent_dim", [1, 2, 256])
def test_any_number_of_dimensions_is_drawn(panel: CollapsePanel, latent_dim: int) -> None:
    controller = controller_of(panel)
    rows = tuple(record(50 * i, tuple(np.linspace(0, i / 10, latent_dim).tolist())) for i in range(1, 11))
    controller.handle(replace(make_opened(latent_dim), records=rows))
    controller.handle(make_codes(latent_dim=latent_dim))
    panel._redraw()
    assert not panel.findChild(KlStrips, "collapse_strips").grab().toImage().isNull()
    assert text(panel, "collapse_verdict")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "Press Train"),
        ({"model.kind": "autoencoder"}, "no KL"),
        ({"model.prior": "vampprior"}, "Active units"),
        ({"model.kind": "m1m2"}, "Active units"),
    ],
)
def test_an_empty_panel_says_why(panel: CollapsePanel, settings: dict[str, Any], words: str) -> None:
    opened = make_opened(3)
    controller_of(panel).handle(replace(opened, config=opened.config.with_values(settings)))
    assert words in text(panel, "collapse_empty")


# ---- the cures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cure", "value", "before"), [("warmup", 2000, 0), ("free_bits", 0.1, 0.0), ("beta", 0.25, 1.0)]
)
def test_one_click_applies_a_cure_and_another_takes_it_back(
    full: CollapsePanel, qtbot: QtBot, cure: Any, value: float, before: float
) -> None:
    controller = controller_of(full)
    assert not button(full, f"cure_{cure}_undo").isEnabled()
    qtbot.mouseClick(button(full, f"cure_{cure}"), LEFT)
    assert controller.take() == [m.SetLive(cure, value)]
    controller.handle(m.RecordsAdded((MarkRecord(step=5000, time_s=1.0, name=cure, value=value),)))
    qtbot.mouseClick(button(full, f"cure_{cure}_undo"), LEFT)
    assert controller.take() == [m.SetLive(cure, before)]
    assert not button(full, f"cure_{cure}_undo").isEnabled()


def test_a_cure_takes_the_value_that_is_typed(full: CollapsePanel, qtbot: QtBot) -> None:
    field = full.findChild(NumberField, "cure_free_bits_value")
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "0,5")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    button(full, "cure_free_bits").click()
    assert controller_of(full).take() == [m.SetLive("free_bits", 0.5)]


def test_a_cure_that_cannot_be_applied_says_why(full: CollapsePanel) -> None:
    controller_of(full).handle(replace(make_opened(3), is_read_only=True))
    for cure in ("warmup", "free_bits", "beta"):
        assert not button(full, f"cure_{cure}").isEnabled()
        assert "read-only" in button(full, f"cure_{cure}").toolTip()


# ---- the evaluation -------------------------------------------------------------------------------------------------

REPORT = {
    "elbo": -98.25, "elbo_se": 1.25, "elbo_mc_se": 0.012, "distortion": 80.0, "distortion_se": 1.1, "kl": 18.25,
    "kl_se": 0.2, "kl_per_dim": [9.0, 9.25, 0.0], "bits_per_dim": None, "log_px": -95.0, "log_px_exact": -94.5,
    "log_px_exact_error": 0.0004, "gap": 3.5, "active_units": 2, "k_hat_bad_share": 0.25, "n": 1000, "step": 5000,
    "samples": 64, "unit": "nats per image", "words": ["log_px is not to be trusted."],
}  # fmt: skip


def test_every_figure_has_its_error_and_unit() -> None:
    rows = {row.key: row for row in report_rows(REPORT)}
    assert (rows["elbo"].value, rows["elbo"].error, rows["elbo"].unit) == (
        "−98.25", "± 1.25 images  ± 0.012 draws", "nats",
    )  # fmt: skip
    assert rows["log_px_exact"].error == "± 0.0004 quadrature"
    assert (rows["active_units"].value, rows["active_units"].unit) == ("2", "")
    assert (rows["k_hat_bad_share"].value, rows["k_hat_bad_share"].unit) == ("25.0", "%")
    assert "bits_per_dim" not in rows
    assert report_notes(REPORT) == ["log_px is not to be trusted."]
    told = Told("mutual_information is that of {some:,} of the {n:,} images.", some=20, n=1000)
    assert report_notes({"words": [told]}) == ["mutual_information is that of 20 of the 1,000 images."]
    assert report_notes({"elbo": -1.0}) == []


def evaluate(full: CollapsePanel, qtbot: QtBot) -> int:
    button(full, "collapse_worth").click()
    qtbot.mouseClick(button(full, "worth_evaluate"), LEFT)
    (ask,) = controller_of(full).take(m.Assess)
    assert (ask.split, ask.samples) == ("test", 64)
    assert not button(full, "worth_evaluate").isEnabled()
    return ask.job


def test_an_evaluation_shows_its_progress_and_then_its_figures(full: CollapsePanel, qtbot: QtBot) -> None:
    controller, job = controller_of(full), evaluate(full, qtbot)
    controller.handle(m.JobProgress(job, 0.5))
    assert button(full, "assessing_cancel").isVisible()
    controller.handle(m.JobDone(job + 1, None, 5000, {}))
    assert not button(full, "worth_evaluate").isEnabled(), "another job has ended"
    controller.handle(m.JobDone(job, None, 5000, REPORT))
    table = full.findChild(QTableWidget, "worth_table")
    assert table.isVisible()
    assert table.rowCount() == len(report_rows(REPORT))
    assert text(full, "worth_heading") == "1,000 images · K = 64 · step 5,000"
    assert button(full, "worth_evaluate").isEnabled()


def test_an_evaluation_can_be_cancelled_and_keeps_what_it_has(full: CollapsePanel, qtbot: QtBot) -> None:
    controller, job = controller_of(full), evaluate(full, qtbot)
    qtbot.mouseClick(button(full, "assessing_cancel"), LEFT)
    assert controller.take(m.CancelJob) == [m.CancelJob(job)]
    controller.handle(m.JobFailed(job, "cancelled", is_cancelled=True))
    assert text(full, "worth_empty") == "The evaluation was ended."
    controller.handle(m.JobDone(job, None, 5000, REPORT))
    assert full.findChild(QTableWidget, "worth_table").isVisible()


def test_another_run_forgets_figures_and_history(full: CollapsePanel, qtbot: QtBot) -> None:
    controller, job = controller_of(full), evaluate(full, qtbot)
    controller.handle(make_opened(3))
    controller.handle(make_status())
    controller.handle(m.JobDone(job, None, 5000, REPORT))
    assert not full.findChild(QTableWidget, "worth_table").isVisible()
    assert button(full, "worth_evaluate").isEnabled()
    assert "Press Train" in text(full, "collapse_empty")
