"""EM on a mixture of Gaussians, one step at a time: the page of the EM panel where every step is exact."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vae_explorer.engine.messages import CodesSnapshot, MixtureFitted, RunOpened
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.em_form import Button, EmForm
from vae_explorer.gui.widgets.em_history import EmHistory
from vae_explorer.gui.widgets.em_mode import EmModeSwitch
from vae_explorer.gui.widgets.em_points import EmPoints, Source, code_points, drawn_points, is_drawn
from vae_explorer.gui.widgets.em_stage import EmStage
from vae_explorer.gui.widgets.em_words import points_text, step_text
from vae_explorer.gui.widgets.theatre_map import blended
from vae_explorer.latent.em import Action

PACE_MS = 700
"""From an answer to the next step while it plays: as fast as one can see what a step does."""
FIT_ROUNDS = 5
"""Rounds a question of Fit: it can be stopped between them, and each is seen."""
STANDS = 1e-5
"""Nats a point: playing stops once a round wins less."""
SIDE_PX = 248


class MixturePage(QWidget):
    """The engine does each step and keeps nothing: mixture and responsibilities go with the question.

    Changing points, number, kind or seed forgets all steps. While codes move under a training, those of Start stay.
    mode: the switch to the other page.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._channel = controller.channel("em")
        self._history = EmHistory()
        self._points: EmPoints | None = None
        self._asked: tuple[int, Action] | None = None
        self._is_playing = self._is_fitting = False
        self._pace = QTimer(self, singleShot=True, interval=PACE_MS)
        self._build()
        self._pace.timeout.connect(self._on_pace)
        self._form.changed.connect(self._reset)
        self._form.pressed.connect(self._on_pressed)
        self._channel.answered.connect(self._on_answered)
        self._channel.failed.connect(self._on_failed)
        controller.run_opened.connect(self._on_run_opened)
        controller.codes_changed.connect(self._on_codes)
        self._offer_sources()
        self._reset()

    def _build(self) -> None:
        self._stage, self._form, self.mode = EmStage("em"), EmForm(), EmModeSwitch()
        side = QWidget()
        side.setFixedWidth(SIDE_PX)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self.mode)
        column.addWidget(self._form)
        column.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX)
        row.addWidget(self._stage, 1)
        row.addWidget(side)
        self._stage.plot.set_axis_names(self.tr("step"), self.tr("nats a point"))
        self._stage.plot.setToolTip(self.tr("Above log p(x), below it Jensen's bound: E closes the gap, M lifts both."))

    # ---- what the person does -------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether it goes on by itself: playing, or fitting."""
        return self._is_playing or self._is_fitting

    def _on_pressed(self, button: Button) -> None:
        was_playing, was_fitting = self._is_playing, self._is_fitting
        self._halt()
        match button:
            case "start" | "e" | "m":
                self._ask(button)
            case "back":
                self._asked = None
                self._history.go_back()
                self._show()
            case "play" if not was_playing:
                self._is_playing = True
                self._ask(self._history.next_action)
            case "fit" if not was_fitting:
                self._is_fitting = True
                self._ask("start" if self._history.newest is None else "fit")
            case "use":
                self._use()
        self._show_buttons()

    def _use(self) -> None:
        newest = self._history.newest
        if newest is not None:
            self._controller.set_mixture(newest.result.mixture)
            self._stage.tell(self.tr("The Gallery can now draw its samples from this mixture."))

    def _halt(self) -> None:
        self._pace.stop()
        self._is_playing = self._is_fitting = False

    # ---- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, action: Action) -> None:
        """Ask for one action; what was asked before and is not answered yet is no longer wanted."""
        if action == "start":
            self._take_points()
        if self._points is None:
            self._halt()
            return
        newest, form = self._history.newest, self._form
        result = None if newest is None else newest.result
        asked = self._channel.fit_mixture(
            points=self._points.points,
            action=action,
            mixture=None if action == "start" or result is None else result.mixture,
            responsibilities=None if action != "m" or result is None else result.responsibilities,
            components=form.n_components,
            covariance=form.covariance,
            seed=form.seed,
            iterations=FIT_ROUNDS,
        )
        self._asked = (asked, action)

    def _on_answered(self, answer: MixtureFitted) -> None:
        if self._asked is None or self._asked[0] != answer.id:
            return
        action, self._asked = self._asked[1], None
        self._history.add(action, answer)
        self._go_on(action, answer)
        self._show()

    def _go_on(self, action: Action, answer: MixtureFitted) -> None:
        if self._is_fitting:
            if action == "fit" and answer.iterations < FIT_ROUNDS:
                self._halt()
            else:
                self._ask("fit")
        elif self._is_playing:
            if action == "e" and self._history.last_gain < STANDS:
                self._halt()
            else:
                self._pace.start()

    def _on_pace(self) -> None:
        if self._is_playing:
            self._ask(self._history.next_action)

    def _on_failed(self, message: str) -> None:
        self._asked = None
        self._halt()
        self._show_buttons()
        self._stage.tell(message, is_error=True)

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._offer_sources()
        self._reset()

    def _on_codes(self, codes: CodesSnapshot) -> None:
        if is_drawn(self._form.source) or not self.isVisible():
            return
        if self._history.newest is None and self._asked is None:
            self._take_points()
            self._show()
        else:
            self._show_words()

    def _offer_sources(self) -> None:
        opened, sources = self._controller.opened, list[tuple[str, Source]]()
        if opened is not None:
            latent_dim = opened.config.model.latent_dim
            codes = self.tr("Codes, 1 dimension") if latent_dim == 1 else self.tr("Codes, {n} dimensions")
            sources.append((codes.format(n=latent_dim), "codes"))
            if latent_dim > 2:
                sources.append((self.tr("Codes, two most used"), "main"))
        sources += [(self.tr("Blobs"), "blobs"), (self.tr("Moons"), "moons"), (self.tr("Rings"), "rings")]
        self._form.set_sources(sources)

    # ---- showing --------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._halt()
        self._asked = None
        self._history.clear()
        self._take_points()
        self._show()

    def _take_points(self) -> None:
        source, codes, before = self._form.source, self._controller.codes, self._points
        if source in ("blobs", "moons", "rings"):
            self._points = drawn_points(source, seed=self._form.seed)
        elif codes is not None and np.isfinite(codes.loc).any():
            self._points = code_points(codes, only_main=source == "main", before=before)
        else:
            self._points = None

    def _show(self) -> None:
        self._show_picture()
        self._stage.plot.set_climbs(self._history.climbs)
        self._show_buttons()
        self._show_words()

    def _show_picture(self) -> None:
        points, newest, theme = self._points, self._history.newest, current_theme()
        if points is None:
            self._stage.map.set_points(np.zeros((0, 2), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8))
            self._stage.map.set_components(())
            return
        if newest is None:
            colours = blended(np.ones((len(points.flat), 1), dtype=np.float32), [theme.muted])
            self._stage.map.set_components(())
        else:
            mixture = newest.result.mixture
            names = [theme.class_colour(k) for k in range(mixture.n_components)]
            colours = blended(newest.result.responsibilities, names)
            self._stage.map.set_components(points.components(mixture, names))
        self._stage.map.set_axis_names(*points.axis_names)
        self._stage.map.frame_points(points.flat)
        self._stage.map.set_points(points.flat, colours)

    def _show_buttons(self) -> None:
        enabled: set[Button] = set()
        if self._points is not None:
            enabled |= {"start", "play", "fit"}
        if self._history.newest is not None:
            enabled |= {"e", "m"}
        if self._history.can_go_back:
            enabled.add("back")
        help_ = self._why_not_use()
        if not help_:
            enabled.add("use")
            help_ = self.tr("Samples of the Gallery can then be drawn from this mixture instead of the prior.")
        self._form.set_use_help(help_)
        self._form.set_enabled(frozenset(enabled))
        self._form.set_playing(self._is_playing)
        self._form.set_fitting(self._is_fitting)

    def _why_not_use(self) -> str:
        if self._history.newest is None:
            return self.tr("Press Start first: there is no mixture yet.")
        if self._form.source != "codes":
            return self.tr("Samples need a mixture of codes in all their dimensions; choose those as the points.")
        return ""

    def _show_words(self) -> None:
        if self._points is None:
            if self._controller.opened is None:
                self._stage.tell(self.tr("Open a run or press Train to see EM on its codes, or choose drawn points."))
            else:
                self._stage.tell(self.tr("The codes of the model come in a moment."))
            self._stage.tell_of("")
            return
        newest = self._history.newest
        if newest is None:
            self._stage.tell(self.tr("Press Start: a mixture of {k} Gaussians.").format(k=self._form.n_components))
        else:
            self._stage.tell(step_text(newest, is_fitting=self._is_fitting, has_risen=self._history.has_risen))
        codes = self._controller.codes if self._points.step is not None else None
        self._stage.tell_of(points_text(self._points, newest, codes))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._history.newest is None:
            self._take_points()
            self._show()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._halt()
        self._show_buttons()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show()
