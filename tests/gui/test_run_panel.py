"""The run panel: what its buttons send, what the form changes, what it says of the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QProgressBar, QPushButton, QToolButton

from tests.gui.conftest import FakeController, make_opened, make_status
from vae_explorer.config import DataConfig
from vae_explorer.engine import messages as m
from vae_explorer.gui.panels.run import RunPanel
from vae_explorer.gui.widgets.config_form import SettingField


@pytest.fixture
def panel(qtbot, open_fake_run: Callable[..., FakeController]) -> RunPanel:
    controller = open_fake_run()
    controller.set_draft(controller.config)
    controller.take()
    panel = RunPanel(controller)
    qtbot.addWidget(panel)
    panel.resize(300, 700)
    panel.show()
    return panel


def controller_of(panel: RunPanel) -> FakeController:
    return panel._controller  # type: ignore[return-value]


def button(panel: RunPanel, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, f"run_{name}")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("train", m.EngineState.READY, m.Start()),
        ("pause", m.EngineState.RUNNING, m.Pause()),
        ("step", m.EngineState.PAUSED, m.StepOnce()),
        ("stop", m.EngineState.RUNNING, m.Stop()),
    ],
)
def test_a_button_sends_its_command(qtbot, panel: RunPanel, name: str, state: m.EngineState, message: object) -> None:
    controller = controller_of(panel)
    controller.handle(make_status(state))
    qtbot.mouseClick(button(panel, name), Qt.MouseButton.LeftButton)
    assert controller.take() == [message]


def test_train_begins_a_new_run_once_the_form_was_changed(qtbot, panel: RunPanel) -> None:
    controller = controller_of(panel)
    field = panel.findChild(SettingField, "model.latent_dim")
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "5")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert button(panel, "train").text() == "Train new run"
    qtbot.mouseClick(button(panel, "train"), Qt.MouseButton.LeftButton)
    new, start = controller.take()
    assert isinstance(new, m.NewRun)
    assert new.config.model.latent_dim == 5
    assert start == m.Start()


def test_a_new_run_whose_settings_do_not_go_together_is_refused(qtbot, panel: RunPanel) -> None:
    controller = controller_of(panel)
    controller.set_draft(controller.draft.with_values({"objective.similarity": "mmd"}))
    with qtbot.waitSignal(controller.noticed) as caught:
        qtbot.mouseClick(button(panel, "train"), Qt.MouseButton.LeftButton)
    assert controller.take() == []
    assert "objective.mmd_weight is 0" in caught.args[0]
    assert caught.args[0] in [label.text() for label in panel.findChildren(QLabel, "config_conflict")]


def test_a_folded_section_opens_for_what_does_not_go_together(panel: RunPanel) -> None:
    controller = controller_of(panel)
    header = panel.findChild(QToolButton, "section_train")
    assert not header.isChecked()
    controller.set_draft(controller.draft.with_values({"model.kind": "m2", "train.labelled_batch": 500}))
    assert header.isChecked()
    said = [label.text() for label in panel.findChildren(QLabel, "config_conflict") if label.isVisible()]
    assert [text.split(":")[0] for text in said] == ["train.labelled_batch = 500"]


def test_train_on_a_read_only_run_begins_a_new_one(qtbot, panel: RunPanel) -> None:
    controller = controller_of(panel)
    controller.handle(replace(make_opened(), is_read_only=True))
    controller.take()
    qtbot.mouseClick(button(panel, "train"), Qt.MouseButton.LeftButton)
    assert [type(message) for message in controller.take()] == [m.NewRun, m.Start]


def test_another_data_set_is_asked_for(qtbot, panel: RunPanel) -> None:
    box = panel.findChild(QComboBox, "data.name")
    assert box is not None
    index = box.findData("shapes")
    with qtbot.waitSignal(panel.data_requested) as caught:
        box.setCurrentIndex(index)
        box.activated.emit(index)
    assert caught.args == [DataConfig(name="shapes")]


def test_binarising_asks_for_no_images(qtbot, panel: RunPanel) -> None:
    box = panel.findChild(QComboBox, "data.binarize")
    assert box is not None
    with qtbot.assertNotEmitted(panel.data_requested):
        box.setCurrentIndex(box.findData("dynamic"))
    assert controller_of(panel).draft.data.binarize == "dynamic"
    assert button(panel, "train").text() == "Train new run"


def test_sections_say_what_they_do(panel: RunPanel) -> None:
    for section in ("data", "model", "objective", "train"):
        header = panel.findChild(QToolButton, f"section_{section}")
        assert header is not None
        # Without one of its own, Qt shows the text.
        assert header.toolTip() not in ("", header.text())


def test_a_preset_fills_the_form(qtbot, panel: RunPanel) -> None:
    box = panel.findChild(QComboBox, "preset")
    assert box is not None
    index = box.findData("mnist-20d")
    with qtbot.waitSignal(panel.data_requested):
        box.setCurrentIndex(index)
        box.activated.emit(index)
    assert controller_of(panel).draft.model.latent_dim == 20


def test_progress_says_step_speed_and_time_left(panel: RunPanel) -> None:
    status = make_status(m.EngineState.RUNNING, 250, steps_per_s=1234.0, seconds_left=75.0)
    controller_of(panel).handle(status)
    text = panel.findChild(QLabel, "run_progress_text").text()
    assert "step 250 of 1,000" in text
    assert "1,234 steps/s" in text
    assert "1 min 15 s left" in text
    assert panel.findChild(QProgressBar, "run_progress").value() == 250


def test_the_scale_floor_is_said(panel: RunPanel) -> None:
    label = panel.findChild(QLabel, "scale_floor")
    assert not label.isVisible()
    controller_of(panel).handle(make_status(is_scale_at_floor=True))
    assert label.isVisible()


def test_buttons_follow_the_state(panel: RunPanel) -> None:
    controller_of(panel).handle(make_status(m.EngineState.RUNNING))
    assert not button(panel, "train").isEnabled()
    assert button(panel, "train").text() == "Training ..."
    assert button(panel, "pause").isEnabled()
    controller_of(panel).handle(make_status(m.EngineState.PAUSED))
    assert button(panel, "train").isEnabled()
    assert button(panel, "train").text() == "Resume"
    assert not button(panel, "pause").isEnabled()
