"""Collapse doctor: the KL of each dimension over training, a verdict, cures at one click, and an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.config_rules import has_normal_prior
from vae_explorer.engine.messages import CodesSnapshot, JobDone, JobFailed, RunOpened
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.cures import AS_CONFIGURED, CURES, Cure, LiveBook, obstacle
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.verdict_words import verdict_html
from vae_explorer.gui.widgets.cure_rows import CureRows
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.kl_history import KlHistory
from vae_explorer.gui.widgets.kl_strips import KlStrips
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.toggle_style import toggle_sheet
from vae_explorer.gui.widgets.worth_page import WorthPage
from vae_explorer.latent.collapse import LEAST_RECORDS, CollapseVerdict, collapse_verdict
from vae_explorer.runs.records import LogRecord, MetricRecord

REDRAW_MS = 150
"""Records and codes are gathered for so long, then strips and verdict are made anew once."""


class CollapsePanel(QWidget):
    """Two pages: the dimensions with verdict and cures, and the evaluation of a split."""

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("collapse_panel")
        self._controller = controller
        self._history, self._book = KlHistory(), LiveBook()
        self._codes: CodesSnapshot | None = None
        self._n_records = 0
        self._job: int | None = None
        self._redraw_due = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._redraw_due.timeout.connect(self._redraw)
        self._worth = WorthPage()
        self._build()
        self._worth.asked.connect(self._on_evaluate)
        self._worth.cancelled.connect(self._on_cancel)
        controller.run_opened.connect(self._on_run_opened)
        controller.records_added.connect(self._on_records)
        controller.codes_changed.connect(self._on_codes)
        controller.status_changed.connect(self._on_status)
        controller.data_changed.connect(self._on_data)
        controller.job_progressed.connect(self._on_job_progressed)
        controller.job_ended.connect(self._on_job_ended)
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
        if controller.codes is not None:
            self._on_codes(controller.codes)
        self._on_data()
        self._restyle()
        self._redraw()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self._make_head())
        self._pages = QStackedLayout()
        self._pages.addWidget(self._make_dimensions())
        self._pages.addWidget(self._worth)
        column.addLayout(self._pages, 1)

    def _make_head(self) -> QWidget:
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        self._page_buttons = QButtonGroup(self)
        for page, (name, text, tip) in enumerate(
            (
                ("dimensions", self.tr("Dimensions"), self.tr("The KL of each dimension, the verdict and its cures.")),
                ("worth", self.tr("What it is worth"), self.tr("Evaluate a split: log p(x), gap, active units ...")),
            )
        ):
            button = self._toggle(f"collapse_{name}", text, tip)
            self._page_buttons.addButton(button, page)
            row.addWidget(button)
        self._page_buttons.button(0).setChecked(True)
        self._page_buttons.idToggled.connect(self._on_page)
        self._reading = ElidingLabel()
        self._reading.setObjectName("collapse_reading")
        self._reading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._sort = self._toggle("collapse_sort", self.tr("Sort"), self.tr("The dimension of the largest KL first."))
        self._sort.toggled.connect(self._show_strips)
        row.addSpacing(GRID_PX)
        row.addWidget(self._reading, 1)
        row.addWidget(self._sort)
        return self._head

    def _toggle(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setCheckable(True)
        return button

    def _make_dimensions(self) -> QWidget:
        self._strips = KlStrips()
        self._strips.setObjectName("collapse_strips")
        self._strips.read.connect(self._show_reading)
        self._empty = QLabel()
        self._empty.setObjectName("collapse_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._left = QStackedLayout()
        self._left.addWidget(self._empty)
        self._left.addWidget(self._strips)
        self._verdict = QLabel()
        self._verdict.setObjectName("collapse_verdict")
        self._verdict.setWordWrap(True)
        self._verdict.setTextFormat(Qt.TextFormat.RichText)
        self._verdict.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._verdict)
        self._cures = CureRows()
        self._cures.asked.connect(self._on_cure)
        self._cures.undo_asked.connect(self._on_undo)
        right = QVBoxLayout()
        right.setSpacing(GRID_PX // 2)
        right.addWidget(scroll, 1)
        right.addWidget(self._cures)
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID_PX)
        row.addLayout(self._left, 3)
        row.addLayout(right, 2)
        return page

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._history.clear()
        self._n_records = 0
        self._remember(opened.records)
        self._book.open(opened.config, opened.records)
        self._codes, self._job = None, None
        self._worth.clear()
        self._worth.set_obstacle("")
        self._cures.set_value("beta", self._book.value("beta") / 4)
        self._cures.set_value("warmup", opened.config.objective.warmup_steps)
        self._show_cures()
        self._redraw()

    def _on_records(self, records: Iterable[LogRecord]) -> None:
        records = tuple(records)
        self._remember(records)
        self._book.add(records)
        self._redraw_soon()

    def _remember(self, records: tuple[LogRecord, ...]) -> None:
        self._history.add(records)
        self._n_records += sum(isinstance(record, MetricRecord) and record.split == "train" for record in records)

    def _on_codes(self, codes: CodesSnapshot) -> None:
        if codes.of == "run" and len(codes.loc) > 1 and self._has_bound:
            self._codes = codes
            self._redraw_soon()

    @property
    def _variances(self) -> NDArray[np.float64] | None:
        """Of the posterior means of each dimension; worked out for somebody who looks, not with every snapshot."""
        return None if self._codes is None else self._codes.loc.astype(np.float64).var(axis=0)

    def _on_data(self) -> None:
        data = self._controller.data
        if data is None:
            self._worth.set_obstacle(self.tr("Open a run first."))
            return
        splits = data.splits
        self._worth.set_splits(
            {
                "test": len(splits.test),
                "validation": len(splits.validation),
                "train": len(splits.train),
                "all": len(data),
            }
        )

    # ---- dimensions -----------------------------------------------------------------------------------------------

    @property
    def _has_bound(self) -> bool:
        opened = self._controller.opened
        return opened is not None and opened.config.model.kind != "autoencoder"

    def _redraw_soon(self) -> None:
        if self.isVisible() and not self._redraw_due.isActive():
            self._redraw_due.start()

    def _redraw(self) -> None:
        self._show_strips()
        verdict = self._judge()
        self._strips.set_off(frozenset() if verdict is None else frozenset(verdict.off))
        self._verdict.setText(verdict_html(verdict, counts_units=self._codes is not None, has_bound=self._has_bound))
        self._show_cures()

    def _judge(self) -> CollapseVerdict | None:
        if not self._n_records:
            return None
        # A prior without a KL of each dimension leaves no history that would tell how early it is.
        variances = self._variances if self._n_records >= LEAST_RECORDS else None
        return collapse_verdict(self._history.steps, self._history.kl, variances)

    def _show_strips(self) -> None:
        has_history = len(self._history) > 0
        self._left.setCurrentWidget(self._strips if has_history else self._empty)
        self._empty.setText(self._empty_text())
        self._strips.set_history(self._history.steps, self._history.kl, is_sorted=self._sort.isChecked())
        self._show_reading()

    def _empty_text(self) -> str:
        opened = self._controller.opened
        if opened is None:
            return self.tr("Open a run, or press Train: the KL of each dimension is drawn here.")
        if opened.config.model.kind == "autoencoder":
            return self.tr("An autoencoder has no prior and no KL, so nothing of it can collapse.")
        if not has_normal_prior(opened.config):
            return self.tr("A learnt prior does not factorise: there is no KL of each dimension. Active units tell.")
        return self.tr("Press Train: the KL of each dimension is drawn here as it learns.")

    def _show_reading(self) -> None:
        row = self._strips.row
        if row is None or not len(self._history) or self._pages.currentIndex() != 0:
            self._reading.setText("")
            return
        step, kl = int(self._history.steps[row]), self._history.kl[row]
        parts = [self.tr("step {step}").format(step=f"{step:,}"), self.tr("KL {kl} nats").format(kl=f"{kl.sum():.2f}")]
        dimension = self._strips.dimension
        if dimension is not None and dimension < len(kl):
            parts.append(f"{latent_name(dimension)} {kl[dimension]:.3g}")
        self._reading.setText(" · ".join(parts))

    # ---- cures ----------------------------------------------------------------------------------------------------

    def _show_cures(self) -> None:
        for cure in CURES:
            reason = obstacle(cure, self._controller.opened, self._controller.status)
            value = self._book.value(cure)
            is_configured = cure == "warmup" and value == AS_CONFIGURED
            now = self.tr("as configured") if is_configured else f"{value:g}"
            self._cures.show_state(cure, obstacle=reason, can_undo=self._book.can_undo(cure), now=now)

    def _on_status(self) -> None:
        if self.isVisible():  # else they are shown anew when the tab is raised
            self._show_cures()

    def _on_cure(self, name: str, value: float) -> None:
        cure = cast(Cure, name)
        self._book.apply(cure, value)
        self._controller.set_live(cure, value)
        self._show_cures()

    def _on_undo(self, name: str) -> None:
        cure = cast(Cure, name)
        self._controller.set_live(cure, self._book.undo(cure))
        self._show_cures()

    # ---- evaluation -----------------------------------------------------------------------------------------------

    def _on_page(self, page: int, is_on: bool) -> None:
        if is_on:
            self._pages.setCurrentIndex(page)
            self._sort.setVisible(page == 0)
            self._show_reading()

    def _on_evaluate(self, split: str, samples: int) -> None:
        self._job = self._controller.assess(split, samples=samples)  # type: ignore[arg-type]
        self._worth.begin()

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._controller.cancel_job(self._job)

    def _on_job_progressed(self, job: int, fraction: float) -> None:
        if job == self._job:
            self._worth.set_progress(fraction)

    def _on_job_ended(self, event: JobDone | JobFailed) -> None:
        if event.job != self._job:
            return
        if isinstance(event, JobDone):
            self._worth.end(event.report)
        elif event.is_cancelled:
            # The report of the images that were done may still follow.
            self._worth.end(None, self.tr("The evaluation was ended."))
            return
        else:
            self._worth.end(None, event.message)
        self._job = None

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def _restyle(self) -> None:
        theme = current_theme()
        self._head.setStyleSheet(toggle_sheet(theme))
        self._reading.setFont(tick_font())
        for label in (self._empty, self._reading):
            label.setStyleSheet(f"color: {theme.muted};")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
            self._redraw()
