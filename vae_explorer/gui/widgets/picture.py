"""`PictureView`: one image on screen, scaled without smearing, framed solid for data and dashed for generated."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme

NEAREST_BELOW_PX = 32
"""Images with a smaller side are scaled nearest neighbour: their pixels are the data and should be seen."""


def image_to_qimage(image: ArrayLike) -> QImage:
    """Return a copy of an image (C, H, W), values in [0, 1] (clipped), as a QImage that owns its memory.

    One channel is grey, three are red, green, blue. Raises ValueError for any other shape.
    """
    array = np.asarray(image, dtype=np.float32)
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise ValueError(f"image: shape {array.shape}, expected (1, H, W) or (3, H, W)")
    if np.isnan(array).any():  # a click shows ten pictures, and nan_to_num takes longer than all else here
        array = np.nan_to_num(array)
    levels = np.rint(np.minimum(np.maximum(array, 0.0), 1.0) * 255.0).astype(np.uint8)
    _, height, width = levels.shape
    if len(levels) == 1:
        grey = np.ascontiguousarray(levels[0])
        return QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
    colour = np.ascontiguousarray(levels.transpose(1, 2, 0))
    return QImage(colour.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def is_pixelated(image: QImage) -> bool:
    """Whether an image is so small that it is shown in whole pixels, not smoothed."""
    return min(image.width(), image.height()) < NEAREST_BELOW_PX


def fitted_rect(image: QImage, room: QRectF) -> QRectF:
    """Return where an image goes in `room`: centred, aspect kept, a whole number of screen pixels a pixel if it can."""
    scale = min(room.width() / image.width(), room.height() / image.height())
    if is_pixelated(image) and scale >= 3:
        scale = math.floor(scale)
    width, height = image.width() * scale, image.height() * scale
    return QRectF(
        round(room.x() + (room.width() - width) / 2), round(room.y() + (room.height() - height) / 2), width, height
    )


def draw_framed(painter: QPainter, image: QImage, where: QRectF, *, is_generated: bool, frame: QColor) -> None:
    """Draw an image with its frame: dashed when a model made it, solid when it is data."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not is_pixelated(image))
    painter.drawImage(where, image)
    pen = QPen(frame, 1.5)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if is_generated:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([3.0, 2.5])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(where.adjusted(-1.5, -1.5, 1.5, 1.5))


class PictureView(QWidget):
    """Shows one image (C, H, W) in [0, 1] as large as fits, with a frame that tells data from generated.

    clicked(): pressed and released on it, or Enter or Space while it has the focus; only after `set_clickable`.
    """

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._is_generated = False
        self._is_clickable = False
        self._is_marked = False
        self._caption = ""
        self._placeholder = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(5 * GRID_PX, 5 * GRID_PX)

    def set_image(self, image: ArrayLike | None, *, is_generated: bool, caption: str = "") -> None:
        """Show an image (C, H, W) in [0, 1], or nothing for None, with an optional caption below."""
        self._image = None if image is None else image_to_qimage(image)
        self._is_generated = is_generated
        self._caption = caption
        kind = self.tr("generated image") if is_generated else self.tr("image of the data")
        self.setAccessibleName(f"{kind}: {caption}" if caption else kind)
        self.update()

    def set_placeholder(self, text: str) -> None:
        """Say what to do while there is no image."""
        self._placeholder = text
        self.update()

    def set_clickable(self, is_clickable: bool) -> None:
        """Let it be pressed with the mouse and reached with the keyboard."""
        self._is_clickable = is_clickable
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if is_clickable else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if is_clickable else Qt.CursorShape.ArrowCursor)

    def set_marked(self, is_marked: bool) -> None:
        """Frame it in the accent colour (the chosen one of several)."""
        if is_marked != self._is_marked:
            self._is_marked = is_marked
            self.update()

    @property
    def has_image(self) -> bool:
        """Whether an image is shown."""
        return self._image is not None

    @property
    def is_generated(self) -> bool:
        """Whether what is shown came out of a model."""
        return self._is_generated

    @property
    def caption(self) -> str:
        """The text below the image."""
        return self._caption

    def picture_rect(self) -> QRectF:
        """Return where the image itself is painted, in widget coordinates (null when there is none)."""
        return QRectF() if self._image is None else fitted_rect(self._image, self._room())

    def _caption_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1.5))
        return font

    def _caption_height(self) -> float:
        return self.fontMetrics().height() + GRID_PX / 4 if self._caption else 0.0

    def _room(self) -> QRectF:
        return QRectF(self.rect()).adjusted(4, 4, -4, -4 - self._caption_height())

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(16 * GRID_PX, 16 * GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        room = self._room()
        where = room
        if self._image is None:
            self._paint_placeholder(painter, room, QColor(theme.line), QColor(theme.muted))
        else:
            is_marked = self._is_marked or self.hasFocus()
            frame = QColor(theme.accent if is_marked else theme.muted if self._is_generated else theme.text)
            where = fitted_rect(self._image, room)
            draw_framed(painter, self._image, where, is_generated=self._is_generated, frame=frame)
        if self._caption:
            painter.setFont(self._caption_font())
            painter.setPen(QColor(theme.muted))
            below = QRectF(0, where.bottom() + GRID_PX / 2, self.width(), self._caption_height())
            flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
            text = painter.fontMetrics().elidedText(self._caption, Qt.TextElideMode.ElideRight, int(below.width()))
            painter.drawText(below, flags, text)
        painter.end()

    def _paint_placeholder(self, painter: QPainter, room: QRectF, line: QColor, muted: QColor) -> None:
        side = min(room.width(), room.height())
        square = QRectF(room.center().x() - side / 2, room.center().y() - side / 2, side, side).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(line, 1.0, Qt.PenStyle.DotLine))
        painter.drawRect(square if not self._placeholder else room)
        painter.setPen(muted)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(room.adjusted(GRID_PX, 0, -GRID_PX, 0), flags, self._placeholder)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_inside = self.rect().contains(event.position().toPoint())
        if self._is_clickable and is_inside and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_clickable and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()
        super().changeEvent(event)
