"""`EmForm`: what EM is to be shown on, and the buttons that do its steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.em_points import Source
from vae_explorer.gui.widgets.glyph_button import GlyphButton
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.latent.mixture import Covariance

Button = Literal["start", "e", "m", "back", "play", "fit", "use"]

MOST_COMPONENTS = 50


class EmForm(QWidget):
    """changed(): other points or another kind of mixture are wanted. pressed(str): a `Button`."""

    changed = Signal()
    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._has_chosen_source = False
        self._make_fields()
        self._make_buttons()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID_PX // 2)
        for column in range(6):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self._source, 0, 0, 1, 6)
        grid.addWidget(QLabel(self.tr("Gaussians")), 1, 0)
        grid.addWidget(self._components, 1, 1)
        grid.addWidget(self._covariance, 1, 2, 1, 4)
        grid.addWidget(QLabel(self.tr("Seed")), 2, 0)
        grid.addWidget(self._seed, 2, 1, 1, 4)
        grid.addWidget(self._dice, 2, 5)
        for place, name in enumerate(("start", "e", "m", "play", "back", "fit")):
            grid.addWidget(self._buttons[name], 3 + place // 3, 2 * (place % 3), 1, 2)
        grid.addWidget(self._buttons["use"], 5, 0, 1, 6)
        self._source.currentIndexChanged.connect(self._on_source)
        self._covariance.currentIndexChanged.connect(self._on_changed)
        for field in (self._components, self._seed):
            field.value_changed.connect(self._on_changed)
        self._dice.clicked.connect(self._on_dice)
        self.set_playing(False)
        self.set_fitting(False)

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        self._source = _combo("em_source", self.tr("The points that the mixture is fitted to."))
        self._components = NumberField(5, minimum=1, maximum=MOST_COMPONENTS, is_integer=True, step=1)
        self._components.setObjectName("em_components")
        self._components.set_help(self.tr("How many Gaussians the mixture has."))
        self._components.setAccessibleName(self.tr("components"))
        self._components.setMinimumWidth(5 * GRID_PX)
        self._covariance = _combo("em_covariance", self.tr("The shapes that the Gaussians may have."))
        for text, kind in (
            (self.tr("Full"), "full"),
            (self.tr("Tied: one for all"), "tied"),
            (self.tr("Diagonal"), "diagonal"),
            (self.tr("Spherical"), "spherical"),
        ):
            self._covariance.addItem(text, kind)
        self._seed = NumberField(0, minimum=0, maximum=2**31 - 1, is_integer=True, step=1)
        self._seed.setObjectName("em_seed")
        self._seed.set_help(self.tr("The same seed draws the same points and the same start."))
        self._seed.setAccessibleName(self.tr("seed"))
        self._seed.setMinimumWidth(5 * GRID_PX)
        self._dice = GlyphButton("dice", self.tr("Another seed"))
        self._dice.setObjectName("em_dice")

    def _make_buttons(self) -> None:
        e_help = self.tr(
            "E step: each point's shares of the components are found anew, and the bound touches log p(x)."
        )
        m_help = self.tr("M step: the components move to their points, and bound and log p(x) rise.")
        self._buttons: dict[str, QPushButton] = {
            "start": self._button("start", self.tr("Start"), self.tr("Begin anew with k-means++ seeds.")),
            "e": self._button("e", self.tr("E step"), e_help),
            "m": self._button("m", self.tr("M step"), m_help),
            "play": self._button("play", self.tr("Pause"), self.tr("E and M steps in turns, until they win nothing.")),
            "back": self._button("back", self.tr("Back"), self.tr("Undo the last step.")),
            "fit": self._button("fit", self.tr("Stop"), self.tr("Go on quickly until the log-likelihood stands.")),
            "use": self._button("use", self.tr("Use as prior for sampling"), ""),
        }

    def _button(self, name: Button, text: str, help_: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"em_{name}")
        button.setToolTip(help_)
        button.setMinimumWidth(6 * GRID_PX)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.clicked.connect(partial(self._on_pressed, name))
        return button

    # ---- what the person does -------------------------------------------------------------------------------------

    def _on_pressed(self, name: Button, *_: object) -> None:
        self.pressed.emit(name)

    def _on_changed(self, *_: object) -> None:
        self.changed.emit()

    def _on_source(self) -> None:
        self._has_chosen_source = True
        self.changed.emit()

    def _on_dice(self) -> None:
        self._seed.step_by(1)

    # ---- what it says ---------------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """The chosen points."""
        source: Source = self._source.currentData() or "blobs"
        return source

    @property
    def n_components(self) -> int:
        """K."""
        return int(self._components.value())

    @property
    def covariance(self) -> Covariance:
        """The chosen kind of covariance."""
        kind: Covariance = self._covariance.currentData()
        return kind

    @property
    def seed(self) -> int:
        """Seed of drawn points and of the start."""
        return int(self._seed.value())

    def set_sources(self, sources: Sequence[tuple[str, Source]]) -> None:
        """Offer these points as (text, source): the first, or what the person chose if it is there; emits nothing."""
        chosen = self._source.currentData() if self._has_chosen_source else None
        was_blocked = self._source.blockSignals(True)
        self._source.clear()
        for text, source in sources:
            self._source.addItem(text, source)
        self._source.setCurrentIndex(max(0, self._source.findData(chosen)))
        self._source.blockSignals(was_blocked)

    def set_enabled(self, names: frozenset[Button]) -> None:
        """Enable these buttons and no others."""
        for name, button in self._buttons.items():
            button.setEnabled(name in names)

    def set_use_help(self, text: str) -> None:
        """Say what using the mixture does, or why it cannot be used."""
        self._buttons["use"].setToolTip(text)
        self._buttons["use"].setAccessibleDescription(text)

    def set_playing(self, is_playing: bool) -> None:
        """Show what the button would do now."""
        self._buttons["play"].setText(self.tr("Pause") if is_playing else self.tr("Play"))

    def set_fitting(self, is_fitting: bool) -> None:
        """Show what the button would do now."""
        self._buttons["fit"].setText(self.tr("Stop") if is_fitting else self.tr("Fit"))


def _combo(name: str, help_: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(help_)
    box.setAccessibleName(help_)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(4)
    return box
