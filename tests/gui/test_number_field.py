"""The number field: every way of writing a number, keys, errors without dialogs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QLocale, Qt
from pytestqt.qtbot import QtBot

from vae_explorer.gui.widgets.number_field import NumberField, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.25", 0.25), ("0,25", 0.25), (" -3 ", -3.0), ("−1.5", -1.5), ("1e-3", 1e-3), ("1,5e2", 150.0), (".5", 0.5),
     ("0,125", 0.125), ("1,000", 1.0), ("1,000,000", 1_000_000.0)],
)  # fmt: skip
def test_parse_number(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "1,234.5", "nan", "inf", "1_000", "-"])
def test_what_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("1,000", 1000), ("10.000", 10_000), ("-1,234,567", -1_234_567), ("12", 12), ("1e4", 10_000)]
)
def test_whole_numbers_may_be_grouped_in_threes(text: str, value: int) -> None:
    assert parse_number(text, is_whole=True) == value


@pytest.mark.parametrize("text", ["2.5", "2,5", "10,0", "1,00", "1000,000", "1,000.000", "0,125"])
def test_what_is_no_whole_number(text: str) -> None:
    assert parse_number(text, is_whole=True) is None


def _field(qtbot: QtBot, **options: object) -> tuple[NumberField, list[float]]:
    field = NumberField(1.0, **options)  # type: ignore[arg-type]
    qtbot.addWidget(field)
    seen: list[float] = []
    field.value_changed.connect(seen.append)
    return field, seen


def _type(qtbot: QtBot, field: NumberField, text: str, *, enter: bool = True) -> None:
    field.selectAll()
    qtbot.keyClicks(field, text)
    if enter:
        qtbot.keyClick(field, Qt.Key.Key_Return)


@pytest.mark.parametrize("locale", ["de_DE", "en_US", "fr_FR", "ar_EG"])
def test_point_and_comma_in_every_locale(qtbot: QtBot, locale: str) -> None:
    before = QLocale()
    QLocale.setDefault(QLocale(locale))
    try:
        field, seen = _field(qtbot)
        _type(qtbot, field, "0.25")
        assert field.text() == "0.25"
        _type(qtbot, field, "0,5")
    finally:
        QLocale.setDefault(before)
    assert seen == [0.25, 0.5]
    assert field.value() == 0.5


def test_out_of_range_keeps_the_value_and_says_what_is_expected(qtbot: QtBot) -> None:
    field, seen = _field(qtbot, minimum=0, maximum=10)
    field.set_help("Weight of the KL term.")
    _type(qtbot, field, "11")
    assert seen == []
    assert field.value() == 1.0
    assert not field.is_valid()
    assert field.toolTip() == "Expected a number from 0 to 10."
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "1"
    assert field.is_valid()
    assert field.toolTip() == "Weight of the KL term."


def test_an_error_is_framed(qtbot: QtBot) -> None:
    field, _ = _field(qtbot)
    plain = field.grab().toImage()
    _type(qtbot, field, "x", enter=False)
    field.setCursorPosition(0)
    assert field.grab().toImage().pixelColor(1, 1) != plain.pixelColor(1, 1)


def test_arrow_keys_step_and_stop_at_the_limits(qtbot: QtBot) -> None:
    field, seen = _field(qtbot, minimum=0, maximum=1.25, step=0.1)
    qtbot.keyClick(field, Qt.Key.Key_Up)
    qtbot.keyClick(field, Qt.Key.Key_Down)
    qtbot.keyClick(field, Qt.Key.Key_PageUp)
    qtbot.keyClick(field, Qt.Key.Key_Up)
    assert seen == [1.1, 1.0, 1.25]


def test_a_factor_multiplies(qtbot: QtBot) -> None:
    field, seen = _field(qtbot, factor=2.0)
    field.step_by(-2)
    assert seen == [0.25]


def test_whole_numbers(qtbot: QtBot) -> None:
    field, seen = _field(qtbot, is_integer=True, minimum=1, maximum=2_000_000)
    _type(qtbot, field, "2.5")
    assert not field.is_valid()
    _type(qtbot, field, "1500000")
    assert seen == [1_500_000]
    assert field.text() == "1500000"
    _type(qtbot, field, "1,000")
    assert seen == [1_500_000, 1000]


def test_set_value_does_not_emit_and_does_not_disturb_typing(qtbot: QtBot) -> None:
    field, seen = _field(qtbot)
    field.show()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    _type(qtbot, field, "3", enter=False)
    field.set_value(7.0)
    assert field.text() == "3"
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert seen == [3.0]
    field.set_value(8.0)
    assert field.text() == "8"
    assert seen == [3.0]
