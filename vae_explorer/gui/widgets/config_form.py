"""A form made from the configuration's own labels, ranges and help: one row a setting, checked as it is typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QWidget

from vae_explorer.config import FIELDS, FieldSpec, RunConfig
from vae_explorer.config_rules import is_relevant
from vae_explorer.errors import ConfigError
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.number_field import parse_number


def parse_text(spec: FieldSpec, text: str) -> Any:
    """Return the validated value that a text field holds; for commas and points in numbers see `parse_number`.

    Raises ConfigError with the setting, what was typed and what is expected.
    """
    text = text.strip()
    if not text and spec.is_optional:
        return None
    if spec.kind == "text":
        return spec.validate(text)
    if spec.kind in ("int_list", "float_list"):
        words = text.strip("[]()").replace(";", ",").replace(" ", ",").split(",")
        return spec.validate([_number(spec, word) for word in words if word])
    return spec.validate(_number(spec, text))


def _number(spec: FieldSpec, text: str) -> float | int:
    is_whole = spec.kind in ("int", "int_list")
    number = parse_number(text, is_whole=is_whole)
    if number is None:
        raise ConfigError(f"{spec.key} = {text!r}: expected {spec.expectation}.")
    return int(number) if is_whole else number


def value_text(value: Any) -> str:
    """Return a value as its field shows it, with all its digits: '400, 200', '0.001', '1' for 1.0, '' for None."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


class SettingField(QLineEdit):
    """A line for a number, a list or a text; a value that does not fit is marked and not taken.

    value_edited(object): a new valid value was entered (Return, Tab or an arrow key).
    """

    value_edited = Signal(object)

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self._value: Any = spec.default
        self.setText(value_text(spec.default))
        self.setPlaceholderText(self.tr("automatic") if spec.is_optional else "")
        self.editingFinished.connect(self._take)
        self.textEdited.connect(self._check)

    def set_value(self, value: Any) -> None:
        """Show a value without emitting; text that is being typed right now is left alone until it is entered."""
        self._value = value
        if not (self.hasFocus() and self.isModified()):
            self._show_value()

    def _check(self, text: str) -> None:
        try:
            parse_text(self.spec, text)
            self._mark("")
        except ConfigError as error:
            self._mark(str(error))

    def _take(self) -> None:
        if not self.isModified():
            return
        try:
            self._enter(parse_text(self.spec, self.text()))
        except ConfigError as error:
            self._mark(str(error))

    def _enter(self, value: Any) -> None:
        has_changed = value != self._value
        self._value = value
        self._show_value()
        if has_changed:
            self.value_edited.emit(value)

    def _show_value(self) -> None:
        self.setText(value_text(self._value))  # also what was understood of '2,500' or '400 200'
        self._mark("")

    def _mark(self, error: str) -> None:
        self.setToolTip(error or self.spec.help)
        self.setAccessibleDescription(error or self.spec.help)
        self.setStyleSheet(f"QLineEdit {{ border: 1px solid {current_theme().error}; }}" if error else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down step a number: whole numbers by one, others by a tenth of their size; Escape restores."""
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self._show_value()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.spec.kind in ("int", "float"):
            self._nudge(1 if key == Qt.Key.Key_Up else -1)
        else:
            super().keyPressEvent(event)

    def _nudge(self, sign: int) -> None:
        value = self._value if self._value is not None else (self.spec.minimum or 0)
        step = 1 if self.spec.kind == "int" else (abs(value) / 10 or 0.1)
        moved = value + sign * step
        if self.spec.minimum is not None and self.spec.maximum is not None:
            moved = min(max(moved, self.spec.minimum), self.spec.maximum)
        self._enter(int(moved) if self.spec.kind == "int" else float(f"{moved:.6g}"))


class ConfigForm(QWidget):
    """Rows for some settings of one configuration.

    config_edited(RunConfig): a person changed a setting and the whole is valid. Settings without effect are greyed.
    """

    config_edited = Signal(object)

    def __init__(self, keys: Iterable[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._config = RunConfig()
        self._labels: dict[str, QLabel] = {}
        self._controls: dict[str, QWidget] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(GRID_PX // 2)
        layout.setHorizontalSpacing(GRID_PX)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for key in keys:
            spec = FIELDS[key]
            control = self._make_control(spec)
            control.setObjectName(key)
            control.setAccessibleName(self.tr(spec.label))
            control.setToolTip(self.tr(spec.help))
            control.setMinimumWidth(72)
            label = QLabel(self.tr(spec.label))
            label.setToolTip(self.tr(spec.help))
            label.setBuddy(control)
            layout.addRow(label, control)
            self._labels[key], self._controls[key] = label, control
        self._show_relevance()

    def set_config(self, config: RunConfig) -> None:
        """Show a configuration without emitting."""
        self._config = config
        for key, control in self._controls.items():
            value = config.get(key)
            control.blockSignals(True)
            if isinstance(control, SettingField):
                control.set_value(value)
            elif isinstance(control, QComboBox):
                control.setCurrentIndex(control.findData(value))
            elif isinstance(control, QCheckBox):
                control.setChecked(value)
            control.blockSignals(False)
        self._show_relevance()

    def control(self, key: str) -> QWidget:
        """Return the control of a setting."""
        return self._controls[key]

    def _make_control(self, spec: FieldSpec) -> QWidget:
        if spec.kind == "choice":
            box = QComboBox()
            for choice in spec.choices:
                box.addItem(choice, choice)
            box.setCurrentIndex(box.findData(spec.default))
            box.currentIndexChanged.connect(lambda _, key=spec.key, box=box: self._change(key, box.currentData()))
            return box
        if spec.kind == "bool":
            check = QCheckBox()
            check.setChecked(spec.default)
            check.toggled.connect(lambda is_on, key=spec.key: self._change(key, is_on))
            return check
        field = SettingField(spec)
        field.value_edited.connect(lambda value, key=spec.key: self._change(key, value))
        return field

    def _change(self, key: str, value: Any) -> None:
        changed = self._config.with_values({key: value})
        if changed != self._config:
            self._config = changed
            self._show_relevance()
            self.config_edited.emit(changed)

    def _show_relevance(self) -> None:
        for key, control in self._controls.items():
            is_on = is_relevant(key, self._config)
            control.setEnabled(is_on)
            self._labels[key].setEnabled(is_on)
