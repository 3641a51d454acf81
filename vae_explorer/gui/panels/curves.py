"""Curves panel: the bound, its terms and what is maximised, of training and held-out images while it trains."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

import numpy as np
from PySide6.QtCore import QElapsedTimer, QEvent, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.engine.messages import RunOpened
from vae_explorer.gui.bound_words import comparison_note, loss_note
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.paced_question import is_training
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.bound_note import BoundNote
from vae_explorer.gui.widgets.curve_bar import CurveBar
from vae_explorer.gui.widgets.curve_column import CurveColumn
from vae_explorer.gui.widgets.curve_plot import CurvePlot
from vae_explorer.gui.widgets.curve_store import (
    EXTRAS,
    OVERLAYS,
    TERMS,
    CurveStore,
    Floats,
    Reading,
    Term,
    nearest_index,
    robust_range,
    smooth,
)
from vae_explorer.gui.widgets.curve_text import duration_text, figure_text, mark_text, term_name
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.steady_range import steady_range
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.runs.records import LogRecord

REDRAW_MS = 170
"""Records are gathered for so long, then one plot is drawn again, the next one as long after it: a curve of many points
need not move more than twice a second, and three plots at once would hold up a click by 20 ms."""
REDRAW_SHARE = 0.015
"""What drawing curves may take of the window's time: where a plot takes longer, the next one comes later. A slow
processor has no core to spare for a curve that moves six times a second."""
SLOWEST_REDRAW_MS = 600
MAKE_WAY_MS, LONGEST_WAIT_MS = 60, 1000
"""A plot that would be drawn sooner after a click waits for so long, but no longer than that since the last one."""

READING_KEYS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Escape)


class CurvesPanel(QWidget):
    """Linked plots side by side, since the terms' sizes differ by tens of nats; headings show the numbers.

    What is maximised, where that is not the ELBO, is drawn dashed beside it. The pointer, or the arrow keys while the
    plots have the focus, move the reading line; double click fits again.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("curves_panel")
        self._controller = controller
        self._store = CurveStore()
        self._cursor: float | None = None
        self._is_following = True
        self._comparison = ""
        """What the numbers do not compare with; worked out from the data once."""
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(REDRAW_MS)
        self._redraw_timer.timeout.connect(self._redraw_one)
        self._since_redraw = QElapsedTimer()
        self._since_redraw.start()
        self._stale: list[Term] = []
        """Terms whose plots lack the newest records, the longest waiting first."""
        self._x_range = (0.0, 1.0)
        self._behind: set[Term] = set()
        """Terms whose plots lack the newest range."""
        self._columns = {term: CurveColumn(term) for term in TERMS}
        self._bar = CurveBar()
        self._note = BoundNote("curves")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        layout.setSpacing(GRID_PX // 2)
        layout.addWidget(self._bar)
        layout.addLayout(self._make_plots(), 1)
        layout.addLayout(self._make_foot())
        layout.addWidget(self._note)
        self._bar.terms_changed.connect(self._on_terms)
        self._bar.x_axis_changed.connect(self._on_x_axis)
        self._bar.smoothing_changed.connect(self.redraw)
        self._bar.fit_asked.connect(self.fit)
        controller.run_opened.connect(self._on_run_opened)
        controller.records_added.connect(self._on_records)
        controller.data_changed.connect(self._show_note)
        controller.selection_changed.connect(self._make_way)
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
        self.restyle()
        self.redraw()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _make_plots(self) -> QStackedLayout:
        self._empty = QLabel()
        self._empty.setObjectName("curves_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._plots = QWidget()
        self._plots.setObjectName("curves_plots")
        self._plots.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._plots.setAccessibleName(self.tr("Curves; left and right arrow keys read values"))
        self._row = QHBoxLayout(self._plots)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID_PX)
        for column in self._columns.values():
            self._place(column)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._plots)
        return self._stack

    def _place(self, column: CurveColumn) -> None:
        self._row.addWidget(column, 1)
        plot = column.plot
        plot.setFocusProxy(self._plots)
        plot.hovered.connect(self._on_hovered)
        plot.left.connect(self._on_left)
        plot.fit_requested.connect(self.fit)
        plot.moved_by_hand.connect(partial(self._on_moved_by_hand, plot))

    def _make_foot(self) -> QHBoxLayout:
        self._reading = ElidingLabel()
        self._reading.setObjectName("curves_reading")
        self._reading.setFont(tick_font())
        self._reading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._legend = QLabel(self.tr("─ training  <b>━ held-out</b>"))
        self._legend.setToolTip(
            self.tr(
                "Nats per image. Thin: mean over the steps since the last point. Bold: mean over the held-out images "
                "at that step."
            )
        )
        self._legend.setFont(tick_font())
        foot = QHBoxLayout()
        foot.setSpacing(2 * GRID_PX)
        foot.addWidget(StillRoom(self._reading), 1)
        foot.addWidget(self._legend)
        return foot

    # ---- state ----------------------------------------------------------------------------------------------------

    @property
    def terms(self) -> list[Term]:
        """The terms that have a plot now, in order."""
        return [term for term, column in self._columns.items() if not column.isHidden()]

    def plot_of(self, term: Term) -> CurvePlot:
        """Return the plot of a term."""
        return self._columns[term].plot

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._store.clear()
        self._store.add(opened.records)
        self._cursor = None
        self._is_following = True
        self._bar.set_has_bound(opened.config.model.kind != "autoencoder")
        self._bar.set_known(self._store.known)
        self._bar.set_wanted("beta", opened.config.objective.warmup != "none")
        self._show_columns()
        self._show_note()
        self.redraw()

    def _on_records(self, records: Iterable[LogRecord]) -> None:
        known = set(self._store.known)
        self._store.add(records)
        if self._store.known != known:
            self._bar.set_known(self._store.known)
            self._show_columns()
        self._show_loss_note()
        self._stale += [term for term in self.terms if term not in self._stale]
        if self.isVisible() and not self._redraw_timer.isActive():
            self._redraw_timer.start()

    def _on_terms(self) -> None:
        self._show_columns()
        self.redraw()

    def _on_x_axis(self) -> None:
        self._cursor = None
        self._is_following = True
        self.redraw()

    def _on_moved_by_hand(self, plot: CurvePlot) -> None:
        self._is_following = False
        self._bar.set_can_fit(True)
        (low, high), _ = plot.getPlotItem().viewRange()
        for other in (column.plot for column in self._columns.values()):
            if other is not plot:
                other.getPlotItem().setXRange(low, high, padding=0)

    def _on_hovered(self, x: float) -> None:
        places = self._store.places(self._bar.x_axis)
        if len(places):
            self._set_cursor(float(places[nearest_index(places, x)]))

    def _on_left(self) -> None:
        self._set_cursor(None)

    def fit(self) -> None:
        """Show all of the curves and follow them as they grow."""
        self._is_following = True
        self._show_ranges(self.terms)

    # ---- drawing --------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw what the store holds."""
        self._stack.setCurrentWidget(self._empty if self._store.is_empty or not self.terms else self._plots)
        self._empty.setText(self._empty_text())
        self._draw(self.terms)

    def _redraw_one(self) -> None:
        """Draw the plot that has waited longest, and come back for the next."""
        if self._stack.currentWidget() is self._empty:
            self.redraw()
            return
        self._since_redraw.start()
        began = time.thread_time()
        self._draw(self._stale[:1])
        self._pace(time.thread_time() - began)
        if self._stale:
            self._redraw_timer.start()

    def _make_way(self) -> None:
        """Draw a little later: what the hand looks at is decoded and painted now."""
        if self._redraw_timer.isActive() and not self._since_redraw.hasExpired(LONGEST_WAIT_MS):
            self._redraw_timer.start(max(self._redraw_timer.remainingTime(), MAKE_WAY_MS))

    def _pace(self, drawn_s: float) -> None:
        """Choose when the next plot is drawn from what this one took, with its painting about twice the drawing.

        Soon, where plots lack a range that others have, or nothing is trained that could be held up.
        """
        wanted_ms = round(1000 * 2 * drawn_s / REDRAW_SHARE)
        is_urgent = not self._behind.isdisjoint(self.terms) or not is_training(self._controller)
        self._redraw_timer.setInterval(REDRAW_MS if is_urgent else min(max(REDRAW_MS, wanted_ms), SLOWEST_REDRAW_MS))

    @property
    def is_settled(self) -> bool:
        """Whether every plot shows the newest records."""
        return not self._stale

    def _draw(self, terms: list[Term]) -> None:
        marks = list(self._store.mark_places(self._bar.x_axis))
        places, texts = np.array([x for x, _ in marks]), [mark_text(mark) for _, mark in marks]
        for term in terms:
            plot = self._columns[term].plot
            plot.place_axis.set_x_axis(self._bar.x_axis)
            (x, y), held_out = (
                self._store.curve("train", term, self._bar.x_axis),
                self._store.curve("held_out", term, self._bar.x_axis),
            )
            smoothed = smooth(y, self._bar.smoothing, stride=self._store.splits["train"].stride)
            plot.set_curves((x, smoothed), held_out, raw=(x, y) if self._bar.smoothing else None)
            plot.set_marks(places, texts)
        if "elbo" in terms:
            self._draw_overlays()
        self._stale = [term for term in self._stale if term not in terms]
        self._show_ranges(terms)
        if not self._stale or self.terms[0] in terms:
            # Once a round: where records come faster than plots are drawn, there is always one that waits.
            self._set_cursor(self._cursor)

    def _draw_overlays(self) -> None:
        plot, further = self._columns["elbo"].plot, self._bar.further
        for term in OVERLAYS:
            for split, curves in self._store.splits.items():
                x, y = self._store.curve(split, term, self._bar.x_axis)
                shown = smooth(y, self._bar.smoothing, stride=curves.stride) if split == "train" else y
                plot.set_overlay(term, split, (x, shown) if term in further else None)

    def _show_note(self) -> None:
        """Say what the loss is, where it is not minus the ELBO, and what the numbers do not compare with."""
        opened = self._controller.opened
        self._comparison = "" if opened is None else comparison_note(opened.config, self._controller.data)
        self._show_loss_note()

    def _show_loss_note(self) -> None:
        opened, newest = self._controller.opened, self._store.newest
        if opened is None:
            self._note.show_note(None)
            return
        live = opened.config.objective if newest is None else newest
        self._note.show_note(loss_note(opened.config, beta=live.beta, free_bits=live.free_bits), self._comparison)

    def _empty_text(self) -> str:
        if not self._store.is_empty:
            return self.tr("Choose a term above to see its curve.")
        if self._controller.opened is None:
            return self.tr("Open a run, or press Train to start one: its curves are drawn here.")
        return self.tr("Press Train: the curves are drawn here as it learns.")

    def _show_columns(self) -> None:
        wanted = {*self._bar.terms, *self._bar.further}
        for term in EXTRAS:
            # Made when first wanted: a plot takes some 10 ms, and most runs have none of these.
            if term in wanted and term not in self._columns:
                self._columns[term] = CurveColumn(term)
                self._place(self._columns[term])
        for term, column in self._columns.items():
            column.setVisible(term in wanted)

    def _show_ranges(self, terms: list[Term]) -> None:
        self._bar.set_can_fit(not self._is_following)
        if not self._is_following:
            return
        ends = [curves[[0, -1]] for curves in self._x_columns() if len(curves)]
        if ends:
            low, high = float(np.min(ends)), float(np.max(ends))
            before = self._x_range
            self._x_range = steady_range(before, (low, high if high > low else low + 1))
            if self._x_range != before:
                # One for all plots, which are read side by side; each takes it when its turn to be drawn comes, since
                # all of them together take 15 ms.
                self._behind = set(self.terms)
                self._stale += [term for term in self.terms if term not in (*self._stale, *terms)]
        self._behind -= set(terms)
        first, last = self._x_range
        for term in terms:
            if ends:
                x_range = (first - 0.02 * (last - first), last)
                self._columns[term].plot.getPlotItem().setXRange(*x_range, padding=0)
            item = self._columns[term].plot.getPlotItem()
            shown_y = item.getViewBox().viewRange()[1]
            plot = self._columns[term].plot
            curves = [plot.shown(name)[1] for name in ("train", "held_out")]
            y_range = robust_range([*curves, *(y for _, y in plot.overlays.values())])
            if y_range is not None:
                item.setYRange(*steady_range(tuple(shown_y), y_range), padding=0)

    def _x_columns(self) -> list[Floats]:
        return [self._store.curve(split, "distortion", self._bar.x_axis)[0] for split in self._store.splits]

    def _set_cursor(self, x: float | None) -> None:
        self._cursor = x
        places = self._store.places(self._bar.x_axis)
        newest = float(places[-1]) if len(places) else 0.0
        reading = self._store.read_at(newest if x is None else x, self._bar.x_axis)
        for term, column in self._columns.items():
            values = [] if reading is None else [split.get(term) for split in (reading.train, reading.held_out)]
            column.show_values(*(values or [None, None]))
            column.plot.set_cursor(x, [value for value in values if value is not None])
        self._reading.setText(self._reading_text(reading))

    def _reading_text(self, reading: Reading | None) -> str:
        if reading is None:
            return ""
        text = self.tr("step {step} · epoch {epoch} · {time}").format(
            step=f"{reading.step:,}", epoch=f"{reading.epoch:.1f}", time=duration_text(reading.time_s)
        )
        parts = [text]
        for term in self._bar.further:
            value = reading.train.get(term, reading.held_out.get(term))
            if term in OVERLAYS and value is not None:
                parts.append(f"{term_name(term, is_short=True)} {figure_text(term, value)}")
        before = [mark for mark in self._store.marks if mark.step <= reading.step]
        return " · ".join([*parts, mark_text(before[-1])] if before else parts)

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        for column in self._columns.values():
            column.restyle()
        self._bar.restyle()
        for label in (self._empty, self._legend, self._reading):
            label.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        places = self._store.places(self._bar.x_axis)
        key, last = Qt.Key(event.key()), len(places) - 1
        if last < 0 or key not in READING_KEYS:
            super().keyPressEvent(event)
            return
        if key == Qt.Key.Key_Escape:
            self._set_cursor(None)
            return
        at = last if self._cursor is None else nearest_index(places, self._cursor)
        # A key press moves by a hundredth of a long curve: by single points (Shift) it would take minutes.
        stride = 1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else max(1, len(places) // 100)
        moves = {Qt.Key.Key_Left: at - stride, Qt.Key.Key_Right: at + stride, Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        self._set_cursor(float(places[min(max(moves[key], 0), last)]))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.restyle()
