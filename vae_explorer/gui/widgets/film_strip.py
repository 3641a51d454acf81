"""`FilmStrip`: a row of generated pictures along a path, with the place on it that is looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.picture import draw_framed, image_to_qimage

_MARK_PX = 6
_FRAME_PX = 3


class FilmStrip(QWidget):
    """Pictures at even shares of a path from 0 to 1; a triangle below points at the share that is looked at.

    picked(int): a picture was pressed, or chosen with the arrow keys, Home and End.
    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[QImage] = []
        self._share: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(20 * GRID_PX, 5 * GRID_PX)

    def set_images(self, images: NDArray[np.float32] | None) -> None:
        """Show pictures (n, C, H, W) in [0, 1] from start to end, or none."""
        self._images = [] if images is None else [image_to_qimage(image) for image in images]
        self.update()

    def set_share(self, share: float | None) -> None:
        """Point at a share of the path, or at none (what is looked at lies elsewhere)."""
        if share != self._share:
            self._share = share
            self.update()

    @property
    def n_images(self) -> int:
        """How many pictures are shown."""
        return len(self._images)

    @property
    def share(self) -> float | None:
        """The share that is pointed at."""
        return self._share

    def picture_rect(self, index: int) -> QRectF:
        """Return where a picture is painted, in widget coordinates."""
        image, n = self._images[index], len(self._images)
        cell = (self.width() - 2 * _FRAME_PX) / n
        room = QSize(max(1, int(cell) - 2 * _FRAME_PX), max(1, self.height() - _MARK_PX - 2 * _FRAME_PX - 2))
        size = image.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        left = _FRAME_PX + (index + 0.5) * cell - size.width() / 2
        top = (self.height() - _MARK_PX - size.height()) / 2
        return QRectF(round(left), round(top), size.width(), size.height())

    def index_at(self, x_px: float) -> int | None:
        """Return the index of the picture at a horizontal place, None while there are none."""
        n = len(self._images)
        return int(np.clip(x_px / self.width() * n, 0, n - 1)) if n else None

    def _nearest_index(self) -> int:
        return 0 if self._share is None else round(self._share * (len(self._images) - 1))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(44 * GRID_PX, 8 * GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._images:
            return
        theme = current_theme()
        painter = QPainter(self)
        current = None if self._share is None else self._nearest_index()
        for index, image in enumerate(self._images):
            frame = QColor(theme.accent if index == current and self.hasFocus() else theme.muted)
            draw_framed(painter, image, self.picture_rect(index), is_generated=True, frame=frame)
        if self._share is not None:
            first, last = self.picture_rect(0).center().x(), self.picture_rect(len(self._images) - 1).center().x()
            top = QPointF(first + self._share * (last - first), self.picture_rect(0).bottom() + 3)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent))
            side = QPointF(_MARK_PX - 1, _MARK_PX)
            painter.drawPolygon(QPolygonF([top, top + side, top + QPointF(-side.x(), side.y())]))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and index is not None:
            self.picked.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last, at = len(self._images) - 1, self._nearest_index()
        moves = {Qt.Key.Key_Left: at - 1, Qt.Key.Key_Right: at + 1, Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        if last >= 0 and event.key() in moves:
            self.picked.emit(min(max(moves[Qt.Key(event.key())], 0), last))
        else:
            super().keyPressEvent(event)
