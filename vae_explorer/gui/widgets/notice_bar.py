"""`NoticeBar`: one sentence over the window's foot, with details, copy and dismiss; it never blocks anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme, fixed_font

Level = Literal["info", "warning", "error"]
Action = tuple[str, Callable[[], None]]
"""The words of a button that offers a way out, and what it does."""

INFO_MS = 8000
"""How long an information stays; one that offers something, warnings and errors stay until they are dismissed."""
MAX_WAITING = 20
STRIPE_PX = 4


@dataclass(frozen=True)
class _Notice:
    message: str
    level: Level
    details: str
    action: Action | None


class NoticeBar(QWidget):
    """Hidden while there is nothing to say. A newer notice takes the place of an information; behind a warning or an
    error it waits, so that nothing is missed; the same notice twice in a row is shown once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._shown: _Notice | None = None
        self._waiting: deque[_Notice] = deque(maxlen=MAX_WAITING)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._label = QLabel()
        self._label.setObjectName("notice_text")
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._details = QPlainTextEdit()
        self._details.setObjectName("notice_details")
        self._details.setReadOnly(True)
        self._details.setFont(fixed_font())
        self._details.setMaximumHeight(20 * GRID_PX)
        self._details.hide()
        row = QHBoxLayout()
        row.setSpacing(GRID_PX)
        row.addWidget(self._label, 1)
        self._action_button = self._button("notice_action", "", self.tr("Take this way out."), row)
        self._action_button.setAutoRaise(False)
        self._action_button.clicked.connect(self._act)
        details = self.tr("Show what lies behind this sentence.")
        self._details_button = self._button("notice_more", self.tr("Details"), details, row, is_checkable=True)
        self._details_button.toggled.connect(self._details.setVisible)
        copy = self.tr("Copy the sentence and its details.")
        self._button("notice_copy", self.tr("Copy"), copy, row).clicked.connect(self.copy)
        dismiss = self.tr("Take this notice away; the next that waits is shown.")
        self._dismiss_button = self._button("notice_dismiss", self.tr("Dismiss"), dismiss, row)
        self._dismiss_button.clicked.connect(self.dismiss)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        column.addLayout(row)
        column.addWidget(self._details)
        self.hide()

    def _button(self, name: str, text: str, tip: str, row: QHBoxLayout, *, is_checkable: bool = False) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setAutoRaise(True)
        button.setCheckable(is_checkable)
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return button

    @property
    def message(self) -> str:
        """The sentence that is shown, or an empty string."""
        return self._shown.message if self._shown else ""

    def notify(self, message: str, level: Level = "info", details: str = "", *, action: Action | None = None) -> None:
        """Say a sentence; `action` offers a way out, and the notice goes when it is taken."""
        notice = _Notice(message, level, details, action)
        newest = self._waiting[-1] if self._waiting else self._shown
        if notice == newest:
            return
        if self._shown is not None and self._shown.level != "info":
            self._waiting.append(notice)
            self._show_dismiss()
        else:
            self._show(notice)

    def dismiss(self) -> None:
        """Take the notice away, and show the next that waits."""
        self._timer.stop()
        self._shown = None
        if self._waiting:
            self._show(self._waiting.popleft())
        else:
            self.hide()

    def _act(self) -> None:
        action = self._shown.action if self._shown else None
        self.dismiss()
        if action is not None:
            action[1]()

    def copy(self) -> None:
        """Put the sentence and its details on the clipboard."""
        if self._shown:
            text = "\n\n".join(filter(None, (self._shown.message, self._shown.details)))
            QGuiApplication.clipboard().setText(text)

    def _show(self, notice: _Notice) -> None:
        self._shown = notice
        self._label.setText(notice.message)
        self._label.setAccessibleName(notice.message)
        self._details.setPlainText(notice.details)
        self._action_button.setText(notice.action[0] if notice.action else "")
        self._action_button.setVisible(notice.action is not None)
        self._details_button.setChecked(False)
        self._details_button.setVisible(bool(notice.details))
        self._show_dismiss()
        if notice.level == "info" and notice.action is None:
            self._timer.start(INFO_MS)
        else:
            self._timer.stop()
        self.show()
        self.update()

    def _show_dismiss(self) -> None:
        more = self.tr("Dismiss ({n} more)").format(n=len(self._waiting))
        self._dismiss_button.setText(more if self._waiting else self.tr("Dismiss"))

    def changeEvent(self, event: QEvent) -> None:
        """Repaint in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ground and a stripe in the level's colour."""
        theme = current_theme()
        level = self._shown.level if self._shown else "info"
        colour = {"info": theme.accent, "warning": theme.warning, "error": theme.error}[level]
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.raised))
        painter.fillRect(0, 0, STRIPE_PX, self.height(), QColor(colour))
        painter.end()
