"""Bound microscope: how tight the bound of the selected image is, why, and what a better q would win."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QEvent, Qt, Slot
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from vae_explorer.engine.messages import Climbed, Inspected
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.bound_sentences import (
    button_texts,
    caption_text,
    empty_text,
    ladder_caption,
    note_text,
    reason_text,
)
from vae_explorer.gui.panels.paced_question import PacedQuestion, is_training, step_of
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed, has_exact_posterior
from vae_explorer.gui.panels.q_walk import QWalk
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.bound_bar import BoundBar
from vae_explorer.gui.widgets.bound_figures import BoundFigures
from vae_explorer.gui.widgets.bound_ladder import BoundLadder
from vae_explorer.gui.widgets.bound_reading import (
    BoundReading,
    estimated_reading,
    exact_reading,
    is_trustworthy,
    trust_text,
)
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.plot_style import tick_font

SAMPLES, TRAINING_SAMPLES = 5000, 500
"""Codes of the ladder while the weights stand still, and while they move."""
EXACT_KEPT = 8
"""Exact figures that wait for a ladder of the same weights."""
LADDER_MS = 1000
"""Shortest time between two ladders while it trains: each costs as much as decoding its codes."""


class BoundPanel(QWidget):
    """On the left log p(x) = ELBO + gap as figures and as a bar, on the right the ladder of bounds.

    The posterior itself is drawn on the latent map, which shows it for as long as this panel can be seen.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bound_panel")
        self._controller = controller
        self._feed, self._walk = PosteriorFeed.of(controller), QWalk.of(controller)
        channel = controller.channel("bound ladder")
        self._ladder_question = PacedQuestion(
            controller, channel.name,
            lambda index, is_live: channel.climb(index, samples=TRAINING_SAMPLES if is_live else SAMPLES),
            pause_ms=LADDER_MS, is_due=self._is_ladder_due, parent=self,
        )  # fmt: skip
        self._failed: tuple[tuple[int | None, int], str] | None = None
        self._exact: deque[Inspected] = deque(maxlen=EXACT_KEPT)
        self._is_look_asked = False
        self._build()
        self._connect()
        self._restyle()
        self._show_all()

    # ---- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._empty = QLabel()
        self._empty.setObjectName("bound_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        row.setSpacing(2 * GRID_PX)
        row.addLayout(self._build_gap(), 1)
        row.addLayout(self._build_ladder(), 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(body)

    def _build_gap(self) -> QVBoxLayout:
        self._caption = _small_label("bound_caption")
        self._figures = BoundFigures()
        self._bar = BoundBar()
        self._note = QLabel()
        self._note.setObjectName("bound_note")
        self._note.setWordWrap(True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._improve = QPushButton()
        self._improve.setObjectName("bound_improve")
        self._improve.clicked.connect(self._walk.press)
        shortcut = QShortcut(QKeySequence("I"), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self._walk.press)
        buttons = QHBoxLayout()
        buttons.addWidget(self._improve)
        buttons.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self._caption)
        column.addWidget(self._figures)
        column.addWidget(self._bar)
        column.addWidget(self._note, 1)
        column.addLayout(buttons)
        return column

    def _build_ladder(self) -> QVBoxLayout:
        self._ladder_caption = _small_label("bound_ladder_caption")
        self._ladder = BoundLadder()
        self._trust = QLabel()
        self._trust.setObjectName("bound_trust")
        self._trust.setWordWrap(True)
        self._trust.setToolTip(
            self.tr(
                "ESS: so many equal codes the weighted ones are worth. k-hat: how heavy the tail of the weights is; "
                "above 0.7 their mean, and its error, cannot be believed (Vehtari et al. 2024)."
            )
        )
        column = QVBoxLayout()
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self._ladder_caption)
        column.addWidget(self._ladder, 1)
        column.addWidget(self._trust)
        return column

    def _connect(self) -> None:
        controller = self._controller
        controller.run_opened.connect(self._on_changed)
        controller.selection_changed.connect(self._on_selection)
        controller.status_changed.connect(self._on_status)
        self._feed.shown.connect(self._on_posterior)
        self._feed.looked.connect(self._on_looked)
        self._feed.failed.connect(self._on_failed)
        self._ladder_question.shown.connect(self._on_ladder)
        self._ladder_question.failed.connect(self._on_failed)
        self._walk.moved.connect(self._show_gap)
        self._walk.improved_changed.connect(self._show_gap)
        self._walk.failed.connect(self._on_failed)

    # ---- answers --------------------------------------------------------------------------------------------------

    @Slot()
    def _on_changed(self) -> None:
        self._failed = None
        self._ask()
        self._show_all()

    @Slot()
    def _on_selection(self) -> None:
        if self.isVisible():  # else it is shown anew when it is raised
            self._show_all()

    @Slot()
    def _on_status(self) -> None:
        if self.isVisible():
            self._show_gap()

    @Slot(object)
    def _on_posterior(self, answer: Inspected | None) -> None:
        if answer is None:
            self._exact.clear()
        else:
            self._exact.append(answer)
        if answer is not None and answer.is_fine and self.isVisible():
            self._walk.ask()
        self._show_gap()
        self._show_ladder()
        self._ladder_question.refresh()

    @Slot()
    def _on_looked(self) -> None:
        self._is_look_asked = True
        self._ladder_question.refresh()
        self._is_look_asked = False

    @Slot(object)
    def _on_ladder(self, answer: Climbed | None) -> None:
        if answer is not None and self.isVisible() and not self._has_exact:
            self._walk.ask()
        self._show_gap()
        self._show_ladder()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        self._failed = (self._place, message)
        self._show_gap()
        self._ladder_question.refresh()

    def _ask(self) -> None:
        is_open = self.isVisible()
        self._feed.set_open(is_open)
        self._ladder_question.set_on(is_open and self._has_bound)

    @property
    def _place(self) -> tuple[int | None, int]:
        return self._controller.selection.image, step_of(self._controller)

    @property
    def _failure(self) -> str:
        """What a question about this image and these weights was refused with; '' when none was."""
        return self._failed[1] if self._failed is not None and self._failed[0] == self._place else ""

    def _is_ladder_due(self) -> bool:
        """Whether the exact figures are there, which come first; the ladder takes as long as they do.

        While it trains it is asked for beside a look, so that both are of the same weights.
        """
        if not self._has_exact or self._failure:
            return True
        if is_training(self._controller):
            return self._is_look_asked
        return self._feed.latest is not None and self._feed.latest.is_fine

    @property
    def _has_exact(self) -> bool:
        return has_exact_posterior(self._controller.config)

    @property
    def _has_bound(self) -> bool:
        config = self._controller.config
        return config is not None and config.model.kind != "autoencoder"

    # ---- showing --------------------------------------------------------------------------------------------------

    @Slot()
    def _show_all(self) -> None:
        controller = self._controller
        text = empty_text(
            controller.config, is_open=controller.opened is not None, has_image=controller.selection.image is not None
        )
        self._empty.setText(text)
        self._stack.setCurrentIndex(0 if text else 1)
        self._show_gap()
        self._show_ladder()

    def _reading(self) -> BoundReading | None:
        improved, now = self._walk.improved, self._walk.now
        elbo_now = None if now is None else now.elbo
        if self._has_exact:
            answer = self._feed.latest
            return None if answer is None else exact_reading(answer, improved, elbo_now)
        climbed: Climbed | None = self._ladder_question.latest
        return None if climbed is None else estimated_reading(climbed, improved, elbo_now)

    @Slot()
    def _show_gap(self) -> None:
        reading, config, image = self._reading(), self._controller.config, self._controller.selection.image
        self._figures.set_reading(reading)
        self._bar.set_reading(reading)
        answer = self._feed.latest if self._has_exact else self._ladder_question.latest
        self._caption.setText("" if image is None else caption_text(image, answer))
        note = note_text(reading, self._walk, is_training=is_training(self._controller))
        reason = "" if config is None or self._has_exact else reason_text(config)
        self._note.setText(self._failure or " ".join(part for part in (note, reason) if part))
        self._show_button()

    @Slot()
    def _show_button(self) -> None:
        text, tip = button_texts(self._walk)
        self._improve.setText(text)
        self._improve.setToolTip(tip)
        self._improve.setEnabled(self._walk.can_walk)

    def _show_ladder(self) -> None:
        climbed: Climbed | None = self._ladder_question.latest
        exact = self._exact_of(climbed) if self._has_exact else None
        self._ladder.set_ladder(climbed)
        self._ladder.set_exact(None if exact is None else exact.log_px, 0.0 if exact is None else exact.log_px_error)
        self._ladder_caption.setText(ladder_caption(climbed))
        self._trust.setText("" if climbed is None else trust_text(climbed))
        theme = current_theme()
        is_good = climbed is None or is_trustworthy(climbed)
        self._trust.setStyleSheet(f"color: {theme.muted if is_good else theme.warning};")

    def _exact_of(self, climbed: Climbed | None) -> Inspected | None:
        """The newest exact figures of the ladder's weights: those of others may lie nats below its bounds."""
        if climbed is None:
            return self._feed.latest
        return next((known for known in reversed(self._exact) if known.step == climbed.step), None)

    def _restyle(self) -> None:
        theme = current_theme()
        for label in (self._caption, self._ladder_caption, self._trust, self._note):
            label.setFont(tick_font())
        for label in (self._caption, self._ladder_caption, self._empty):
            label.setStyleSheet(f"color: {theme.muted};")
        self._show_ladder()

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._on_changed()
        if self._feed.latest is not None:
            self._on_posterior(self._feed.latest)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._walk.restore()  # whose ellipse would else stay on the map without a word of what it is
        self._ask()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_trust"):
            self._restyle()
        super().changeEvent(event)


def _small_label(name: str) -> ElidingLabel:
    label = ElidingLabel()
    label.setObjectName(name)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label
