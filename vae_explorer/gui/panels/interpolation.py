"""Interpolation panel: two codes, the pictures on the path between them, and the place on it that is looked at."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.engine.messages import CodesSnapshot, Decoded, Encoded, RunOpened
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.code_draw import CodeDraw, draw_help
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.end_chooser import EndChooser
from vae_explorer.gui.widgets.film_strip import FilmStrip
from vae_explorer.gui.widgets.glyph_button import GlyphButton
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.path_place import code_at, share_of_code
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.gui.widgets.to_and_fro import ToAndFro
from vae_explorer.latent.paths import interpolate

End = Literal["a", "b"]

SLIDER_STEPS = 1000
FOLLOW_MS = 25
"""A code that is chosen elsewhere is followed so much later, once for all moves meanwhile: the picture under the hand
goes first."""
SEEDS_APART = 1_000_000
"""Between the codes that the dice of A and of B draw."""


class InterpolationPanel(QWidget):
    """The large picture is always the selected code's; while that lies on the path, slider and strip point at it.

    Everything that moves goes through the controller (`select_code`, `set_end`, `set_path`), so that map and sliders
    show the same, and comes back through `selection_changed`.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("interpolation_panel")
        self._controller = controller
        self._share = 0.5
        self._drawn_strip: Selection | None = None
        self._strip_step: int | None = None
        self._is_moving = False
        self._following = QTimer(self, singleShot=True, interval=FOLLOW_MS)
        self._following.timeout.connect(self._follow)
        self._player = ToAndFro(self)
        self._picture_channel = controller.channel("interpolation")
        self._strip_channel = controller.channel("interpolation_strip")
        self._choosers: dict[End, EndChooser] = {"a": EndChooser("A"), "b": EndChooser("B")}
        self._build()
        self._connect()
        if controller.data is not None:
            self._on_data()
        self._show_run()
        self._show_selection(controller.selection)
        self._restyle()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._picture = PictureView()
        self._picture.setObjectName("interpolation_picture")
        self._picture.setMinimumWidth(12 * GRID_PX)
        self._strip = FilmStrip()
        self._strip.setObjectName("interpolation_strip")
        self._strip.setAccessibleName(self.tr("pictures from A to B; arrow keys go from one to the next"))
        body = QWidget()
        right = QVBoxLayout()
        right.setSpacing(GRID_PX // 2)
        right.addLayout(self._make_ends_row())
        right.addWidget(self._strip, 1)
        right.addLayout(self._make_play_row())
        right.addLayout(self._make_path_row())
        row = QHBoxLayout(body)
        row.setContentsMargins(GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        row.setSpacing(GRID_PX)
        row.addWidget(self._picture, 1)
        row.addLayout(right, 3)
        self._empty = QLabel(self.tr("Open a run or press Train: the pictures between two codes appear here."))
        self._empty.setObjectName("interpolation_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(body)

    def _make_ends_row(self) -> QHBoxLayout:
        self._swap = GlyphButton("swap", self.tr("Swap A and B"))
        self._swap.setObjectName("interpolation_swap")
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        row.addWidget(self._choosers["a"])
        row.addStretch(1)
        row.addWidget(self._swap)
        row.addStretch(1)
        row.addWidget(self._choosers["b"])
        return row

    def _make_play_row(self) -> QHBoxLayout:
        self._play = GlyphButton("train", self.tr("Play"))
        self._play.setObjectName("interpolation_play")
        self._play.setToolTip(self.tr("Go to and fro between A and B."))
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("interpolation_slider")
        self._slider.setRange(0, SLIDER_STEPS)
        self._slider.setSingleStep(SLIDER_STEPS // 100)
        self._slider.setPageStep(SLIDER_STEPS // 10)
        self._slider.setToolTip(self.tr("Share t of the way from A (0) to B (1)."))
        self._slider.setAccessibleName(self.tr("share t of the way from A to B"))
        self._field = NumberField(self._share, minimum=0.0, maximum=1.0, step=0.01)
        self._field.setObjectName("interpolation_t")
        self._field.setFixedWidth(7 * GRID_PX)
        self._field.set_help(self._slider.toolTip())
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        for widget in (self._play, QLabel("A"), self._slider, QLabel("B")):
            row.addWidget(widget)
        row.addSpacing(GRID_PX)
        row.addWidget(QLabel("t ="))
        row.addWidget(self._field)
        return row

    def _make_path_row(self) -> QHBoxLayout:
        self._path = QComboBox()
        self._path.setObjectName("interpolation_path")
        self._path.addItem(self.tr("Linear"), "linear")
        self._path.addItem(self.tr("Spherical"), "spherical")
        self._path.setToolTip(
            self.tr("Linear: straight from A to B. Spherical: along the arc, so that the distance from 0 goes evenly.")
        )
        self._count = NumberField(9, minimum=2, maximum=32, is_integer=True, step=1)
        self._count.setObjectName("interpolation_count")
        self._count.setFixedWidth(6 * GRID_PX)
        self._count.set_help(self.tr("Pictures in the strip."))
        self._note = QLabel()
        self._note.setObjectName("interpolation_note")
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        for widget in (QLabel(self.tr("Path")), self._path, QLabel(self.tr("Pictures")), self._count):
            row.addWidget(widget)
        row.addSpacing(GRID_PX)
        row.addWidget(StillRoom(self._note), 1)
        return row

    def _connect(self) -> None:
        controller = self._controller
        controller.selection_changed.connect(self._on_selection)
        controller.run_opened.connect(self._on_run_opened)
        controller.codes_changed.connect(self._on_codes)
        controller.data_changed.connect(self._on_data)
        controller.drawing_changed.connect(self._ask_again)
        controller.label_changed.connect(self._ask_again)
        self._picture_channel.answered.connect(self._on_picture)
        self._strip_channel.answered.connect(self._on_strip)
        for number, (which, chooser) in enumerate(self._choosers.items()):
            channel = controller.channel(f"interpolation_{which}")
            chooser.selected_asked.connect(partial(self._on_end_from_selection, which))
            draw = CodeDraw(controller, f"interpolation_draw_{which}", chooser, first_seed=number * SEEDS_APART)
            draw.drawn.connect(partial(self._move_end, which))
            chooser.prior_asked.connect(draw.throw)
            chooser.image_asked.connect(channel.encode)
            channel.answered.connect(partial(self._on_end_encoded, which))
        self._swap.clicked.connect(controller.swap_ends)
        self._play.clicked.connect(self._on_play)
        self._player.moved.connect(self._on_played)
        self._player.playing_changed.connect(self._on_playing_changed)
        self._slider.valueChanged.connect(self._on_slider)
        self._slider.sliderReleased.connect(self._on_slider_released)
        self._field.value_changed.connect(self._on_field)
        self._strip.picked.connect(self._on_picked)
        self._path.currentIndexChanged.connect(self._on_path)
        self._count.value_changed.connect(self._ask_strip)

    # ---- what the person does -------------------------------------------------------------------------------------

    @property
    def is_playing(self) -> bool:
        """Whether it goes to and fro by itself."""
        return self._player.is_playing

    @property
    def is_settled(self) -> bool:
        """Whether it shows the selected code: one that is chosen elsewhere is followed a moment later."""
        return not self._following.isActive()

    def go_to(self, share: float, *, is_final: bool = True) -> None:
        """Look at the code at a share, 0 to 1, of the path."""
        self._share = share
        self._is_moving = True
        try:
            self._controller.select_code(code_at(self._controller.selection, share), is_final=is_final)
        finally:
            self._is_moving = False

    def _on_play(self) -> None:
        if self.is_playing:
            self._player.stop()
            self.go_to(self._share)
        else:
            self._player.play(self._share)

    def _on_played(self, share: float) -> None:
        self.go_to(share, is_final=False)

    def _on_playing_changed(self, is_playing: bool) -> None:
        self._play.set_icon("pause" if is_playing else "train")
        self._play.setAccessibleName(self.tr("Pause") if is_playing else self.tr("Play"))

    def _on_slider(self, value: int) -> None:
        self._player.stop()
        self.go_to(value / SLIDER_STEPS, is_final=not self._slider.isSliderDown())

    def _on_slider_released(self) -> None:
        self.go_to(self._slider.value() / SLIDER_STEPS)

    def _on_field(self, share: float) -> None:
        self._player.stop()
        self.go_to(share)

    def _on_picked(self, index: int) -> None:
        self._player.stop()
        self.go_to(index / max(1, self._strip.n_images - 1))

    def _on_path(self) -> None:
        is_on_path = self._is_on_path
        self._controller.set_path(self._path.currentData())
        self._stay_on_path(is_on_path)

    def _on_end_from_selection(self, which: End) -> None:
        self._controller.set_end(which, self._controller.selection.code)

    def _on_end_encoded(self, which: End, answer: Encoded) -> None:
        self._move_end(which, answer.loc[0])

    def _move_end(self, which: End, code: NDArray[np.float32]) -> None:
        is_on_path = self._is_on_path
        self._controller.set_end(which, code)
        self._stay_on_path(is_on_path)

    def _stay_on_path(self, was_on_path: bool) -> None:
        """Keep the share t, not the code, when the path is laid elsewhere under a code that lay on it."""
        if was_on_path and not self._is_on_path:
            self.go_to(self._share)

    @property
    def _is_on_path(self) -> bool:
        if self._following.isActive():
            self._follow()
        return self._strip.share is not None

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._player.stop()
        self._drawn_strip = self._strip_step = None
        self._strip.set_images(None)
        self._picture.set_image(None, is_generated=True)
        self._show_run()

    def _on_data(self) -> None:
        data = self._controller.data
        for chooser in self._choosers.values():
            chooser.set_n_images(0 if data is None else len(data))

    def _on_selection(self, selection: Selection) -> None:
        if not self._is_moving:
            self._player.stop()
        if self._is_moving or not self._has_strip_of(selection):
            self._follow()
        elif not self._following.isActive():
            self._following.start()

    def _follow(self) -> None:
        """Show the selection of now, and ask for its pictures."""
        self._following.stop()
        selection = self._controller.selection
        self._show_selection(selection)
        self._ask_picture()
        if not self._has_strip_of(selection):
            self._ask_strip()

    def _on_codes(self, codes: CodesSnapshot) -> None:
        # New weights, so other pictures; a question still under way is answered by the new weights anyway.
        if not self._picture_channel.is_waiting:
            self._ask_picture()
        if not self._strip_channel.is_waiting:
            self._ask_strip()

    def _on_picture(self, answer: Decoded) -> None:
        caption = self.tr("step {step}").format(step=f"{answer.step:,}")
        self._picture.set_image(answer.images[0], is_generated=True, caption=caption)

    def _on_strip(self, answer: Decoded) -> None:
        self._strip.set_images(answer.images)
        self._strip_step = answer.step
        self._show_note()

    # ---- showing and asking ---------------------------------------------------------------------------------------

    def _show_run(self) -> None:
        self._stack.setCurrentIndex(0 if self._controller.opened is None else 1)
        for chooser in self._choosers.values():
            chooser.set_dice_help(draw_help(self._controller))

    def _show_selection(self, selection: Selection) -> None:
        share = share_of_code(selection, guess=self._share)
        self._share = self._share if share is None else share
        for widget, show in (
            (self._slider, lambda: self._slider.setValue(round(self._share * SLIDER_STEPS))),
            (self._field, lambda: self._field.set_value(round(self._share, 3))),
            (self._path, lambda: self._path.setCurrentIndex(self._path.findData(selection.path))),
        ):
            was_blocked = widget.blockSignals(True)
            show()
            widget.blockSignals(was_blocked)
        self._strip.set_share(share)
        self._show_note()

    def _show_note(self) -> None:
        parts = []
        if self._strip_step is not None:
            parts.append(self.tr("strip of step {step}").format(step=f"{self._strip_step:,}"))
        if self._strip.share is None:
            parts.append(self.tr("code beside the path"))
        self._note.setText(" · ".join(parts))
        self._note.setToolTip(self._note.text())
        self._strip.setToolTip(parts[0] if self._strip_step is not None else "")

    def _has_strip_of(self, selection: Selection) -> bool:
        drawn = self._drawn_strip
        return (
            drawn is not None
            and drawn.path == selection.path
            and np.array_equal(drawn.end_a, selection.end_a)
            and np.array_equal(drawn.end_b, selection.end_b)
        )

    def _ask_picture(self) -> None:
        if self._can_ask():
            controller = self._controller
            self._picture_channel.decode(
                controller.selection.code, draw_seed=controller.draw_seed, label=controller.label_here
            )

    def _ask_strip(self) -> None:
        if self._can_ask():
            selection = self._controller.selection
            shares = np.linspace(0.0, 1.0, int(self._count.value()))
            codes = interpolate(selection.end_a, selection.end_b, shares, path=selection.path)
            self._strip_channel.decode(codes, draw_seed=self._controller.draw_seed, label=self._controller.label)
            self._drawn_strip = selection

    def _ask_again(self) -> None:
        self._ask_picture()
        self._ask_strip()

    def _can_ask(self) -> bool:
        return self.isVisible() and self._controller.opened is not None

    def _restyle(self) -> None:
        for label in (self._empty, self._note):
            label.setStyleSheet(f"color: {current_theme().muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask_again()

    def hideEvent(self, event: QHideEvent) -> None:
        self._player.stop()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
