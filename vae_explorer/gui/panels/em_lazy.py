"""The two steps of EM as a VAE takes them: q's weights alone, or theta's alone, and how the bound climbs by each."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.engine.messages import CodesSnapshot, EngineState, Part, RunOpened, RunStatus
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.em_mixture import SIDE_PX
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.ascent_plot import StepKind, step_colour
from vae_explorer.gui.widgets.curve_text import nats_text
from vae_explorer.gui.widgets.em_mode import EmModeSwitch
from vae_explorer.gui.widgets.em_points import EmPoints, code_points
from vae_explorer.gui.widgets.em_stage import EmStage
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.part_steps import PartSteps
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.theatre_map import Colours, blended
from vae_explorer.runs.records import LogRecord

CAN_STEP = (EngineState.READY, EngineState.PAUSED, EngineState.FINISHED)
MOST_UPDATES = 10_000


class LazyPage(QWidget):
    """An encoder does the E step lazily: some gradient updates towards p(z|x), for all images at once.

    The bound is the mean over all images of the snapshots; the marks in the log tell whose updates led to each.
    mode: the switch to the other page.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._steps = PartSteps()
        self._points: EmPoints | None = None
        self._build()
        controller.run_opened.connect(self._on_run_opened)
        controller.records_added.connect(self._on_records)
        controller.codes_changed.connect(self._on_codes)
        controller.status_changed.connect(self._on_status)
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
        if controller.codes is not None:
            self._on_codes(controller.codes)
        self._show()

    def _build(self) -> None:
        self._stage, self.mode = EmStage("lazy"), EmModeSwitch()
        self._stage.plot.set_axis_names(self.tr("step"), self.tr("ELBO, nats"))
        self._stage.plot.setToolTip(self.tr("The bound after each step, in the colour of whose weights were updated."))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX)
        row.addWidget(self._stage, 1)
        row.addWidget(self._make_side())

    def _make_side(self) -> QWidget:
        self._text = QLabel(
            self.tr(
                "The encoder is a lazy E step: its updates close the gap below log p(x) a little, those of the decoder "
                "then lift both. Press them in turns."
            )
        )
        self._text.setWordWrap(True)
        self._text.setFont(tick_font())
        self._updates = NumberField(25, minimum=1, maximum=MOST_UPDATES, is_integer=True, step=5)
        self._updates.setObjectName("lazy_updates")
        self._updates.set_help(self.tr("Updates a press."))
        self._updates.setAccessibleName(self.tr("updates a press"))
        self._q = self._button("encoder", self.tr("Update q"), self.tr("Update the encoder's weights alone."))
        self._theta = self._button("decoder", self.tr("Update θ"), self.tr("Update all weights but the encoder's."))
        side = QWidget()
        side.setFixedWidth(SIDE_PX)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self.mode)
        column.addWidget(self._text)
        row = QHBoxLayout()
        row.addWidget(QLabel(self.tr("Updates a press")), 1)
        row.addWidget(self._updates, 1)
        column.addLayout(row)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID_PX // 2)
        buttons.addWidget(self._q)
        buttons.addWidget(self._theta)
        column.addLayout(buttons)
        column.addStretch(1)
        return side

    def _button(self, part: Part, text: str, help_: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"lazy_{part}")
        button.setToolTip(help_)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.clicked.connect(self._on_encoder if part == "encoder" else self._on_decoder)
        return button

    # ---- what the person does -------------------------------------------------------------------------------------

    def _on_encoder(self) -> None:
        self._controller.step_part("encoder", int(self._updates.value()))

    def _on_decoder(self) -> None:
        self._controller.step_part("decoder", int(self._updates.value()))

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._steps, self._points = PartSteps(), None
        self._steps.add_records(opened.records)
        self._show()

    def _on_records(self, records: tuple[LogRecord, ...]) -> None:
        self._steps.add_records(records)

    def _on_codes(self, codes: CodesSnapshot) -> None:
        self._steps.add_codes(codes)
        if self.isVisible():
            self._show()

    def _on_status(self, status: RunStatus) -> None:
        self._show_buttons()

    # ---- showing --------------------------------------------------------------------------------------------------

    @property
    def _has_bound(self) -> bool:
        opened = self._controller.opened
        return opened is not None and opened.config.model.kind != "autoencoder"

    def _show(self) -> None:
        codes = self._controller.codes
        if codes is not None and np.isfinite(codes.loc).any():
            self._points = code_points(codes, only_main=False, before=self._points)
            self._stage.map.set_axis_names(*self._points.axis_names)
            self._stage.map.frame_points(self._points.flat)
            self._stage.map.set_points(self._points.flat, self._colours(codes, self._points))
        self._stage.plot.set_climbs(self._steps.climbs if self._has_bound else ())
        self._show_words()
        self._show_buttons()

    def _colours(self, codes: CodesSnapshot, points: EmPoints) -> Colours:
        theme, data = current_theme(), self._controller.data
        names = [*theme.classes, theme.muted]
        shown = codes.indices[points.places]
        labels = np.full(len(shown), -1) if data is None or data.labels is None else data.labels[shown]
        places = np.where(labels < 0, len(theme.classes), labels % len(theme.classes))
        return blended(np.eye(len(names), dtype=np.float32)[places], names)

    def _show_words(self) -> None:
        climbs, theme = self._steps.climbs, current_theme()
        if self._controller.opened is None:
            self._stage.tell(self.tr("Open a run or press Train: the two steps of its training are done here by hand."))
            self._stage.tell_of("")
            return
        if not self._has_bound:
            self._stage.tell(self.tr("An autoencoder has no q and no bound, so there is no E step; open a VAE."))
            self._stage.tell_of("")
            return
        if climbs:
            text = self.tr("ELBO <b>{elbo}</b> nats per image at step {step}").format(
                elbo=nats_text(climbs[-1].bound), step=f"{climbs[-1].x:,.0f}"
            )
            if len(climbs) > 1:
                text += self.tr(", {gain} by the last step").format(
                    gain=_gain_text(climbs[-1].bound - climbs[-2].bound)
                )
            self._stage.tell(text)
        kinds: tuple[tuple[StepKind, str], ...] = (
            ("encoder", self.tr("update of q")),
            ("decoder", self.tr("of θ")),
            ("all", self.tr("of both")),
        )
        keys = [f"<span style='color: {step_colour(kind, theme)}'>━ {word}</span>" for kind, word in kinds]
        if climbs:
            keys.append(self.tr("mean over {n} images, one draw each").format(n=f"{self._steps.n_images:,}"))
        self._stage.tell_of(" · ".join(keys))

    def _show_buttons(self) -> None:
        status = self._controller.status
        can_step = self._has_bound and status is not None and status.state in CAN_STEP
        is_running = status is not None and status.state is EngineState.RUNNING
        for button in (self._q, self._theta):
            button.setEnabled(can_step)
            button.setAccessibleDescription(self.tr("Pause the training first.") if is_running else button.toolTip())

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show()


def _gain_text(gain: float) -> str:
    return f"{gain:+.2f}".replace("-", "−")
