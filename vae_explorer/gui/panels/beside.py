"""Beside: an autoencoder of the same settings next to the VAE, so that the holes in its latent space are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vae_explorer.engine.messages import CodesSnapshot, Decoded, Encoded
from vae_explorer.gui.beside_words import holes_help, holes_text, state_text
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.beside_map import BesideMap
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.toggle_style import toggle_sheet

SIDE_PX = 296
HOLES_MS = 500
"""Holes are counted this long after new codes: some 20 ms' work, too much for every snapshot of a training."""


class BesidePanel(QWidget):
    """The autoencoder's own map, and the picture of its place beside that of the VAE's.

    An image that is picked on either map is marked on both; a press elsewhere on this map is decoded by the autoencoder
    alone. It asks only while it is visible.
    """

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beside_panel")
        self._controller = controller
        self._run, self._companion = controller.channel("beside run"), controller.channel("beside companion")
        self._image_code = controller.channel("beside image")
        self._holes_due = QTimer(self, singleShot=True, interval=HOLES_MS)
        self._build()
        self._connect()
        self._on_run_opened()
        self._restyle()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._map = BesideMap()
        self._toggle = QToolButton()
        self._toggle.setObjectName("beside_toggle")
        self._toggle.setCheckable(True)
        self._toggle.setText(self.tr("Train an autoencoder beside"))
        self._toggle.setToolTip(
            self.tr(
                "Train an autoencoder of the same settings on the same images, step by step with the VAE. It lives in "
                "memory only and changes nothing of the VAE's training."
            )
        )
        self._state = self._make_text("beside_state")
        self._holes = self._make_text("beside_holes")
        self._holes.setWordWrap(True)
        self._holes.setToolTip(holes_help())
        self._holes.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._data, self._vae, self._point = (PictureView() for _ in range(3))
        pictures = QHBoxLayout()
        pictures.setSpacing(GRID_PX // 2)
        for picture, name in ((self._data, "image"), (self._vae, "vae"), (self._point, "autoencoder")):
            picture.setObjectName(f"beside_{name}")
            pictures.addWidget(picture, 1)
        side = QVBoxLayout()
        side.setSpacing(GRID_PX // 2)
        side.addWidget(self._toggle, 0, Qt.AlignmentFlag.AlignLeft)
        side.addWidget(self._state)
        side.addLayout(pictures, 1)
        side.addWidget(self._holes)
        held = QWidget()
        held.setLayout(side)
        held.setFixedWidth(SIDE_PX)
        side.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        row.setSpacing(GRID_PX)
        row.addWidget(self._map, 1)
        row.addWidget(held)

    def _make_text(self, name: str) -> QLabel:
        label = QLabel()
        label.setObjectName(name)
        label.setFont(tick_font())
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        return label

    def _connect(self) -> None:
        controller = self._controller
        controller.run_opened.connect(self._on_run_opened)
        controller.companion_changed.connect(self._on_companion_changed)
        controller.companion_codes_changed.connect(self._on_companion_codes)
        controller.codes_changed.connect(self._on_codes)
        controller.selection_changed.connect(self._on_selection)
        controller.status_changed.connect(self._show_state)
        self._holes_due.timeout.connect(self._show_holes)
        controller.label_changed.connect(self._on_label)
        self._toggle.toggled.connect(controller.set_companion)
        self._map.place_moved.connect(self._on_place_moved)
        self._map.image_picked.connect(controller.select_image)
        self._run.answered.connect(self._on_run_decoded)
        self._companion.answered.connect(self._on_companion_decoded)
        self._image_code.answered.connect(self._on_image_encoded)

    # ---- what the controller says ---------------------------------------------------------------------------------

    @Slot()
    def _on_run_opened(self) -> None:
        controller = self._controller
        config = controller.config
        has_pair = config is not None and config.model.kind != "autoencoder"
        self._toggle.setEnabled(has_pair)
        self._map.set_latent_dim(controller.selection.latent_dim)
        self._vae.set_image(None, is_generated=True, caption=self.tr("VAE"))
        self._point.set_image(None, is_generated=True, caption=self.tr("autoencoder"))
        self._on_companion_changed()
        self._on_selection(controller.selection)

    @Slot()
    def _on_companion_changed(self) -> None:
        controller = self._controller
        self._toggle.blockSignals(True)
        self._toggle.setChecked(controller.has_companion)
        self._toggle.blockSignals(False)
        if not controller.has_companion:
            self._map.set_place(None)
            self._point.set_image(None, is_generated=True, caption=self.tr("autoencoder"))
        self._on_companion_codes(controller.companion_codes)

    @Slot(object)
    def _on_companion_codes(self, codes: CodesSnapshot | None) -> None:
        self._map.set_codes(codes, self._labels_of(codes))
        self._map.set_empty_text(self._empty_text())
        self._show_state()
        if self.isVisible():
            self._follow_image()
        self._count_holes()

    @Slot(object)
    def _on_codes(self, codes: CodesSnapshot) -> None:
        self._show_state()
        self._count_holes()
        if self.isVisible():
            self._ask_run()

    @Slot(object)
    def _on_selection(self, selection: Selection) -> None:
        data, image = self._controller.data, selection.image
        if data is not None and image is not None and image < len(data):
            pixels = data.images[image].astype(np.float32) / data.max_value
            self._data.set_image(pixels, is_generated=False, caption=self.tr("image {index}").format(index=image))
        else:
            self._data.set_image(None, is_generated=False, caption=self.tr("no image"))
        if self.isVisible():
            self._ask_run()
            self._follow_image()

    @Slot()
    def _on_label(self) -> None:
        if self.isVisible():
            self._ask_run()

    # ---- asking ---------------------------------------------------------------------------------------------------

    def _ask_run(self) -> None:
        if self._controller.opened is not None:
            self._run.decode(self._controller.selection.code, label=self._controller.label_here)

    def _follow_image(self) -> None:
        """Mark the selected image's code on this map, asked for where the snapshot has it not; else decode anew."""
        codes, image = self._controller.companion_codes, self._controller.selection.image
        if codes is None:
            return
        if image is None:
            self._decode_place()
            return
        places = np.flatnonzero(codes.indices == image)
        if len(places):
            self._map.set_place(codes.loc[places[0]])
            self._decode_place()
        else:
            self._image_code.encode(image, of="companion")

    def _decode_place(self) -> None:
        if self._map.place is not None and self._controller.has_companion:
            self._companion.decode(self._map.place, of="companion")

    # ---- answers --------------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_run_decoded(self, answer: Decoded) -> None:
        self._vae.set_image(answer.images[0], is_generated=True, caption=self.tr("VAE"))

    @Slot(object)
    def _on_companion_decoded(self, answer: Decoded) -> None:
        if self._controller.has_companion:
            self._point.set_image(answer.images[0], is_generated=True, caption=self.tr("autoencoder"))

    @Slot(object)
    def _on_image_encoded(self, answer: Encoded) -> None:
        if self._controller.has_companion and int(answer.indices[0]) == self._controller.selection.image:
            self._map.set_place(answer.loc[0])
            self._decode_place()

    @Slot(object)
    def _on_place_moved(self, code: NDArray[np.float32]) -> None:
        self._map.set_place(code)
        selection = self._controller.selection
        if selection.image is not None:
            # The place is of no image; on the VAE's map the code stays where it is. That it changes decodes the place.
            self._controller.select_code(selection.code)
        else:
            self._decode_place()

    # ---- words ----------------------------------------------------------------------------------------------------

    def _empty_text(self) -> str:
        config = self._controller.config
        if config is None:
            return self.tr("Open a run, or press Train: an autoencoder can then be trained beside the VAE.")
        if config.model.kind == "autoencoder":
            return self.tr("This run is an autoencoder itself. Open or train a VAE to have the two side by side.")
        if not self._controller.has_companion:
            return self.tr(
                "Press “Train an autoencoder beside”: what it makes of the same images, without a prior, appears here."
            )
        if self._controller.companion_codes is None:
            return self.tr("The autoencoder is on its way ...")
        return ""

    @Slot()
    def _show_state(self, *_: Any) -> None:
        status, codes = self._controller.status, self._controller.companion_codes
        if not self._controller.has_companion or status is None or status.companion_step is None:
            self._state.setText("")
            self._state.setToolTip("")
            return
        self._state.setText(state_text(status.companion_step, codes, self._controller.codes))
        self._state.setToolTip(
            self.tr("-log p(x|z) in nats per image, the mean over the images that are shown; lower is better.")
        )

    def _count_holes(self) -> None:
        """Have the holes counted soon, a few times a second at most; at once where there are none to count."""
        if self._controller.companion_codes is None:
            self._holes.setText("")
        elif self.isVisible() and not self._holes_due.isActive():
            self._holes_due.start()

    @Slot()
    def _show_holes(self) -> None:
        controller = self._controller
        if controller.companion_codes is not None:
            self._holes.setText(holes_text(controller.companion_codes, controller.codes, controller.config))

    def _labels_of(self, codes: CodesSnapshot | None) -> NDArray[np.int64] | None:
        data = self._controller.data
        if codes is None or data is None or data.labels is None or codes.indices.max(initial=-1) >= len(data):
            return None
        labels: NDArray[np.int64] = data.labels[codes.indices]
        return labels

    def _restyle(self) -> None:
        theme = current_theme()
        self._toggle.setStyleSheet(toggle_sheet(theme))
        self._map.restyle()
        for label in (self._state, self._holes):
            label.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._on_companion_codes(self._controller.companion_codes)
        self._ask_run()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
