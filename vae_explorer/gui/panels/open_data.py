"""Dialog for images of one's own: choose a file or folder, see what was understood, then load."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.data.catalog import Preview
from vae_explorer.gui.data_loader import DataLoader
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.config_form import ConfigForm
from vae_explorer.latent.mosaic import mosaic

FORM_KEYS = ("data.side", "data.fit", "data.colour", "data.validation", "data.seed")
PREVIEW_COLUMNS = 8
PREVIEW_PX = 56
FILE_FILTER = "Images as arrays (*.npy *.npz *.gz *-ubyte *.idx *.idx1 *.idx3);;All files (*)"


class OpenDataDialog(QDialog):
    """Non-modal. accepted_config(DataConfig): the person pressed Load; what the dialog does not ask is as it was."""

    accepted_config = Signal(object)

    def __init__(
        self, loader: DataLoader, data: DataConfig, initial_path: str = "", parent: QWidget | None = None
    ) -> None:
        """data: the settings to begin with, their name aside."""
        super().__init__(parent)
        self._loader = loader
        self.setWindowTitle(self.tr("Open data"))
        self.setObjectName("open_data_dialog")
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(PREVIEW_COLUMNS * PREVIEW_PX + 9 * GRID_PX)
        layout = QVBoxLayout(self)
        layout.setSpacing(GRID_PX)
        layout.addLayout(self._make_path_row(initial_path))
        self._form = ConfigForm(FORM_KEYS)
        self._config = RunConfig(data=msgspec.structs.replace(data, name=initial_path))
        self._form.set_config(self._config)
        self._form.config_edited.connect(self._on_form_edited)
        layout.addWidget(self._form)
        self._picture = QLabel(self.tr("Choose a file or folder to see its images here."))
        self._picture.setObjectName("preview_picture")
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.setMinimumHeight(3 * PREVIEW_PX)
        layout.addWidget(self._picture)
        self._summary = QPlainTextEdit()
        self._summary.setObjectName("preview_summary")
        self._summary.setReadOnly(True)
        self._summary.setMaximumHeight(12 * GRID_PX)
        layout.addWidget(self._summary)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._load_button = buttons.addButton(self.tr("Load"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._load_button.setObjectName("load")
        self._load_button.setEnabled(False)
        buttons.accepted.connect(self._on_load)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        loader.previewed.connect(self._on_previewed)
        loader.preview_failed.connect(self._on_preview_failed)
        if initial_path:
            self._ask()

    def _make_path_row(self, path: str) -> QHBoxLayout:
        row = QHBoxLayout()
        self._path = QLineEdit(path)
        self._path.setObjectName("data_path")
        self._path.setPlaceholderText(self.tr("A folder of images, .npz, .npy or IDX files"))
        self._path.setAccessibleName(self.tr("Path of the images"))
        self._path.editingFinished.connect(self._on_path_edited)
        row.addWidget(self._path, 1)
        for text, name, slot in (
            (self.tr("File ..."), "choose_file", self._choose_file),
            (self.tr("Folder ..."), "choose_folder", self._choose_folder),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            row.addWidget(button)
        return row

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open data"), self._path.text(), FILE_FILTER)
        if path:
            self._path.setText(path)
            self._on_path_edited()

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Open data"), self._path.text())
        if path:
            self._path.setText(path)
            self._on_path_edited()

    def _on_path_edited(self) -> None:
        text = self._path.text().strip()
        if not text:
            return
        # A lone word would be read as the name of a set.
        path = str(Path(text).expanduser().absolute())
        self._path.setText(path)
        if path != self._config.data.name:
            self._config = self._config.with_values({"data.name": path})
            self._form.set_config(self._config)
            self._ask()

    def _on_form_edited(self, config: RunConfig) -> None:
        self._config = config
        if self._path.text().strip():
            self._ask()

    def _ask(self) -> None:
        self._load_button.setEnabled(False)
        self._summary.setPlainText(self.tr("Looking ..."))
        self._loader.preview(self._config.data)

    def _on_previewed(self, config: DataConfig, preview: Preview) -> None:
        if config != self._config.data:
            return
        self._picture.setPixmap(preview_pixmap(preview.images))
        self._picture.setAccessibleName(self.tr("{n} images").format(n=preview.n_found))
        lines = [self.tr("{title}: {n:,} images found").format(title=preview.title, n=preview.n_found)]
        lines += preview.understood
        if preview.skipped:
            lines.append(self.tr("{n} files are left out:").format(n=len(preview.skipped)))
            lines += preview.skipped
        self._summary.setPlainText("\n".join(lines))
        self._load_button.setEnabled(True)
        self._load_button.setDefault(True)

    def _on_preview_failed(self, config: DataConfig, message: str) -> None:
        if config == self._config.data:
            self._picture.clear()
            self._summary.setPlainText(message)

    def _on_load(self) -> None:
        self.accepted_config.emit(self._config.data)
        self.accept()


def preview_pixmap(images: np.ndarray) -> QPixmap:
    """Return up to three rows of images (n, C, H, W) uint8 as one picture with small gaps."""
    n, channels, height, width = images.shape
    columns = min(PREVIEW_COLUMNS, max(n, 1))
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, channels, height, width), dtype=np.float32)
    tiles[:n] = images / np.float32(max(int(images.max(initial=1)), 1))
    scale = max(1, PREVIEW_PX // max(height, width))
    picture = np.ascontiguousarray(mosaic(tiles.reshape(rows, columns, channels, height, width), scale=scale, gap=2))
    image = QImage(picture.data, picture.shape[1], picture.shape[0], 3 * picture.shape[1], QImage.Format.Format_RGB888)
    pixmap = QPixmap.fromImage(image)
    limit = PREVIEW_COLUMNS * (PREVIEW_PX + 2)
    if pixmap.width() > limit:
        pixmap = pixmap.scaledToWidth(limit, Qt.TransformationMode.SmoothTransformation)
    return pixmap
