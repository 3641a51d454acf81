"""Bound microscope: how tight the bound of the selected image is, why, and what a better q would win."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Slot
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget
from superqt import QElidingLabel

from vae_explorer.engine.messages import Climbed, Inspected
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.paced_question import PacedQuestion, is_training
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
    plain_nats,
    trust_text,
)
from vae_explorer.gui.widgets.plot_style import tick_font

SAMPLES, TRAINING_SAMPLES = 5000, 500
"""Codes of the ladder while the weights stand still, and while they move."""
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
            pause_ms=LADDER_MS, parent=self,
        )  # fmt: skip
        self._failure = ""
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
        controller.selection_changed.connect(self._show_all)
        controller.status_changed.connect(self._show_button)
        self._feed.shown.connect(self._on_posterior)
        self._feed.failed.connect(self._on_failed)
        self._ladder_question.shown.connect(self._on_ladder)
        self._ladder_question.failed.connect(self._on_failed)
        self._walk.moved.connect(self._show_gap)
        self._walk.improved_changed.connect(self._show_gap)
        self._walk.failed.connect(self._on_failed)

    # ---- answers --------------------------------------------------------------------------------------------------

    @Slot()
    def _on_changed(self) -> None:
        self._failure = ""
        self._ask()
        self._show_all()

    @Slot(object)
    def _on_posterior(self, answer: Inspected | None) -> None:
        self._failure = "" if answer is None else self._failure
        if answer is not None and answer.is_fine and self.isVisible():
            self._walk.ask()
        self._show_gap()
        self._show_ladder()

    @Slot(object)
    def _on_ladder(self, answer: Climbed | None) -> None:
        if answer is not None and self.isVisible() and not self._has_exact:
            self._walk.ask()
        self._show_gap()
        self._show_ladder()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        self._failure = message
        self._show_gap()

    def _ask(self) -> None:
        is_open = self.isVisible()
        self._feed.set_open(is_open)
        self._ladder_question.set_on(is_open and self._has_bound)

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
        text = self._empty_text()
        self._empty.setText(text)
        self._stack.setCurrentIndex(0 if text else 1)
        self._show_gap()
        self._show_ladder()

    def _empty_text(self) -> str:
        controller = self._controller
        if controller.opened is None:
            return self.tr("Open a run or press Train, then click a point of the map.")
        if not self._has_bound:
            return self.tr(
                "An autoencoder has no bound: its code is a point and not a distribution, so there is no log p(x) "
                "to lie below. Train a VAE on the same images to see one."
            )
        if controller.selection.image is None:
            return self.tr("Click a point of the map: how tight the bound of its image is appears here.")
        return ""

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
        reading = self._reading()
        self._figures.set_reading(reading)
        self._bar.set_reading(reading)
        self._caption.setText(self._caption_text())
        self._note.setText(self._failure or self._note_text(reading))
        self._show_button()

    def _caption_text(self) -> str:
        image = self._controller.selection.image
        if image is None:
            return ""
        parts = [self.tr("Image {index}").format(index=f"{image:,}")]
        answer, climbed = self._feed.latest, self._ladder_question.latest
        if not self._has_exact:
            if climbed is not None:
                parts.append(self.tr("step {step}").format(step=f"{climbed.step:,}"))
            parts.append(self.tr("estimated, biased low"))
        elif answer is not None:
            parts.append(self.tr("step {step}").format(step=f"{answer.step:,}"))
            parts.append(self.tr("by quadrature") if answer.is_fine else self.tr("by quadrature, coarse"))
        else:
            parts.append(self.tr("working it out …"))
        return " · ".join(parts) + self.tr(" · nats")

    def _note_text(self, reading: BoundReading | None) -> str:
        parts = []
        if reading is not None and reading.amortisation is not None and reading.family is not None:
            # An estimate from below may lie under the best q's own bound.
            won, left = plain_nats(reading.amortisation), plain_nats(max(reading.family, 0.0))
            if self._walk.now is None:
                words = self.tr("A better q would win {won} nats; the other {left} no diagonal Gaussian can win.")
            elif self._walk.is_under_way:
                words = self.tr("q walks to its best: {won} nats are to be won.")
            else:
                words = self.tr("Won {won} nats, the amortisation gap; {left} are left, the family gap.")
            parts.append(words.format(won=won, left=left))
        elif reading is not None and is_training(self._controller):
            parts.append(self.tr("Pause to see both parts of the gap."))
        if not self._has_exact:
            parts.append(self._reason_text())
        return " ".join(parts)

    def _reason_text(self) -> str:
        config = self._controller.config
        if config is None:
            return ""
        if config.model.kind != "vae":
            return self.tr("With classes summed out there is no quadrature: log p(x) is the ladder's last rung.")
        text = self.tr("Quadrature needs latent_dim 1 or 2; with {n}, log p(x) is the ladder's last rung.")
        return text.format(n=config.model.latent_dim)

    @Slot()
    def _show_button(self) -> None:
        walk = self._walk
        is_away = walk.now is not None or walk.is_under_way
        text = self.tr("Back to the encoder's q") if is_away else self.tr("Improve q for this image")
        self._improve.setText(text)
        self._improve.setEnabled(walk.can_walk)
        if walk.can_walk:
            tip = self.tr("Optimise mean and scale of q for this image alone, on the map and in the bar (key I).")
        else:
            tip = self.tr("Pause the training first: q is improved under weights that stand still.")
        self._improve.setToolTip(tip)

    def _show_ladder(self) -> None:
        climbed: Climbed | None = self._ladder_question.latest
        exact = self._feed.latest if self._has_exact else None
        self._ladder.set_ladder(climbed)
        self._ladder.set_exact(None if exact is None else exact.log_px, 0.0 if exact is None else exact.error)
        caption = self.tr("Bounds of k = 1 … {k} codes").format(
            k=f"{SAMPLES if climbed is None else int(climbed.k[-1]):,}"
        )
        if climbed is not None:
            caption += self.tr(" · step {step} · nats").format(step=f"{climbed.step:,}")
        self._ladder_caption.setText(caption)
        self._trust.setText("" if climbed is None else trust_text(climbed))
        theme = current_theme()
        is_good = climbed is None or is_trustworthy(climbed)
        self._trust.setStyleSheet(f"color: {theme.muted if is_good else theme.warning};")

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
        self._ask()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_trust"):
            self._restyle()
        super().changeEvent(event)


def _small_label(name: str) -> QElidingLabel:
    label = QElidingLabel()
    label.setObjectName(name)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label
