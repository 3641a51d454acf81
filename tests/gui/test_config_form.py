"""The form made from the configuration: parsing in every locale, marking bad values, hiding what has no effect."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QToolButton

from vae_explorer.config import FIELDS, RunConfig
from vae_explorer.errors import ConfigError
from vae_explorer.gui.widgets.config_form import ConfigForm, SettingField, parse_text, value_text


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("objective.beta", "0.25", 0.25),
        ("objective.beta", "0,25", 0.25),
        ("train.learning_rate", "1e-3", 1e-3),
        ("model.hidden", "[400, 200]", (400, 200)),
        ("model.hidden", "400 200", (400, 200)),
        ("model.hidden", "", ()),
        ("data.side", "", None),
        ("train.steps", "100", 100),
        ("train.steps", "10,000", 10_000),
        ("train.steps", "1.000.000", 1_000_000),
        ("objective.beta", "0,125", 0.125),
        ("train.device", "cuda:1", "cuda:1"),
    ],
)
def test_text_becomes_the_settings_value(key: str, text: str, value: object) -> None:
    assert parse_text(FIELDS[key], text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("model.latent_dim", "0"),
        ("model.latent_dim", "2.5"),
        ("train.steps", "10,0"),
        ("objective.beta", "x"),
        ("objective.beta", "nan"),
        ("model.hidden", "4, -1"),
    ],
)
def test_text_that_does_not_fit_is_refused_with_key_and_range(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} = .*expected"):
        parse_text(FIELDS[key], text)


def test_every_default_survives_the_way_through_its_field() -> None:
    for spec in FIELDS.values():
        if spec.kind in ("int", "float", "text", "int_list"):
            assert parse_text(spec, value_text(spec.default)) == spec.default


@pytest.mark.parametrize(
    ("value", "text"), [(0.00123456789, "0.00123456789"), (1e-5, "1e-05"), (60.0, "60"), (0.25, "0.25")]
)
def test_a_number_is_shown_with_all_its_digits(value: float, text: str) -> None:
    assert value_text(value) == text


def test_leaving_a_field_that_nobody_edited_changes_nothing(qtbot) -> None:
    form = ConfigForm(["train.learning_rate"])
    qtbot.addWidget(form)
    form.set_config(RunConfig().with_values({"train.learning_rate": 0.00123456789}))
    field = form.control("train.learning_rate")
    assert isinstance(field, SettingField)
    field.setText("0.00123")
    with qtbot.assertNotEmitted(form.config_edited):
        field.editingFinished.emit()


def test_what_was_understood_is_shown(qtbot) -> None:
    form = ConfigForm(["objective.beta"])
    qtbot.addWidget(form)
    field = form.control("objective.beta")
    assert isinstance(field, SettingField)
    field.selectAll()
    qtbot.keyClicks(field, "2,500")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "2.5"


def test_typing_emits_a_valid_configuration(qtbot) -> None:
    form = ConfigForm(["model.latent_dim", "model.hidden"])
    qtbot.addWidget(form)
    field = form.control("model.latent_dim")
    assert isinstance(field, SettingField)
    field.selectAll()
    with qtbot.waitSignal(form.config_edited) as caught:
        qtbot.keyClicks(field, "10")
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert caught.args[0].model.latent_dim == 10


def test_a_bad_value_is_marked_and_not_taken(qtbot) -> None:
    form = ConfigForm(["model.latent_dim"])
    qtbot.addWidget(form)
    field = form.control("model.latent_dim")
    assert isinstance(field, SettingField)
    field.selectAll()
    with qtbot.assertNotEmitted(form.config_edited):
        qtbot.keyClicks(field, "999")
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "from 1 to 256" in field.toolTip()
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "2"
    assert "from 1 to 256" not in field.toolTip()


def test_arrow_keys_step_and_stay_in_range(qtbot) -> None:
    form = ConfigForm(["model.latent_dim"])
    qtbot.addWidget(form)
    field = form.control("model.latent_dim")
    for _ in range(3):
        qtbot.keyClick(field, Qt.Key.Key_Down)
    assert field.text() == "1"


def test_the_wheel_scrolls_the_form_and_changes_nothing(qtbot) -> None:
    form = ConfigForm(["model.kind"])
    qtbot.addWidget(form)
    kind = form.control("model.kind")
    kind.setFocus()
    turn = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(kind, turn)
    assert not turn.isAccepted()
    assert kind.currentData() == "vae"


def test_settings_without_effect_are_not_shown(qtbot) -> None:
    form = ConfigForm([key for key in FIELDS if key.startswith("model.")])
    qtbot.addWidget(form)
    assert not form.is_shown("model.scale")
    form.set_config(RunConfig().with_values({"model.likelihood": "gaussian", "model.variance": "fixed"}))
    assert form.is_shown("model.scale")
    assert not form.is_shown("model.channels")


def test_settings_that_few_runs_change_wait_behind_more_until_they_differ(qtbot) -> None:
    form = ConfigForm([key for key in FIELDS if key.startswith("train.")])
    qtbot.addWidget(form)
    more = form.findChild(QToolButton, "more_settings")
    assert not form.is_shown("train.eps")
    n = int(more.text().split()[0])
    form.set_config(RunConfig().with_values({"train.eps": 1e-4}))
    assert form.is_shown("train.eps")
    assert int(more.text().split()[0]) == n - 1
    more.click()
    assert form.is_shown("train.log_every")
    assert more.text() == "Fewer"


def test_settings_that_do_not_go_together_are_named_where_the_first_of_them_lies(qtbot) -> None:
    forms = {name: ConfigForm([key for key in FIELDS if key.startswith(name)]) for name in ("objective", "train")}
    for form in forms.values():
        qtbot.addWidget(form)
    config = RunConfig().with_values({"objective.bound": "iwae", "objective.free_bits": 0.5})
    for form in forms.values():
        form.set_config(config)
    said = {name: form.findChild(QLabel, "config_conflict").text() for name, form in forms.items()}
    assert said["objective"].startswith("objective.free_bits = 0.5: needs the KL of each dimension")
    assert said["train"] == ""
    # It has no effect under this bound, but it is what must be changed.
    assert forms["objective"].is_shown("objective.free_bits")
    forms["objective"].set_config(config.with_values({"objective.free_bits": 0.0}))
    assert forms["objective"].findChild(QLabel, "config_conflict").text() == ""
    assert not forms["objective"].is_shown("objective.free_bits")


def test_showing_a_configuration_emits_nothing(qtbot) -> None:
    form = ConfigForm(FIELDS)
    qtbot.addWidget(form)
    with qtbot.assertNotEmitted(form.config_edited):
        form.set_config(RunConfig().with_values({"model.kind": "autoencoder", "data.hue": True, "train.steps": 5}))
    box = form.control("model.kind")
    assert isinstance(box, QComboBox)
    assert box.currentData() == "autoencoder"


def test_every_control_says_what_it_is(qtbot) -> None:
    form = ConfigForm(FIELDS)
    qtbot.addWidget(form)
    for key in FIELDS:
        control = form.control(key)
        assert control.accessibleName()
        assert control.toolTip()


def test_why_an_entered_value_was_not_taken_is_said_below_until_it_is_mended(qtbot) -> None:
    form = ConfigForm(["objective.beta", "objective.free_bits"])
    qtbot.addWidget(form)
    line, field = form.findChild(QLabel, "config_conflict"), form.control("objective.beta")
    field.selectAll()
    qtbot.keyClicks(field, "1, 2, 1")
    assert line.text() == ""  # not while it is typed
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert line.text() == field.toolTip() != field.spec.help
    form.set_config(RunConfig())
    assert form.findChild(QLabel, "config_conflict").text() == field.refusal
    field.selectAll()
    qtbot.keyClicks(field, "1, 2")
    assert line.text() == ""
