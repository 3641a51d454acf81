"""Here: what lives at the selected code, and the selected image with its reconstruction and its bound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from vae_explorer.config_rules import LABELLED
from vae_explorer.engine.messages import CodesSnapshot, Decoded, Encoded
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.bound_equation import BoundEquation
from vae_explorer.gui.widgets.class_bars import ClassBars
from vae_explorer.gui.widgets.code_fields import CodeFields
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.neighbours import NeighbourIndex
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.gui.widgets.picture_strip import PictureStrip
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.latent.statistics import place_of

MAX_FIELDS = 4
"""A code of more numbers is shown as a list; the sliders are where those are changed."""
MAX_LISTED = 12
N_NEIGHBOURS = 6
NEIGHBOURS_MS = 40
"""A press shows its neighbours so much later, once for all moves meanwhile: the question and the picture go first."""


class HerePanel(QWidget):
    """The decoded selection, large; below it the selected image, and the images nearest to the code."""

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("here_panel")
        self._controller = controller
        self._here, self._image = controller.channel("here"), controller.channel("image")
        self._shown: Selection | None = None
        self._is_here_stale = self._is_image_stale = False
        self._neighbours: NeighbourIndex | None = None
        self._neighbours_due = QTimer(self, singleShot=True, interval=NEIGHBOURS_MS)
        self._neighbours_due.timeout.connect(self._show_neighbours)
        self._build()
        controller.run_opened.connect(self._on_run_opened)
        controller.data_changed.connect(self._on_data_changed)
        controller.codes_changed.connect(self._on_codes_changed)
        controller.selection_changed.connect(self._on_selection_changed)
        controller.drawing_changed.connect(self._on_drawing_changed)
        controller.label_changed.connect(self._on_label_changed)
        self._here.answered.connect(self._on_decoded)
        self._here.failed.connect(self._on_decode_failed)
        self._image.answered.connect(self._on_encoded)
        self._image.failed.connect(self._on_encode_failed)
        self._on_run_opened()

    @property
    def is_settled(self) -> bool:
        """Whether the nearest images are those of the selected code: they follow a press a moment later."""
        return not self._neighbours_due.isActive()

    # ---- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        column.setSpacing(GRID_PX // 2)
        self._picture = PictureView()
        self._picture.setObjectName("here_picture")
        self._picture.setMinimumSize(12 * GRID_PX, 12 * GRID_PX)
        self._picture.setToolTip(self.tr("What the decoder makes of the selected code (dashed frame: generated)."))
        column.addWidget(self._picture, 5)
        column.addLayout(self._build_code_row())
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setFrameShadow(QFrame.Shadow.Plain)
        line.setForegroundRole(QPalette.ColorRole.Mid)
        column.addWidget(line)
        column.addLayout(self._build_image_row())
        pair = QHBoxLayout()
        pair.setSpacing(GRID_PX)
        self._original, self._reconstruction = PictureView(), PictureView()
        self._original.setObjectName("here_original")
        self._reconstruction.setObjectName("here_reconstruction")
        self._original.setToolTip(self.tr("The image of the data (solid frame)."))
        self._reconstruction.setToolTip(self.tr("Its reconstruction: encoded, then decoded (dashed frame: generated)."))
        for view in (self._original, self._reconstruction):
            view.setMinimumHeight(9 * GRID_PX)
            pair.addWidget(view)
        column.addLayout(pair, 3)
        self._equation = BoundEquation()
        column.addWidget(self._equation)
        self._classes = ClassBars()
        column.addWidget(self._classes)
        self._nearest_title = QLabel(self.tr("Nearest images"))
        self._nearest_title.setToolTip(self.tr("The images whose codes lie nearest to the selected code."))
        column.addWidget(self._nearest_title)
        self._nearest = PictureStrip(N_NEIGHBOURS, "near")
        self._nearest.setFixedHeight(7 * GRID_PX)
        self._nearest.chosen.connect(self._controller.select_image)
        column.addWidget(self._nearest)

    def _build_code_row(self) -> QVBoxLayout:
        rows = QVBoxLayout()
        rows.setSpacing(GRID_PX // 2)
        self._fields = CodeFields("here_z")
        self._fields.edited.connect(self._on_fields_edited)
        self._list = QLabel()
        self._list.setObjectName("here_code")
        self._list.setWordWrap(True)
        self._list.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        rows.addWidget(self._fields)
        self._list_room = StillRoom(self._list)
        rows.addWidget(self._list_room)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID_PX // 2)
        self._end_buttons = []
        for which, text in (("a", self.tr("Set A")), ("b", self.tr("Set B"))):
            button = QPushButton(text)
            button.setObjectName(f"set_{which}")
            button.setToolTip(
                self.tr("Make the selected code the end {end} of the interpolation.").format(end=which.upper())
            )
            button.clicked.connect(self._on_set_a if which == "a" else self._on_set_b)
            buttons.addWidget(button)
            self._end_buttons.append(button)
        rows.addLayout(buttons)
        return rows

    def _build_image_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        self._image_title = QLabel()
        self._image_title.setObjectName("here_image")
        row.addWidget(StillRoom(self._image_title), 1)
        self._step_buttons = []
        for text, name, tip, slot in (
            ("‹", "previous_image", self.tr("Select the image before this one."), self._on_previous),
            ("›", "next_image", self.tr("Select the next image."), self._on_next),
        ):
            button = QToolButton()
            button.setText(text)
            button.setObjectName(name)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(slot)
            row.addWidget(button)
            self._step_buttons.append(button)
        return row

    # ---- what the controller says ---------------------------------------------------------------------------------

    @Slot()
    def _on_run_opened(self) -> None:
        controller = self._controller
        has_model = controller.opened is not None
        latent_dim = controller.selection.latent_dim
        is_listed = latent_dim > MAX_FIELDS
        names = [] if is_listed else [latent_name(axis) for axis in range(latent_dim)]
        self._fields.set_names(names, [self.tr("{name} of the selected code.").format(name=n) for n in names])
        self._fields.setVisible(not is_listed)
        self._list_room.setVisible(is_listed)
        for widget in (self._fields, *self._end_buttons):
            widget.setEnabled(has_model)
        self._classes.setVisible(controller.config is not None and controller.config.model.kind in LABELLED)
        self._picture.set_image(None, is_generated=True)
        self._picture.set_placeholder(self.tr("Click the map") if has_model else self.tr("Open a run, or press Train"))
        self._shown = None
        self._is_here_stale = self._is_image_stale = False
        self._set_neighbours(controller.codes)
        self._on_selection_changed(controller.selection)

    @Slot()
    def _on_data_changed(self) -> None:
        self._set_neighbours(self._controller.codes)
        self._show_image(self._controller.selection.image)

    @Slot(object)
    def _on_codes_changed(self, codes: CodesSnapshot) -> None:
        self._set_neighbours(codes)
        selection = self._controller.selection
        loc = _loc_of(codes, selection.image)
        if selection.image is not None and loc is not None:
            # The selected image moves with the weights, and the code that is looked at with it.
            self._controller.select_code(loc, image=selection.image, is_final=False)
        self._show_neighbours_soon()
        self._ask_here_when_free()
        self._ask_image_when_free()

    @Slot(object)
    def _on_selection_changed(self, selection: Selection) -> None:
        before, self._shown = self._shown, selection
        has_moved = before is None or not np.array_equal(before.code, selection.code)
        if has_moved:
            self._ask_here()
            self._show_code(selection.code)
            self._show_neighbours_soon()
        if before is None or before.image != selection.image:
            self._show_image(selection.image)
            self._ask_image()

    @Slot()
    def _on_drawing_changed(self) -> None:
        self._ask_here()
        self._ask_image()

    @Slot()
    def _on_label_changed(self) -> None:
        self._ask_here()

    @Slot(object)
    def _on_decoded(self, answer: Decoded) -> None:
        kind = self.tr("a draw") if self._controller.is_drawing else self.tr("decoded")
        caption = self.tr("{kind} · step {step}").format(kind=kind, step=f"{answer.step:,}")
        self._picture.set_image(answer.images[0], is_generated=True, caption=caption)
        if self._is_here_stale:
            self._ask_here()

    @Slot(object)
    def _on_encoded(self, answer: Encoded) -> None:
        image = self._controller.selection.image
        if image is None or int(answer.indices[0]) != image:
            return
        # Short, for half of a narrow panel; the tooltip says it in full.
        caption = self.tr("recon · step {step}").format(step=f"{answer.step:,}")
        self._reconstruction.set_image(answer.reconstructions[0], is_generated=True, caption=caption)
        self._equation.set_terms(
            float(answer.distortion[0]), float(answer.kl[0]), float(answer.elbo[0]), float(answer.elbo_mc_se[0])
        )
        if answer.class_probabilities is not None:
            self._classes.set_chances(
                answer.class_probabilities[0], self._controller.class_names, label=self._known_label_of(image)
            )
        if self._controller.codes is None or _loc_of(self._controller.codes, image) is None:
            # Not among the codes on the map: then this answer is the only news of where the image lies.
            self._controller.select_code(answer.loc[0], image=image, is_final=False)
        if self._is_image_stale:
            self._ask_image()

    @Slot(str)
    def _on_decode_failed(self, message: str) -> None:
        self._is_here_stale = False
        if not self._picture.has_image:
            self._picture.set_placeholder(message)

    @Slot(str)
    def _on_encode_failed(self, message: str) -> None:
        self._is_image_stale = False
        if not self._reconstruction.has_image:
            self._reconstruction.set_placeholder(message)

    # ---- what the person does -------------------------------------------------------------------------------------

    @Slot(object)
    def _on_fields_edited(self, values: NDArray[np.float32]) -> None:
        self._controller.select_code(values)

    @Slot()
    def _on_set_a(self) -> None:
        self._controller.set_end("a", self._controller.selection.code)

    @Slot()
    def _on_set_b(self) -> None:
        self._controller.set_end("b", self._controller.selection.code)

    @Slot()
    def _on_previous(self) -> None:
        self._step_image(-1)

    @Slot()
    def _on_next(self) -> None:
        self._step_image(1)

    def _step_image(self, step: int) -> None:
        data, image = self._controller.data, self._controller.selection.image
        if data is not None and len(data):
            self._controller.select_image(0 if image is None else (image + step) % len(data))

    # ---- questions ------------------------------------------------------------------------------------------------

    def _ask_here(self) -> None:
        self._is_here_stale = False
        controller = self._controller
        if controller.opened is not None:
            self._here.decode(controller.selection.code, draw_seed=controller.draw_seed, label=controller.label_here)

    def _ask_image(self) -> None:
        self._is_image_stale = False
        image = self._controller.selection.image
        if self._controller.opened is not None and image is not None:
            self._image.encode(image, draw_seed=self._controller.draw_seed)

    def _ask_here_when_free(self) -> None:
        # While it trains a snapshot may come before the last answer: one question is under way, never a queue of them.
        if self._here.is_waiting:
            self._is_here_stale = True
        else:
            self._ask_here()

    def _ask_image_when_free(self) -> None:
        if self._image.is_waiting:
            self._is_image_stale = True
        else:
            self._ask_image()

    # ---- showing --------------------------------------------------------------------------------------------------

    def _show_code(self, code: NDArray[np.float32]) -> None:
        if len(code) <= MAX_FIELDS:
            self._fields.set_values(code)
            return
        listed = "  ".join(f"{value:+.2f}".replace("-", "−") for value in code[:MAX_LISTED].tolist())
        rest = self.tr(" … {n} numbers").format(n=len(code)) if len(code) > MAX_LISTED else ""
        self._list.setText(f"z = {listed}{rest}")
        self._list.setToolTip(", ".join(f"{value:.4g}" for value in code.tolist()))

    def _show_image(self, image: int | None) -> None:
        data = self._controller.data
        for button in self._step_buttons:
            button.setEnabled(data is not None and self._controller.opened is not None)
        self._nearest.set_marked(image)
        self._equation.set_terms(None)
        self._classes.set_chances(None)
        self._reconstruction.set_image(None, is_generated=True)
        self._original.set_placeholder(self.tr("Click a point"))
        self._reconstruction.set_placeholder("")
        if data is None or image is None or image >= len(data):
            self._image_title.setText(self.tr("No image selected"))
            self._image_title.setToolTip(self.tr("Click a point of the map, or one of the nearest images."))
            self._original.set_image(None, is_generated=False)
            return
        self._image_title.setText(self._title_of(image))
        self._image_title.setToolTip(self._title_of(image))
        self._original.set_image(self._pixels(image), is_generated=False, caption=self.tr("original"))

    def _title_of(self, image: int) -> str:
        parts = [self.tr("Image {index}").format(index=f"{image:,}")]
        label = self._label_of(image)
        if label:
            parts.append(label)
        data = self._controller.data
        if data is not None:
            splits = {"train": data.splits.train, "validation": data.splits.validation, "test": data.splits.test}
            parts += [name for name, members in splits.items() if place_of(image, members) is not None]
        return " · ".join(parts)

    def _label_of(self, image: int) -> str:
        data = self._controller.data
        if data is None or data.labels is None:
            return ""
        label = int(data.labels[image])
        if label < 0:
            return self.tr("unknown")
        return data.class_names[label] if label < len(data.class_names) else str(label)

    def _known_label_of(self, image: int) -> int | None:
        data = self._controller.data
        label = -1 if data is None or data.labels is None else int(data.labels[image])
        return label if label >= 0 else None

    def _pixels(self, image: int) -> NDArray[np.float32]:
        data = self._controller.data
        assert data is not None
        return (data.images[image] / np.float32(data.max_value)).astype(np.float32)

    def _set_neighbours(self, codes: CodesSnapshot | None) -> None:
        is_fitting = codes is not None and codes.loc.shape[1] == self._controller.selection.latent_dim
        self._neighbours = NeighbourIndex(codes.loc) if codes is not None and is_fitting else None
        if self._neighbours is None:
            # At once: those of another run must not be there to be clicked.
            self._show_neighbours()

    def _show_neighbours_soon(self) -> None:
        if not self._neighbours_due.isActive():
            self._neighbours_due.start()

    @Slot()
    def _show_neighbours(self) -> None:
        codes, data = self._controller.codes, self._controller.data
        if self._neighbours is None or codes is None or data is None:
            self._nearest.set_images([], [], [])
            return
        places = self._neighbours.nearest(self._controller.selection.code, N_NEIGHBOURS)
        indices = [index for index in codes.indices[places].tolist() if index < len(data)]
        if indices != self._nearest.indices:
            self._nearest.set_images(
                indices, [self._pixels(index) for index in indices], [self._label_of(index) for index in indices]
            )
        self._nearest.set_marked(self._controller.selection.image)


def _loc_of(codes: CodesSnapshot, image: int | None) -> NDArray[np.float32] | None:
    place = None if image is None else place_of(image, codes.indices)
    return None if place is None else codes.loc[place]
