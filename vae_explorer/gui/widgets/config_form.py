"""A form made from the configuration's own labels, ranges and help: one row a setting, checked as it is typed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QToolButton, QWidget

from vae_explorer.config import FIELDS, SECTIONS, FieldSpec, RunConfig
from vae_explorer.config_rules import check_together, is_relevant
from vae_explorer.errors import ConfigError
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.number_field import parse_number
from vae_explorer.gui.widgets.still_combo_box import StillComboBox
from vae_explorer.sweep_config import SWEPT, checked_betas

SELDOM = frozenset({
    "data.fit", "data.colour", "data.validation", "data.train_on", "data.seed",
    "model.activation", "model.output", "model.init",
    "objective.kl", "objective.gradient", "objective.mmd_weight", "objective.tc_weight",
    "objective.weight_prior",
    "train.betas", "train.eps", "train.lr_schedule", "train.log_every", "train.evaluate_every",
    "train.checkpoint_every_s",
})  # fmt: skip
"""Settings that few runs change: behind 'More' until they are wanted, and always there once they differ from usual."""

_KEY = re.compile(rf"\b(?:{'|'.join(SECTIONS)})\.[a-z_0-9]+")


def conflict_of(config: RunConfig) -> str:
    """Return the sentence about the first two settings that do not go together, '' when all do."""
    try:
        check_together(config)
    except ConfigError as error:
        return str(error)
    return ""


def keys_in(sentence: str) -> list[str]:
    """Return the settings that a sentence names, in order."""
    return _KEY.findall(sentence)


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
        return ", ".join(map(value_text, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


class SettingField(QLineEdit):
    """A line for a number, a list or a text; a value that does not fit is marked and not taken.

    value_edited(object): a new valid value was entered (Return, Tab or an arrow key). refusal_changed(): `refusal` is
    another; it says why what was entered is not taken, '' where it is.
    """

    value_edited = Signal(object)
    refusal_changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.refusal = ""
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

    def _parse(self, text: str) -> Any:
        return parse_text(self.spec, text)

    def _check(self, text: str) -> None:
        try:
            self._parse(text)
            self._mark("")
        except ConfigError as error:
            self._mark(str(error))

    def _take(self) -> None:
        if not self.isModified():
            return
        try:
            self._enter(self._parse(self.text()))
        except ConfigError as error:
            self._mark(str(error))
            self._refuse(str(error))

    def _enter(self, value: Any) -> None:
        has_changed = value != self._value
        self._value = value
        self._show_value()
        if has_changed:
            self.value_edited.emit(value)

    def _show_value(self) -> None:
        self.setText(value_text(self._value))  # also what was understood of '2,500' or '400 200'
        self._mark("")

    def _refuse(self, error: str) -> None:
        if error != self.refusal:
            self.refusal = error
            self.refusal_changed.emit()

    def _mark(self, error: str) -> None:
        if not error:
            self._refuse("")
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
        if isinstance(self._value, tuple):
            return
        value = self._value if self._value is not None else (self.spec.minimum or 0)
        step = 1 if self.spec.kind == "int" else (abs(value) / 10 or 0.1)
        moved = value + sign * step
        if self.spec.minimum is not None and self.spec.maximum is not None:
            moved = min(max(moved, self.spec.minimum), self.spec.maximum)
        self._enter(int(moved) if self.spec.kind == "int" else float(f"{moved:.6g}"))


class BetaField(SettingField):
    """The line of beta: a number, or a list such as '0.5, 1, 2, 4' for a sweep."""

    def _parse(self, text: str) -> Any:
        words = list_words(text)
        if words is None:
            return super()._parse(text)
        return checked_betas([_number(self.spec, word) for word in words])


def list_words(text: str) -> list[str] | None:
    """Return the words of a list of numbers, None for a single one.

    A comma alone separates decimals (0,5 is one half): a list has brackets, blanks, semicolons or several commas.
    """
    plain = text.strip()
    is_in_brackets = plain[:1] in ("[", "(")
    plain = plain.strip("[]()").strip()
    if ";" in plain:
        words = plain.split(";")
    elif is_in_brackets or " " in plain or plain.count(",") > 1:
        words = plain.replace(",", " ").split()
    else:
        return None
    return [word for word in (word.strip() for word in words) if word]


class ConfigForm(QWidget):
    """Rows for some settings of one configuration; those without an effect under the others are not shown.

    config_edited(RunConfig): a person changed a setting and the whole is valid. Where two settings do not go together,
    both have their rows and one line below says so, in the form of the setting that the sentence names first. That line
    says too why a value that was entered is not taken.
    betas_edited(tuple | None): a person made the one beta a list, for a sweep, or the list one beta again.
    """

    config_edited = Signal(object)
    betas_edited = Signal(object)

    def __init__(self, keys: Iterable[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._config = RunConfig()
        self._betas: tuple[float, ...] | None = None
        self._controls: dict[str, QWidget] = {}
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setVerticalSpacing(GRID_PX // 2)
        self._rows.setHorizontalSpacing(GRID_PX)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for key in keys:
            self._add_row(FIELDS[key])
        self._more = QToolButton()
        self._more.setObjectName("more_settings")
        self._more.setAutoRaise(True)
        self._more.setCheckable(True)
        self._more.setToolTip(self.tr("Show or hide the settings that few runs change."))
        self._more.toggled.connect(self._show_rows)
        self._conflict = QLabel()
        self._conflict.setObjectName("config_conflict")
        self._conflict.setWordWrap(True)
        self._rows.addRow(self._more)
        self._rows.addRow(self._conflict)
        self._restyle()
        self._show_rows()

    def _add_row(self, spec: FieldSpec) -> None:
        control = self._make_control(spec)
        control.setObjectName(spec.key)
        control.setAccessibleName(self.tr(spec.label))
        control.setToolTip(self.tr(spec.help))
        control.setMinimumWidth(72)
        label = QLabel(self.tr(spec.label))
        label.setToolTip(self.tr(spec.help))
        label.setBuddy(control)
        self._rows.addRow(label, control)
        self._controls[spec.key] = control

    def set_config(self, config: RunConfig) -> None:
        """Show a configuration without emitting."""
        self._config = config
        for key, control in self._controls.items():
            value: Any = self._betas if key == SWEPT and self._betas is not None else config.get(key)
            control.blockSignals(True)
            if isinstance(control, SettingField):
                control.set_value(value)
            elif isinstance(control, QComboBox):
                control.setCurrentIndex(control.findData(value))
            elif isinstance(control, QCheckBox):
                control.setChecked(value)
            control.blockSignals(False)
        self._show_rows()

    def set_betas(self, betas: tuple[float, ...] | None) -> None:
        """Show a list in the place of beta, or (None) the configuration's; without emitting."""
        if betas != self._betas:
            self._betas = betas
            self.set_config(self._config)

    def control(self, key: str) -> QWidget:
        """Return the control of a setting."""
        return self._controls[key]

    @property
    def has_conflict(self) -> bool:
        """Whether the line about settings that do not go together is in this form."""
        return bool(self._conflict.text())

    def is_shown(self, key: str) -> bool:
        """Whether a setting has a row now."""
        return self._rows.isRowVisible(self._controls[key])

    def _make_control(self, spec: FieldSpec) -> QWidget:
        if spec.kind == "choice":
            box = StillComboBox()
            for choice in spec.choices:
                box.addItem(choice, choice)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
            box.setCurrentIndex(box.findData(spec.default))
            box.currentIndexChanged.connect(lambda _, key=spec.key, box=box: self._change(key, box.currentData()))
            return box
        if spec.kind == "bool":
            check = QCheckBox()
            check.setChecked(spec.default)
            check.toggled.connect(lambda is_on, key=spec.key: self._change(key, is_on))
            return check
        field = BetaField(spec) if spec.key == SWEPT else SettingField(spec)
        field.value_edited.connect(lambda value, key=spec.key: self._change(key, value))
        field.refusal_changed.connect(self._show_rows)
        return field

    def _change(self, key: str, value: Any) -> None:
        if key == SWEPT:
            betas = value if isinstance(value, tuple) else None
            if betas != self._betas:
                self._betas = betas
                self.betas_edited.emit(betas)
            if betas is not None:
                return
        changed = self._config.with_values({key: value})
        if changed != self._config:
            self._config = changed
            self._show_rows()
            self.config_edited.emit(changed)

    def _show_rows(self) -> None:
        sentence = conflict_of(self._config)
        named = keys_in(sentence)
        n_more = 0
        for key, control in self._controls.items():
            # A setting that is in the way must be there to be changed, whether it has an effect or not.
            is_needed = key in named
            is_seldom = key in SELDOM and self._config.get(key) == FIELDS[key].default
            is_possible = is_relevant(key, self._config)
            n_more += is_possible and is_seldom and not is_needed
            self._rows.setRowVisible(control, is_needed or (is_possible and (self._more.isChecked() or not is_seldom)))
        self._more.setText(self.tr("Fewer") if self._more.isChecked() else self.tr("{n} more").format(n=n_more))
        self._rows.setRowVisible(self._more, n_more > 0)
        is_here = bool(named) and named[0] in self._controls
        refusals = [field.refusal for field in self._controls.values() if isinstance(field, SettingField)]
        said = " ".join(filter(None, [*refusals, sentence if is_here else ""]))
        self._conflict.setText(said)
        self._rows.setRowVisible(self._conflict, bool(said))

    def _restyle(self) -> None:
        theme = current_theme()
        self._more.setStyleSheet(f"QToolButton {{ color: {theme.muted}; border: none; padding: 0; }}")
        self._conflict.setStyleSheet(f"color: {theme.warning};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_conflict"):
            self._restyle()
