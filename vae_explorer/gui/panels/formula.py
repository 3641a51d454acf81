"""Formula page: the ELBO and its relatives, every term bound to the selected image, and the slips that are common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.engine.messages import CodesSnapshot, Encoded, Inspected, Rendered, RunOpened, TermsRead
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.bound_words import comparison_note
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.formula_bounds import elbo_page, gap_page, importance_page, loss_page, readings_page
from vae_explorer.gui.formula_page import EmReading, Floats, FormulaContext, Page, PageName
from vae_explorer.gui.formula_relatives import autoencoder_page, em_page, em_reading, m2_page, mmd_page
from vae_explorer.gui.formula_similarities import (
    correlation_at,
    correlation_page,
    free_bits_page,
    similarities_page,
)
from vae_explorer.gui.formula_slips import slips_page
from vae_explorer.gui.panels.paced_question import is_training, step_of
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.plate_page import PlatePage
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.scalar_history import ScalarHistory
from vae_explorer.gui.widgets.term_lines import TermLines
from vae_explorer.latent.bound_terms import BoundTerms
from vae_explorer.runs.records import LogRecord

PAGES: dict[PageName, Callable[[FormulaContext], Page]] = {
    "elbo": elbo_page, "readings": readings_page, "importance": importance_page, "gap": gap_page, "loss": loss_page,
    "autoencoder": autoencoder_page, "m2": m2_page, "mmd": mmd_page, "em": em_page, "slips": slips_page,
    "similarities": similarities_page, "free_bits": free_bits_page, "correlation": correlation_page,
}  # fmt: skip
OF_CODES: tuple[PageName, ...] = ("similarities", "free_bits", "correlation")
"""Entries whose numbers come from q(z|x) itself, not from draws of it."""
MAX_SEEN = 512
"""Exact posteriors of one image that are kept for the curves over the steps."""
MAX_DRAWS = 5000
REDRAW_MS = 200
"""Records are gathered for so long before the curves over training are drawn again."""


class FormulaPanel(QWidget):
    """A list of entries at the left (arrow keys), the entry at the right; asks only while it is seen.

    Terms of the selected image come from one question (`read_terms`); log p(x), a class's share and an autoencoder's
    distortion are asked for by the entries that show them.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("formula_panel")
        self._controller = controller
        self._terms_channel = controller.channel("formula")
        self._feed = PosteriorFeed.of(controller)
        self._encode_channel = controller.channel("formula_encode")
        self._sample_channel = controller.channel("formula_sample")
        self._history = ScalarHistory(("elbo", "kl", "distortion", "loss", "beta", "mmd", "total_correlation"))
        self._exact_seen: dict[int, Inspected] = {}
        self._caught_up: tuple[int, int] | None = None
        self._seed = self._sample_seed = 0
        self._terms: TermsRead | None = None
        self._encoded: Encoded | None = None
        self._message = ""
        self._shown_image: int | None = None
        self._redraw_due = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._redraw_due.timeout.connect(self._show_page)
        self._build()
        self._connect()
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
        self._restyle()
        self._show_page()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._list = QListWidget()
        self._list.setObjectName("formula_list")
        self._list.setAccessibleName(self.tr("Entries of the formula page"))
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for name, title in self._titles().items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            self._list.addItem(item)
        self._list.setCurrentRow(0)
        self._fit_list()
        self._lines, self._plate = TermLines(), PlatePage()
        self._lines.setObjectName("formula_lines")
        self._stack = QStackedLayout()
        self._stack.addWidget(self._lines)
        self._stack.addWidget(self._plate)
        right = QVBoxLayout()
        right.setSpacing(GRID_PX // 2)
        right.addLayout(self._make_head())
        right.addLayout(self._stack, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        row.setSpacing(GRID_PX)
        row.addWidget(self._list)
        row.addLayout(right, 1)

    def _titles(self) -> dict[PageName, str]:
        return {
            "elbo": self.tr("ELBO"), "readings": self.tr("Two readings"), "importance": self.tr("Importance"),
            "gap": self.tr("log p(x), gap"), "loss": self.tr("Loss, beta"), "plate": self.tr("Plate, sampling"),
            "slips": self.tr("Common slips"), "autoencoder": self.tr("Autoencoder"), "m2": self.tr("M2, labels"),
            "similarities": self.tr("Similarities"), "free_bits": self.tr("Free bits"),
            "correlation": self.tr("Correlation"), "mmd": self.tr("MMD"), "em": self.tr("EM, Jensen"),
        }  # fmt: skip

    def _make_head(self) -> QHBoxLayout:
        self._title = ElidingLabel()
        self._title.setObjectName("formula_title")
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._draws_label = QLabel(self.tr("K ="))
        self._draws = NumberField(64, minimum=1, maximum=MAX_DRAWS, is_integer=True, step=16)
        self._draws.setObjectName("formula_draws")
        self._draws.setFixedWidth(7 * GRID_PX)
        self._draws.set_help(self.tr("Codes drawn from q(z|x) for every sampled term."))
        self._again = QPushButton(self.tr("Draw again"))
        self._again.setObjectName("formula_again")
        self._again.setToolTip(self.tr("Take other draws: what moves is Monte Carlo noise."))
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        row.addWidget(self._title, 1)
        for widget in (self._draws_label, self._draws, self._again):
            row.addWidget(widget)
        return row

    def _connect(self) -> None:
        controller = self._controller
        controller.run_opened.connect(self._on_run_opened)
        controller.records_added.connect(self._on_records)
        controller.selection_changed.connect(self._on_selection)
        controller.codes_changed.connect(self._on_codes)
        self._terms_channel.answered.connect(self._on_terms)
        self._terms_channel.failed.connect(self._on_failed)
        self._feed.shown.connect(self._on_exact)
        controller.status_changed.connect(self._catch_up)
        self._encode_channel.answered.connect(self._on_encoded)
        self._sample_channel.answered.connect(self._on_sample)
        self._list.currentRowChanged.connect(self._on_page)
        self._draws.value_changed.connect(self._ask_terms)
        self._again.clicked.connect(self._on_again)
        self._plate.sample_asked.connect(self._on_sample_asked)

    # ---- what the person does -------------------------------------------------------------------------------------

    @property
    def page(self) -> PageName:
        """The entry that is shown."""
        name: PageName = self._list.currentItem().data(Qt.ItemDataRole.UserRole)
        return name

    def _on_page(self) -> None:
        self._plate.stop()
        self._ask_for_page()
        self._show_page()

    def _on_again(self) -> None:
        self._seed += 1
        self._ask_terms()

    def _on_sample_asked(self) -> None:
        self._sample_seed += 1
        self._sample_channel.render(Recipe(what="samples", rows=1, cols=1, seed=self._sample_seed, draw=True))

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._history.clear()
        self._history.add(opened.records)
        self._forget()
        self._plate.clear()
        is_point = opened.config.model.kind == "autoencoder"
        self._plate.set_obstacle(self.tr("An autoencoder has no prior to sample from.") if is_point else "")
        self._on_selection(self._controller.selection)

    def _on_records(self, records: Iterable[LogRecord]) -> None:
        self._history.add(records)
        if self.isVisible() and not self._redraw_due.isActive():
            self._redraw_due.start()

    def _on_selection(self, selection: Selection) -> None:
        if selection.image != self._shown_image:
            self._forget()
            self._shown_image = selection.image
            self._ask()
            if self.isVisible():  # else it is shown anew when it is raised
                self._show_page()

    def _on_codes(self, codes: CodesSnapshot) -> None:
        # New weights, so other numbers; a question still under way is answered by them anyway.
        if codes.of == "run" and not self._is_asking:
            self._ask()

    @property
    def _is_asking(self) -> bool:
        channels = (self._terms_channel, self._encode_channel)
        return any(channel.is_waiting for channel in channels)

    def _on_terms(self, answer: TermsRead) -> None:
        self._message = ""
        self._terms = answer
        self._show_page()
        self._catch_up()

    def _on_exact(self, answer: Inspected | None) -> None:
        if answer is not None:
            self._exact_seen[answer.step] = answer
            if len(self._exact_seen) > MAX_SEEN:
                self._exact_seen = {step: self._exact_seen[step] for step in list(self._exact_seen)[::2]}
        if self.isVisible():
            self._show_page()

    def _on_encoded(self, answer: Encoded) -> None:
        self._encoded = answer
        self._show_page()

    def _on_failed(self, message: str) -> None:
        self._message = message
        self._terms = None
        self._show_page()

    def _on_sample(self, answer: Rendered) -> None:
        if answer.codes is not None:
            self._plate.show_sample(answer.codes[0, 0], answer.tiles[0, 0], answer.step)

    # ---- questions ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._ask_terms()
        self._ask_for_page()

    def _ask_terms(self) -> None:
        image, opened = self._controller.selection.image, self._controller.opened
        if self._can_ask() and image is not None and opened is not None and opened.config.model.kind != "autoencoder":
            self._terms_channel.read_terms(image, samples=int(self._draws.value()), seed=self._seed)

    def _ask_for_page(self) -> None:
        """Ask for what only some of the entries show."""
        self._feed.set_read(self.isVisible() and self.page in ("gap", "slips"))
        image, opened = self._controller.selection.image, self._controller.opened
        if not self._can_ask() or image is None or opened is None:
            return
        kind = opened.config.model.kind
        has_classes = self.page == "m2" and kind in ("m2", "m1m2")
        if has_classes or kind == "autoencoder" or self.page in OF_CODES:
            self._encode_channel.encode(image)

    def _catch_up(self) -> None:
        """Ask for the terms of weights that stand still, where those that are shown are of older ones."""
        terms, step = self._terms, step_of(self._controller)
        if terms is None or terms.step == step or self._is_asking or is_training(self._controller):
            return
        if self._caught_up != (terms.index, step):
            self._caught_up = (terms.index, step)
            self._ask()

    def _can_ask(self) -> bool:
        return self.isVisible() and self._controller.opened is not None

    def _forget(self) -> None:
        self._terms = self._encoded = None
        self._exact_seen, self._caught_up = {}, None
        self._message = ""

    # ---- showing --------------------------------------------------------------------------------------------------

    def context(self) -> FormulaContext:
        """Return what the numbers are taken from now."""
        controller, terms, newest = self._controller, self._terms, self._history.newest
        config = None if controller.opened is None else controller.opened.config
        objective = None if config is None else config.objective
        data, image = controller.data, controller.selection.image
        has_label = data is not None and data.labels is not None and image is not None and image < len(data)
        live = newest if newest is not None else objective
        read = None
        if terms is not None:
            read = BoundTerms.of(
                terms.log_likelihood, terms.log_prior, log_posterior=terms.log_posterior, kl=terms.kl
            )  # fmt: skip
        return FormulaContext(
            config, read, None if terms is None else terms.step, self._exact, self._encoded, self._em(),
            beta=1.0 if live is None else live.beta, free_bits=0.0 if live is None else live.free_bits,
            history=self._history.arrays(), exact_history=self._exact_curves(), mean_kl=self._mean_kl(),
            correlation=self._correlation(), latent_dim=controller.selection.latent_dim,
            pixels=0 if data is None else int(np.prod(data.shape)),
            comparison="" if config is None else comparison_note(config, data),
            label=int(data.labels[image]) if has_label and data is not None and data.labels is not None else None,
        )  # fmt: skip

    @property
    def _exact(self) -> Inspected | None:
        """The newest exact posterior of the selected image, fine where the weights stand still."""
        newest = self._feed.latest
        return newest if newest is not None and newest.index == self._controller.selection.image else None

    def _exact_curves(self) -> dict[str, Floats]:
        seen = [self._exact_seen[step] for step in sorted(self._exact_seen)]
        if len(seen) < 2:
            return {}
        return {name: np.array([getattr(one, name) for one in seen]) for name in ("log_px", "elbo", "gap")}

    def _mean_kl(self) -> Floats | None:
        codes = self._controller.codes
        return None if codes is None or codes.kl_per_dim is None else codes.kl_per_dim.astype(np.float64)

    def _correlation(self) -> float | None:
        codes, encoded = self._controller.codes, self._encoded
        if self.page != "correlation" or codes is None or encoded is None or not (codes.scale > 0).all():
            return None
        loc, scale = codes.loc.astype(np.float64), codes.scale.astype(np.float64)
        return correlation_at(encoded.loc[0].astype(np.float64), loc, scale)

    def _em(self) -> EmReading | None:
        controller = self._controller
        codes = controller.codes
        if self.page != "em" or codes is None or controller.selection.image is None or len(codes.loc) < 2:
            return None
        return em_reading(codes.loc, controller.selection.code) if np.isfinite(codes.loc).all() else None

    def _show_page(self) -> None:
        name = self.page
        self._stack.setCurrentWidget(self._plate if name == "plate" else self._lines)
        for widget in (self._draws_label, self._draws, self._again):
            widget.setEnabled(name not in ("plate", "em", "mmd", "m2", *OF_CODES))
        self._title.setText(self._title_text())
        self._title.setToolTip(self._title.text())
        data = self._controller.data
        self._plate.set_n(None if data is None else len(data))
        if name != "plate":
            self._lines.show_page(PAGES[name](self.context()))

    def _title_text(self) -> str:
        image = self._controller.selection.image
        if self._controller.opened is None:
            return self.tr("Open a run, or press Train, to see the numbers of an image.")
        if image is None:
            return self.tr("Click a point of the map: every term shows that image's number.")
        if self._message:
            return self._message
        parts = [self.tr("Image {index}").format(index=f"{image:,}")]
        shown = self._shown_answer()
        if shown is not None:
            parts.append(self.tr("step {step}").format(step=f"{shown.step:,}"))
        return " · ".join([*parts, self.tr("nats")])

    def _shown_answer(self) -> TermsRead | Encoded | Inspected | None:
        """What the page's numbers are of, so that the step that is told is theirs."""
        if self.page == "gap" and self._exact is not None:
            return self._exact
        return self._encoded if self.page in ("m2", *OF_CODES) or self._terms is None else self._terms

    def _fit_list(self) -> None:
        widest = max(self._list.fontMetrics().horizontalAdvance(title) for title in self._titles().values())
        bar = self._list.verticalScrollBar().sizeHint().width()
        self._list.setFixedWidth(widest + bar + 2 * GRID_PX)

    def _restyle(self) -> None:
        theme = current_theme()
        self._title.setFont(tick_font())
        self._title.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask()
        self._show_page()

    def hideEvent(self, event: QHideEvent) -> None:
        self._plate.stop()
        self._feed.set_read(False)
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
            self._show_page()
        elif event.type() == QEvent.Type.FontChange and hasattr(self, "_list"):
            self._fit_list()
