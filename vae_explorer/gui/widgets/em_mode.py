"""`EmModeSwitch`: EM on a mixture, or the two steps of a VAE in its place."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.toggle_style import toggle_sheet

EmMode = Literal["mixture", "vae"]


class EmModeSwitch(QWidget):
    """Two buttons of which one is down. mode_chosen(str): the person wants the other."""

    mode_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        for mode, text, help_ in (
            ("mixture", self.tr("Mixture"), self.tr("EM on a mixture of Gaussians: each step is exact.")),
            ("vae", self.tr("VAE"), self.tr("The same two steps on the open VAE, by gradients.")),
        ):
            button = QToolButton()
            button.setText(text)
            button.setObjectName(f"em_mode_{mode}")
            button.setCheckable(True)
            button.setToolTip(help_)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._group.addButton(button)
            self._buttons[mode] = button
            row.addWidget(button, 1)
        self.set_mode("mixture")
        self._group.buttonClicked.connect(self._on_clicked)
        self._restyle()

    def set_mode(self, mode: EmMode) -> None:
        """Show which one is on, without emitting."""
        self._buttons[mode].setChecked(True)

    def _on_clicked(self) -> None:
        self.mode_chosen.emit(next(mode for mode, button in self._buttons.items() if button.isChecked()))

    def _restyle(self) -> None:
        self.setStyleSheet(toggle_sheet(current_theme()))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.styleSheet() != toggle_sheet(current_theme()):
            self._restyle()
