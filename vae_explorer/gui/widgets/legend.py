"""`ClassLegend`: the classes with their colours; a click or the space bar hides one, Shift or Enter leaves it alone."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QScrollArea, QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.flow_layout import FlowLayout
from vae_explorer.gui.widgets.plot_style import tick_font

MAX_LINES = 2
"""More lines than this are scrolled: the map is what the room is for."""
MAX_NAME_CHARS = 24


class LegendChip(QAbstractButton):
    """One class: a disc in its colour and its name; hollow and grey while it is hidden.

    alone_asked(): show this class and no other (Shift-click, or Enter).
    """

    alone_asked = Signal()

    def __init__(self, label: int, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = label
        short = name if len(name) <= MAX_NAME_CHARS else name[: MAX_NAME_CHARS - 1] + "…"
        self.setText(short)
        self.setObjectName(f"legend_{label}")
        self.is_coloured = True
        self.setCheckable(True)
        self.setChecked(True)
        self.setFont(tick_font())
        self.setAccessibleName(self.tr("class {name}").format(name=name))
        self.setToolTip(
            self.tr("{name}: click to hide or show it, Shift-click (or Enter) to show it alone.").format(name=name)
        )
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 26, self.fontMetrics().height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        if self.underMouse() or self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(box, 5, 5)
        colour = QColor(theme.class_colour(self.label) if self.is_coloured else theme.text)
        painter.setPen(QPen(colour if self.isChecked() else QColor(theme.muted), 1.5))
        painter.setBrush(colour if self.isChecked() else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(11, box.center().y()), 4.25, 4.25)
        font = QFont(self.font())
        font.setStrikeOut(not self.isChecked())
        painter.setFont(font)
        painter.setPen(QColor(theme.text if self.isChecked() else theme.muted))
        painter.drawText(box.adjusted(19, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        has_shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if has_shift and self.rect().contains(event.position().toPoint()):
            self.setDown(False)
            self.alone_asked.emit()
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.alone_asked.emit()
        else:
            super().keyPressEvent(event)


class ClassLegend(QScrollArea):
    """The classes of the data, in lines.

    hidden_changed(frozenset): the labels that are hidden now; only on change by the person.
    """

    hidden_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chips: list[LegendChip] = []
        self._hidden: frozenset[int] = frozenset()
        self._is_coloured = True
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(self.tr("classes"))
        self.viewport().setAutoFillBackground(False)
        self._content = QWidget()
        self._content.setAutoFillBackground(False)
        self._flow = FlowLayout(self._content, gap=GRID_PX // 4)
        self.setWidget(self._content)
        self._content.setAutoFillBackground(False)
        self.setVisible(False)

    @property
    def hidden(self) -> frozenset[int]:
        """The labels that are hidden."""
        return self._hidden

    def set_classes(self, labels: Sequence[int], names: Sequence[str]) -> None:
        """Show these classes, all visible; the legend itself hides when there are none."""
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.deleteLater()
        self._chips = []
        for label, name in zip(labels, names, strict=True):
            chip = LegendChip(label, name, self._content)
            chip.toggled.connect(self._on_toggled)
            chip.alone_asked.connect(self._on_alone_asked)
            self._flow.addWidget(chip)
            chip.show()
            self._chips.append(chip)
        self._hidden = frozenset()
        self.set_coloured(self._is_coloured)
        self.setVisible(bool(self._chips))
        self._fit_height()

    def set_coloured(self, is_coloured: bool) -> None:
        """Show the classes' colours, or one for all where the map's colours mean something else."""
        self._is_coloured = is_coloured
        for chip in self._chips:
            chip.is_coloured = is_coloured
            chip.update()

    def _on_toggled(self) -> None:
        self._take(frozenset(chip.label for chip in self._chips if not chip.isChecked()))

    def _on_alone_asked(self) -> None:
        chosen = self.sender()
        others = frozenset(chip.label for chip in self._chips if chip is not chosen)
        # Alone already: the same gesture brings all of them back.
        self._take(frozenset() if self._hidden == others else others)

    def _take(self, hidden: frozenset[int]) -> None:
        if hidden == self._hidden:
            return
        self._hidden = hidden
        for chip in self._chips:
            chip.blockSignals(True)
            chip.setChecked(chip.label not in hidden)
            chip.blockSignals(False)
            chip.update()
        self.hidden_changed.emit(hidden)

    def _fit_height(self) -> None:
        if self._chips:
            line = self._chips[0].sizeHint().height()
            most = MAX_LINES * line + (MAX_LINES - 1) * GRID_PX // 4
            self.setFixedHeight(min(most, self._flow.heightForWidth(self.width())))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_height()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            for chip in self._chips:
                chip.update()
        super().changeEvent(event)
