"""Formula page and collapse doctor on the real engine: figures of real weights, a cure that reaches the training."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractButton, QLabel, QTableWidget
from pytestqt.qtbot import QtBot

from vae_explorer.engine.messages import EngineState
from vae_explorer.gui.app import Explorer
from vae_explorer.runs.records import MarkRecord

LONG_MS = 60_000


def open_trained(qtbot: QtBot, explorer: Explorer) -> None:
    """Train a small model on the digits for 20 steps."""
    values = {"model.hidden": (32,), "model.latent_dim": 3, "train.steps": 20, "train.log_every": 1}
    controller = explorer.controller
    controller.set_draft(controller.draft.with_values(values))
    explorer.open(dataset="digits")
    qtbot.waitUntil(
        lambda: controller.status is not None and controller.status.state is EngineState.READY, timeout=LONG_MS
    )
    controller.train()
    qtbot.waitUntil(lambda: controller.status.state is EngineState.FINISHED, timeout=LONG_MS)
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.step == 20, timeout=LONG_MS)


def raise_dock(qtbot: QtBot, explorer: Explorer, name: str) -> None:
    dock = explorer.window.docks.by_name[name]
    dock.show()
    dock.raise_()
    qtbot.waitUntil(dock.widget().isVisible)


def press(explorer: Explorer, name: str) -> None:
    button = explorer.window.findChild(QAbstractButton, name)
    assert button.isEnabled(), name
    button.click()


def test_the_formula_page_reads_the_selected_image_and_samples_the_prior(qtbot: QtBot, engine_window: Explorer) -> None:
    open_trained(qtbot, engine_window)
    controller, page = engine_window.controller, engine_window.window.docks.panels.formula
    raise_dock(qtbot, engine_window, "formula")
    controller.select_image(12)
    qtbot.waitUntil(lambda: page.context().terms is not None, timeout=LONG_MS)
    terms = page.context().terms
    assert terms.samples == 64
    assert terms.kl >= 0
    assert abs(terms.difference.value) < 5 * terms.difference.error
    assert terms.iwae.value > terms.sampled.value
    assert "step 20" in engine_window.window.findChild(QLabel, "formula_title").text()
    page._list.setCurrentRow(list(page._titles()).index("plate"))
    press(engine_window, "plate_sample")
    code = engine_window.window.findChild(QLabel, "plate_code")
    qtbot.waitUntil(lambda: code.text().count(",") == 2, timeout=LONG_MS)
    qtbot.waitUntil(lambda: page._plate._diagram.marked == "x", timeout=LONG_MS)


def test_a_cure_reaches_the_training_and_is_taken_back(qtbot: QtBot, engine_window: Explorer) -> None:
    open_trained(qtbot, engine_window)
    controller = engine_window.controller
    raise_dock(qtbot, engine_window, "collapse")
    marks: list[MarkRecord] = []
    controller.records_added.connect(lambda records: marks.extend(r for r in records if isinstance(r, MarkRecord)))
    press(engine_window, "cure_free_bits")
    controller.step_once()
    qtbot.waitUntil(lambda: controller.status.free_bits == 0.1, timeout=LONG_MS)
    press(engine_window, "cure_free_bits_undo")
    controller.step_once()
    qtbot.waitUntil(lambda: len(marks) == 2, timeout=LONG_MS)
    assert [(mark.name, mark.value) for mark in marks] == [("free_bits", 0.1), ("free_bits", 0.0)]
    qtbot.waitUntil(lambda: controller.status.free_bits == 0.0, timeout=LONG_MS)


def test_what_the_model_is_worth_is_worked_out_as_a_job(qtbot: QtBot, engine_window: Explorer) -> None:
    open_trained(qtbot, engine_window)
    raise_dock(qtbot, engine_window, "collapse")
    press(engine_window, "collapse_worth")
    press(engine_window, "worth_evaluate")
    table = engine_window.window.findChild(QTableWidget, "worth_table")
    qtbot.waitUntil(lambda: table.rowCount() > 5, timeout=LONG_MS)
    names = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert {"ELBO", "KL", "log p(x), sampled", "Active units"} <= set(names)
