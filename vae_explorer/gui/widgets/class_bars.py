"""`ClassBars`: q(y|x) of one image, a small bar a class, its label marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.plot_style import tick_font

BAR_PX = 3 * GRID_PX
MOST_BARS = 12
"""Of more classes the most probable ones are shown."""


class ClassBars(QWidget):
    """Bars in the colours of the classes, a name below each; the label of the image has a frame around its name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("class_bars")
        self.setFont(tick_font())
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._chances: NDArray[np.float32] | None = None
        self._names: tuple[str, ...] = ()
        self._label: int | None = None
        self._shown: list[int] = []

    @property
    def shown(self) -> list[int]:
        """The classes that have a bar, from left to right."""
        return self._shown

    def set_chances(
        self, chances: NDArray[np.float32] | None, names: Sequence[str] = (), *, label: int | None = None
    ) -> None:
        """Show q(y|x) (n_classes,) of an image with its label, None where that is not known; None shows empty bars."""
        self._chances, self._label = chances, label
        self._names = tuple(names)
        self._shown = []
        if chances is None:
            self.setAccessibleName(self.tr("q(y|x): no image selected"))
        else:
            self._shown = sorted(np.argsort(-chances, kind="stable")[:MOST_BARS].tolist())
            self.setAccessibleName(self._sentence(int(chances.argmax())))
        self.update()

    def _sentence(self, best: int) -> str:
        assert self._chances is not None
        text = self.tr("q(y|x): most probable class {name}, {chance} %").format(
            name=self._name(best), chance=f"{100 * float(self._chances[best]):.1f}"
        )
        if self._label is None:
            return text
        verdict = self.tr("its label") if best == self._label else self.tr("its label is {name}")
        return f"{text} ({verdict.format(name=self._name(self._label))})"

    def _name(self, label: int) -> str:
        return self._names[label] if label < len(self._names) else str(label)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(20 * GRID_PX, BAR_PX + self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        base = float(BAR_PX)
        painter.setPen(QPen(QColor(theme.line), 1.0))
        painter.drawLine(0, round(base), self.width(), round(base))
        if self._chances is not None:
            width = self.width() / len(self._shown)
            for place, label in enumerate(self._shown):
                self._paint_bar(painter, label, QRectF(place * width, 0.0, width, self.height()))
        painter.end()

    def _paint_bar(self, painter: QPainter, label: int, box: QRectF) -> None:
        assert self._chances is not None
        theme = current_theme()
        height = float(self._chances[label]) * (BAR_PX - 1)
        inset = min(4.0, box.width() / 6)
        bar = QRectF(box.left() + inset, BAR_PX - height, box.width() - 2 * inset, height)
        painter.fillRect(bar, QColor(theme.class_colour(label)))
        text = QRectF(box.left(), BAR_PX + 1, box.width(), self.fontMetrics().height() + 2)
        if label == self._label:
            painter.setPen(QPen(QColor(theme.accent), 1.0))
            painter.drawRect(text.adjusted(1.5, 0.5, -1.5, -0.5))
        painter.setPen(QColor(theme.text if label == self._label else theme.muted))
        name = self.fontMetrics().elidedText(self._name(label), Qt.TextElideMode.ElideRight, int(box.width()) - 2)
        painter.drawText(text, Qt.AlignmentFlag.AlignCenter, name)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._chances is not None:
            place = int(event.x() / max(1.0, self.width()) * len(self._shown))
            label = self._shown[min(max(place, 0), len(self._shown) - 1)]
            text = self.tr("q(y = {name} | x) = {chance} %").format(
                name=self._name(label), chance=f"{100 * float(self._chances[label]):.2f}"
            )
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)
