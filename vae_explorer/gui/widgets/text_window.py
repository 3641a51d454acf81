"""`TextWindow`: a small window of formatted text that blocks nothing (help, about)."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from vae_explorer.gui.theme import GRID_PX


class TextWindow(QDialog):
    """Shows HTML; Escape or Close closes it, and it is gone then."""

    def __init__(self, name: str, title: str, html: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        text = QTextBrowser()
        text.setObjectName(f"{name}_text")
        text.setOpenExternalLinks(True)
        text.setHtml(html)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setSpacing(GRID_PX)
        column.addWidget(text)
        column.addWidget(buttons)
        self.resize(72 * GRID_PX, 64 * GRID_PX)
