"""The tool bar: act (train, pause, step, stop, reset), steer (beta, free bits, rate), read (the bound, its terms)."""

from __future__ import annotations

import html

from PySide6.QtCore import QEvent, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolBar, QToolButton, QWidget

from vae_explorer.config import field_spec
from vae_explorer.engine.messages import EngineState, RunOpened, RunStatus
from vae_explorer.gui.actions import WindowActions
from vae_explorer.gui.bound_words import comparison_note
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.cures import obstacle
from vae_explorer.gui.following import following_help, following_text
from vae_explorer.gui.icons import IconName, make_icon
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed
from vae_explorer.gui.theme import GRID_PX, current_theme, use_tabular_digits
from vae_explorer.gui.widgets.curve_text import duration_text
from vae_explorer.gui.widgets.figure import Figure
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.runs.records import LiveName, LogRecord, MetricRecord

ICON_NAMES: tuple[IconName, ...] = ("train", "pause", "step", "stop", "reset")


class RunToolBar(QToolBar):
    """Follows the controller: which actions make sense, live values, the newest figures of training."""

    def __init__(self, controller: ModelController, actions: WindowActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller, self._actions = controller, actions
        self.setObjectName("run_tool_bar")
        self.setWindowTitle(self.tr("Tool bar"))
        self.setMovable(False)
        self.setIconSize(QSize(2 * GRID_PX, 2 * GRID_PX))
        self._add_buttons()
        self.addSeparator()
        self._beta = self._add_live("objective.beta", "beta", name=self.tr("beta"), step=0.1)
        self._free_bits = self._add_live("objective.free_bits", "free_bits", name=self.tr("free bits"), step=0.05)
        self._rate = self._add_live("train.learning_rate", "learning_rate", name=self.tr("lr"), factor=1.25)
        self.addSeparator()
        self._figures = {
            "elbo": self._add_figure("elbo", self.tr("ELBO"), self.tr(
                "Evidence lower bound, nats per image: a lower bound of log p(x); higher is better.")),
            "kl": self._add_figure("kl", self.tr("KL"), self.tr(
                "KL[q(z|x) ‖ p(z)], nats per image: how far the codes of an image are from the prior.")),
            "distortion": self._add_figure("distortion", self.tr("Reconstruction loss"), self.tr(
                "-E_q log p(x|z), nats per image: what the decoder does not explain; ELBO = -(this + KL).")),
        }  # fmt: skip
        self._gap = self._add_figure("gap", self.tr("gap"), self.tr(
            "log p(x) - ELBO of the selected image, nats, by quadrature (latent_dim 1 and 2): known while its "
            "posterior is looked at, in the panel Bound or on the map."))  # fmt: skip
        self._meanings = {name: figure.toolTip() for name, figure in self._figures.items()}
        self._add_state()
        self._actions["train"].triggered.connect(controller.press_train)
        self._actions["pause"].triggered.connect(controller.pause)
        self._actions["step"].triggered.connect(controller.step_once)
        self._actions["stop"].triggered.connect(controller.stop)
        self._actions["reset"].triggered.connect(controller.reset)
        controller.status_changed.connect(self._on_status)
        controller.run_opened.connect(self._on_run_opened)
        controller.records_added.connect(self._on_records)
        self._posterior = PosteriorFeed.of(controller)
        self._posterior.shown.connect(self._show_gap)
        controller.draft_changed.connect(self._show_what_is_possible)
        self._restyle()
        self._show_what_is_possible()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _add_buttons(self) -> None:
        for name in ICON_NAMES:
            action = self._actions[name]
            self.addAction(action)
            button = self.widgetForAction(action)
            button.setObjectName(f"tool_{name}")
            if name == "train" and isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)

    def _add_live(
        self, key: str, live_name: LiveName, *, name: str, step: float = 0.0, factor: float | None = None
    ) -> NumberField:
        spec = field_spec(key)
        label = QLabel(name)
        label.setContentsMargins(GRID_PX // 2, 0, GRID_PX // 2, 0)
        field = NumberField(
            spec.default, minimum=spec.minimum or 0.0, maximum=spec.maximum or 1e9, step=step, factor=factor
        )
        field.setObjectName(f"live_{spec.name}")
        field.setAccessibleName(spec.label)
        field.set_help(self.tr("{help} Applies to the next update; arrow keys step.").format(help=spec.help))
        field.setFixedWidth(field.fontMetrics().horizontalAdvance("0.000125") + GRID_PX)
        label.setBuddy(field)
        field.value_changed.connect(lambda value: self._controller.set_live(live_name, value))
        self.addWidget(label)
        self.addWidget(field)
        return field

    def _add_figure(self, name: str, text: str, help_: str) -> Figure:
        figure = Figure(text, widest=888.88 if name in ("kl", "gap") else -8888.88)
        figure.setObjectName(f"figure_{name}")
        figure.setToolTip(help_)
        self.addWidget(figure)
        return figure

    def _add_state(self) -> None:
        self._state = QLabel()
        self._state.setObjectName("run_state")
        use_tabular_digits(self._state)
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # Takes the room that is left and never pushes a button out of sight.
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        holder = QWidget()
        holder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(holder)
        row.setContentsMargins(GRID_PX, 0, GRID_PX, 0)
        row.addWidget(StillRoom(self._state))
        self.addWidget(holder)

    # ---- what is shown ----------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_status(self, status: RunStatus) -> None:
        self._beta.set_value(status.beta)
        self._free_bits.set_value(status.free_bits)
        self._rate.set_value(status.learning_rate)
        self._show_state(status)
        self._show_gap()
        self._show_what_is_possible()

    def _show_state(self, status: RunStatus) -> None:
        metrics = self._state.fontMetrics()
        room = self._state.width() - (metrics.horizontalAdvance("◉ ") if status.elsewhere is not None else 0)
        texts = state_texts(status)
        text = html.escape(next((text for text in texts if metrics.horizontalAdvance(text) <= room), texts[-1]))
        self._state.setToolTip(html.escape(texts[0]))
        if status.elsewhere is not None:
            # No style sheet: a widget that has one no longer follows the application's size of text.
            text = f'<span style="color: {current_theme().accent}">◉</span> {text}'
            self._state.setToolTip(following_help(status.elsewhere, status.step))
        self._state.setText(text)

    @Slot(object)
    def _on_run_opened(self, event: RunOpened) -> None:
        # Said where the numbers are: it decides what they may be compared with.
        aside = comparison_note(event.config, self._controller.data)
        for name, figure in self._figures.items():
            figure.set_value(None)
            figure.setToolTip(" ".join(text for text in (self._meanings[name], aside) if text))
        self._on_records(event.records)
        self._show_what_is_possible()

    @Slot(object)
    def _on_records(self, records: tuple[LogRecord, ...]) -> None:
        for record in reversed(records):
            if isinstance(record, MetricRecord) and record.split == "train":
                for name, figure in self._figures.items():
                    figure.set_value(getattr(record, name))
                return

    @Slot()
    def _show_gap(self) -> None:
        known = self._posterior.current
        self._gap.set_value(None if known is None else max(known.gap, 0.0))

    @Slot()
    def _show_what_is_possible(self) -> None:
        status, opened = self._controller.status, self._controller.opened
        state = status.state if status else EngineState.EMPTY
        is_running = state is EngineState.RUNNING
        can_work = opened is not None and state not in (EngineState.EMPTY, EngineState.FAILED)
        is_new = self._controller.is_draft_new
        self._actions["train"].setEnabled(not is_running or is_new)
        self._actions["pause"].setEnabled(is_running)
        self._actions["step"].setEnabled(can_work and not is_running)
        self._actions["stop"].setEnabled(is_running or state is EngineState.PAUSED)
        self._actions["reset"].setEnabled(can_work)
        self._actions["save"].setEnabled(can_work and status is not None and not status.is_saved)
        is_live = can_work and opened is not None and not opened.is_read_only and state is not EngineState.FOLLOWING
        self._rate.setEnabled(is_live)
        is_swept = self._controller.sweeps.opened is not None
        self._beta.setEnabled(is_live and not is_swept and not obstacle("beta", opened, status))
        self._free_bits.setEnabled(is_live and not obstacle("free_bits", opened, status))

    def _restyle(self) -> None:
        theme = current_theme()
        for name in ICON_NAMES:
            self._actions[name].setIcon(make_icon(name, is_accent=name == "train"))
        for term, colour in (("elbo", theme.elbo), ("kl", theme.kl), ("distortion", theme.distortion)):
            self._figures[term].set_colour(colour)
        self._gap.set_colour(theme.gap)
        if self._controller.status is not None:
            self._show_state(self._controller.status)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a plain ground and a line below; Fusion's own has a white line over and under it, in the dark too."""
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.window))
        painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(theme.line))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say as much of the state as there is room for."""
        super().resizeEvent(event)
        layout = self.layout()
        if layout is not None and self._controller.status is not None:
            layout.activate()
            self._show_state(self._controller.status)

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_figures"):
            self._restyle()


def state_texts(status: RunStatus) -> list[str]:
    """Return 'running · cpu · 350 steps/s · 12 s left', or as much of it as is known, then the same with less and less.

    What goes first is what is seen elsewhere or asked least: the device, then the time left, then the speed.
    """
    if status.elsewhere is not None:
        return [f"{status.state.value} · {following_text(status.elsewhere)}", status.state.value]
    is_moving = status.state is EngineState.RUNNING and status.steps_per_s > 0
    speed = f"{status.steps_per_s:,.0f} steps/s" if is_moving else ""
    seconds = status.seconds_left
    left = f"{duration_text(seconds)} left" if is_moving and seconds is not None else ""
    state = status.state.value
    wordings = ((state, status.device, speed, left), (state, speed, left), (state, speed), (state,))
    return list(dict.fromkeys(" · ".join(part for part in parts if part) for parts in wordings))
