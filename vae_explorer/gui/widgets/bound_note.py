"""`BoundNote`: a badge for what the loss is where it is not minus the ELBO, and the reason in one line."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from vae_explorer.gui.bound_words import LossNote
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.plot_style import tick_font


class BoundNote(QWidget):
    """Takes no room while there is nothing to say; the whole text is in the tooltip."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """name: what the badge ('name_badge') and the line ('name_note') are called."""
        super().__init__(parent)
        self._badge = QLabel()
        self._badge.setObjectName(f"{name}_badge")
        self._text = ElidingLabel()
        self._text.setObjectName(f"{name}_note")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX)
        row.addWidget(self._badge)
        row.addWidget(self._text, 1)
        self.restyle()
        self.hide()

    def show_note(self, note: LossNote | None, words: str = "") -> None:
        """Show what the loss is, and further words about the numbers; None and '' for nothing."""
        sentences = [text for text in ("" if note is None else note.reason, words) if text]
        self._badge.setText("" if note is None else note.badge)
        self._badge.setVisible(note is not None)
        self._text.setText(" ".join(sentences))
        for widget in (self._badge, self._text):
            widget.setToolTip("\n".join(sentences))
        self.setVisible(bool(sentences))

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        for label in (self._badge, self._text):
            label.setFont(tick_font())
        self._text.setStyleSheet(f"color: {theme.muted};")
        self._badge.setStyleSheet(
            f"color: {theme.warning}; border: 1px solid {theme.line}; border-radius: 4px; padding: 0 4px;"
        )

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.restyle()
