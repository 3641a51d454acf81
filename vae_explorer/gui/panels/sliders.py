"""Sliders panel: one slider per latent dimension, the most used first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from vae_explorer.config_rules import has_normal_prior
from vae_explorer.engine.messages import CodesSnapshot, RunOpened
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.code_draw import CodeDraw, draw_help
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.glyph_button import GlyphButton
from vae_explorer.gui.widgets.latent_slider import ROW_PX, LatentSlider
from vae_explorer.gui.widgets.row_grid import RowGrid
from vae_explorer.latent.statistics import code_range, order_by_kl

COLUMN_PX = 240


class SlidersPanel(QWidget):
    """Shows the selected code number by number; a slider, a field and a KL bar each.

    The order is that of the KL when the run is opened and whenever it pauses, not while it trains: a slider must not
    run away under the hand.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sliders_panel")
        self._controller = controller
        self._draw = CodeDraw(controller, "sliders_draw", self)
        self._draw.drawn.connect(self._select)
        self._is_moving = False
        self._origin: Selection = controller.selection
        self._has_order = False
        self._unseen_kl: NDArray[np.float32] | None = None
        self._low, self._high = np.full(2, -3.0), np.full(2, 3.0)
        self._build()
        controller.selection_changed.connect(self._on_selection)
        controller.run_opened.connect(self._on_run_opened)
        controller.codes_changed.connect(self._on_codes)
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
            if controller.codes is not None:
                self._on_codes(controller.codes)
        self._restyle()

    def _build(self) -> None:
        self._grid = RowGrid(self._make_row, row_px=ROW_PX, column_px=COLUMN_PX, gap_px=2 * GRID_PX)
        self._grid.setObjectName("sliders_grid")
        self._grid.row_shown.connect(self._show_row)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        layout.setSpacing(GRID_PX // 2)
        layout.addLayout(self._make_bar())
        layout.addWidget(self._grid, 1)
        self._empty = QLabel(self.tr("Open a run or press Train: every number of the selected code has a slider here."))
        self._empty.setObjectName("sliders_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(body)

    def _make_bar(self) -> QHBoxLayout:
        self._zero = QPushButton(self.tr("All to 0"))
        self._zero.setObjectName("sliders_zero")
        self._zero.clicked.connect(self._on_zero)
        self._set_has_prior(True)
        self._back = QPushButton(self.tr("Back to selected"))
        self._back.setObjectName("sliders_back")
        self._back.setToolTip(self.tr("Undo what the sliders did since the code was selected elsewhere."))
        self._back.clicked.connect(self._on_back)
        self._dice = GlyphButton("dice", self.tr("Randomise"))
        self._dice.setObjectName("sliders_dice")
        self._dice.clicked.connect(self._draw.throw)
        self._order_note = QLabel()
        bar = QHBoxLayout()
        bar.setSpacing(GRID_PX // 2)
        for widget in (self._zero, self._back, self._dice):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self._order_note)
        return bar

    def _set_has_prior(self, has_prior: bool) -> None:
        middle = self.tr("Look at the middle of the prior.")
        zeros = self.tr("Look at the code of zeros, which may lie outside the box of the codes.")
        self._zero.setToolTip(middle if has_prior else zeros)

    def _make_row(self, dim: int) -> LatentSlider:
        row = LatentSlider(dim)
        row.moved.connect(self._on_moved)
        return row

    def row(self, dim: int) -> LatentSlider | None:
        """Return the row of a dimension, None while it has not come into sight."""
        row = self._grid.rows.get(dim)
        return row if isinstance(row, LatentSlider) else None

    @property
    def order(self) -> list[int]:
        """The dimensions from top to bottom."""
        return self._grid.keys

    # ---- what the person does -------------------------------------------------------------------------------------

    def _on_moved(self, dim: int, value: float, is_final: bool) -> None:
        code = self._controller.selection.code.copy()
        code[dim] = value
        self._select(code, is_final=is_final)

    def _on_zero(self) -> None:
        self._select(np.zeros_like(self._controller.selection.code))

    def _on_back(self) -> None:
        self._controller.select_code(self._origin.code, image=self._origin.image)

    def _select(self, code: np.ndarray, *, is_final: bool = True) -> None:
        self._is_moving = True
        try:
            self._controller.select_code(code, is_final=is_final)
        finally:
            self._is_moving = False

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        latent_dim = opened.config.model.latent_dim
        self._has_order = False
        self._unseen_kl = None
        self._low, self._high = np.full(latent_dim, -3.0), np.full(latent_dim, 3.0)
        self._origin = self._controller.selection
        self._stack.setCurrentIndex(1)
        self._dice.setToolTip(draw_help(self._controller))
        self._set_has_prior(has_normal_prior(opened.config))
        self._grid.set_keys(range(latent_dim))
        self._order_note.setText("")
        self._show_rows()

    def _on_codes(self, codes: CodesSnapshot) -> None:
        if self._is_dragging():
            return
        if codes.kl_per_dim is not None and (codes.is_complete or not self._has_order):
            self._has_order = True
            self._unseen_kl = codes.kl_per_dim
        if self.isVisible():  # else all of it is shown when the tab is raised
            self._show_codes(codes)
            self._show_rows()

    def _show_codes(self, codes: CodesSnapshot) -> None:
        """Take the sliders' ranges, and their order where there is a new one."""
        self._low, self._high = code_range(codes.loc)
        if self._unseen_kl is not None:
            self._grid.set_keys(order_by_kl(self._unseen_kl).tolist())
            self._order_note.setText(self.tr("most used first"))
            self._unseen_kl = None

    def _on_selection(self, selection: Selection) -> None:
        if not self._is_moving:
            self._origin = selection
        self._show_rows()

    # ---- showing --------------------------------------------------------------------------------------------------

    def _is_dragging(self) -> bool:
        return any(isinstance(row, LatentSlider) and row.slider.isSliderDown() for row in self._grid.rows.values())

    def _show_rows(self) -> None:
        has_moved = not np.array_equal(self._origin.code, self._controller.selection.code)
        self._back.setEnabled(has_moved)
        if self.isVisible():
            for dim in self._grid.visible_keys():
                self._show_row(dim)

    def _show_row(self, dim: int) -> None:
        row, codes = self.row(dim), self._controller.codes
        if row is None or dim >= self._controller.selection.latent_dim:
            return
        if not row.slider.isSliderDown():
            row.set_range(float(self._low[dim]), float(self._high[dim]))
        row.set_value(float(self._controller.selection.code[dim]))
        kl = None if codes is None or codes.kl_per_dim is None else codes.kl_per_dim
        row.bar.set_kl(*((None, 1.0) if kl is None else (float(kl[dim]), float(np.nanmax(kl)))))

    def _restyle(self) -> None:
        for label in (self._empty, self._order_note):
            label.setStyleSheet(f"color: {current_theme().muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        codes = self._controller.codes
        if codes is not None and codes.loc.shape[1] == self._controller.selection.latent_dim:
            self._show_codes(codes)
        self._show_rows()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
