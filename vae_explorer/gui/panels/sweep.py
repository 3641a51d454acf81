"""Sweep: models that differ in beta alone, side by side: a little map of each, and all in one rate-distortion plot."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.engine.messages import SweepShown
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.sweep_words import ModelFigures, newest_record, rate_distortion
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.sweep_grid import SweepGrid
from vae_explorer.gui.widgets.sweep_plot import SweepPlot
from vae_explorer.gui.widgets.toggle_style import toggle_sheet


class SweepPanel(QWidget):
    """The open sweep. It draws only while it is visible.

    alone_requested(Path): the chosen model's run is to be opened by itself.
    """

    alone_requested = Signal(object)

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sweep_panel")
        self._controller, self._sweeps = controller, controller.sweeps
        self._build()
        sweeps = self._sweeps
        sweeps.opened_changed.connect(self._show_all)
        sweeps.shown_changed.connect(self._on_shown)
        sweeps.records_added.connect(self._show_figures)
        sweeps.codes_changed.connect(self._show_codes)
        self._grid.selected_changed.connect(self._on_selected)
        self._grid.opened.connect(controller.show_model)
        self._show.clicked.connect(self._on_show_pressed)
        self._alone.clicked.connect(self._on_alone_pressed)
        self._linked.toggled.connect(self._grid.set_linked)
        self._restyle()
        self._show_all()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._grid, self._plot = SweepGrid(), SweepPlot()
        self._plot.setMinimumWidth(180)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setObjectName("sweep_split")
        split.addWidget(self._grid)
        split.addWidget(self._plot)
        split.setStretchFactor(0, 5)
        split.setStretchFactor(1, 2)
        split.setSizes([500, 220])
        split.setChildrenCollapsible(True)
        self._sentence = ElidingLabel()
        self._sentence.setObjectName("sweep_sentence")
        self._sentence.setFont(tick_font())
        self._sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._linked = self._button("linked", self.tr("One scale"), self.tr("Draw all maps to one scale."))
        self._linked.setCheckable(True)
        self._linked.setChecked(True)
        self._show = self._button(
            "show", self.tr("Show"), self.tr("Show the chosen model in all panels; all are trained on (Return).")
        )
        self._alone = self._button(
            "alone", self.tr("Open alone"),
            self.tr("Leave the sweep, which is saved, and open the chosen model's run by itself."),
        )  # fmt: skip
        foot = QHBoxLayout()
        foot.setSpacing(GRID_PX // 2)
        foot.addWidget(self._sentence, 1)
        for button in (self._linked, self._show, self._alone):
            foot.addWidget(button)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(split, 1)
        column.addLayout(foot)
        self._empty = QLabel(
            self.tr(
                "No sweep is open. Write several values into beta of the form, such as 0.5, 1, 2, 4, and press Train: "
                "their models are trained side by side, and their maps appear here."
            )
        )
        self._empty.setObjectName("sweep_empty")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        outer.addWidget(self._pages)

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"sweep_{name}")
        button.setText(text)
        button.setToolTip(tip)
        return button

    # ---- what is shown ----------------------------------------------------------------------------------------------

    @property
    def models(self) -> list[ModelFigures]:
        """What is known of each model of the open sweep."""
        sweeps = self._sweeps
        opened, shown, codes = sweeps.opened, sweeps.shown, sweeps.codes
        if opened is None:
            return []
        left = opened.left if shown is None else shown.left
        models = []
        for place, config in enumerate(opened.configs):
            record = newest_record(sweeps.records[place])
            steps = None if codes is None else int(codes.steps[place])
            left_at = (steps if steps is not None else record.step if record else 0) if place in left else None
            units = None if codes is None else int(codes.active_units[place])
            models.append(ModelFigures(config.objective.beta, record, units, config.model.latent_dim, left_at))
        return models

    @Slot()
    def _show_all(self, *_: Any) -> None:
        self._pages.setCurrentIndex(0 if self._sweeps.opened is None else 1)
        self._grid.set_codes(None, None)
        self._show_figures()
        if self._sweeps.codes is not None:
            self._show_codes()
        if self._sweeps.shown is not None:
            self._grid.set_shown(self._sweeps.shown.place)

    @Slot()
    def _show_figures(self, *_: Any) -> None:
        if not self.isVisible():
            return
        models = self.models
        self._grid.set_models(models)
        self._plot.set_ways([rate_distortion(records) for records in self._sweeps.records], [m.name for m in models])
        self._show_sentence()

    @Slot()
    def _show_codes(self, *_: Any) -> None:
        codes, data = self._sweeps.codes, self._controller.data
        if codes is None or not self.isVisible():
            return
        is_known = data is not None and data.labels is not None and codes.indices.max(initial=-1) < len(data)
        self._show_figures()
        self._grid.set_codes(codes.loc, data.labels[codes.indices] if is_known else None)  # type: ignore[union-attr,index]

    @Slot(object)
    def _on_shown(self, shown: SweepShown) -> None:
        self._show_figures()
        self._grid.set_shown(shown.place)

    @Slot(int)
    def _on_selected(self, place: int) -> None:
        self._plot.select(place)
        self._show_sentence()

    def _show_sentence(self) -> None:
        models = self.models
        place = self._grid.selected
        sentence = models[place].sentence if place < len(models) else ""
        self._sentence.setText(sentence)
        self._sentence.setToolTip(sentence)
        shown = self._sweeps.shown
        self._show.setEnabled(shown is not None and shown.place != place)

    @Slot()
    def _on_show_pressed(self) -> None:
        self._controller.show_model(self._grid.selected)

    @Slot()
    def _on_alone_pressed(self) -> None:
        opened = self._sweeps.opened
        if opened is not None:
            self.alone_requested.emit(opened.run_paths[self._grid.selected])

    def _restyle(self) -> None:
        theme = current_theme()
        self._linked.setStyleSheet(toggle_sheet(theme))
        self._sentence.setStyleSheet(f"color: {theme.muted};")
        self._empty.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt ---------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_all()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
