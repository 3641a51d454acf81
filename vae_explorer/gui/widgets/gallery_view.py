"""`GalleryView`: a picture of many tiles, fitted to the room, whose tiles can be pressed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme

Tile = tuple[int, int]
_MARGIN_PX = 4


class GalleryView(QWidget):
    """Shows the very pixels of an export, enlarged by a whole number or made smaller to fit.

    Generated pictures have a dashed frame; rows of tiles that are data have a solid one, those below them a dashed.
    pressed(int, int, bool): row, column of a tile with a code, and whether it is final (False while dragging).
    """

    pressed = Signal(int, int, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture: QImage | None = None
        self._fitted: QImage | None = None
        self._tiles: Tile = (0, 0)
        self._tile_px, self._gap = (1, 1), 0
        self._has_code = np.zeros((0, 0), dtype=bool)
        self._marked: Tile | None = None
        self._placeholder = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(15 * GRID_PX, 10 * GRID_PX)

    def set_picture(
        self, picture: NDArray[np.uint8], *, tile_px: tuple[int, int], gap: int, has_code: NDArray[np.bool_]
    ) -> None:
        """Show a picture (H, W, 3) of tiles of (height, width) `tile_px`, `gap` pixels between and around them.

        The tiles end at the right and lower edge; captions lie above and to the left. has_code: (rows, cols).
        """
        height, width = picture.shape[:2]
        pixels = np.ascontiguousarray(picture)
        self._picture = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self._fitted = None
        self._tiles = (has_code.shape[0], has_code.shape[1])
        self._tile_px, self._gap, self._has_code = tile_px, gap, has_code
        self.update()

    def clear(self, placeholder: str = "") -> None:
        """Show nothing but what to do."""
        self._picture = self._fitted = self._marked = None
        self._tiles, self._has_code = (0, 0), np.zeros((0, 0), dtype=bool)
        self._placeholder = placeholder
        self.update()

    def set_marked(self, tile: Tile | None) -> None:
        """Frame the tile whose code is looked at."""
        if tile != self._marked:
            self._marked = tile
            self.update()

    @property
    def marked(self) -> Tile | None:
        """The framed tile."""
        return self._marked

    def image(self) -> QImage | None:
        """Return a copy of the whole picture in its own size, None while there is none."""
        return None if self._picture is None else self._picture.copy()

    def picture_rect(self) -> QRectF:
        """Return where the picture is painted, in widget coordinates."""
        if self._picture is None:
            return QRectF()
        room = QRectF(self.rect()).adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX)
        scale = min(room.width() / self._picture.width(), room.height() / self._picture.height())
        scale = int(scale) if scale >= 1 else scale
        width, height = self._picture.width() * scale, self._picture.height() * scale
        left, top = room.x() + (room.width() - width) / 2, room.y() + (room.height() - height) / 2
        return QRectF(round(left), round(top), round(width), round(height))

    def tile_rect(self, tile: Tile) -> QRectF:
        """Return where a tile is painted, in widget coordinates."""
        left, top = self._origin()
        (tile_h, tile_w), (row, col) = self._tile_px, tile
        return self._to_widget(
            QRectF(left + col * (tile_w + self._gap), top + row * (tile_h + self._gap), tile_w, tile_h)
        )

    def tile_at(self, position: QPointF) -> Tile | None:
        """Return the tile at a place of the widget, gaps counted to the nearest; None beside the tiles."""
        rows, cols = self._tiles
        if not rows or not cols:
            return None
        first, last = self.tile_rect((0, 0)), self.tile_rect((rows - 1, cols - 1))
        area = first.united(last)
        if not area.contains(position):
            return None
        row = int((position.y() - area.y()) / area.height() * rows)
        col = int((position.x() - area.x()) / area.width() * cols)
        return min(row, rows - 1), min(col, cols - 1)

    def _origin(self) -> tuple[float, float]:
        """Left and top of the first tile in pixels of the picture."""
        assert self._picture is not None
        (rows, cols), (tile_h, tile_w) = self._tiles, self._tile_px
        width, height = cols * (tile_w + self._gap), rows * (tile_h + self._gap)
        return float(self._picture.width() - width), float(self._picture.height() - height)

    def _to_widget(self, area: QRectF) -> QRectF:
        assert self._picture is not None
        where = self.picture_rect()
        scale = where.width() / self._picture.width()
        return QRectF(
            where.x() + area.x() * scale, where.y() + area.y() * scale, area.width() * scale, area.height() * scale
        )

    def _press(self, tile: Tile | None, *, is_final: bool) -> None:
        if tile is not None and self._has_code[tile]:
            self.pressed.emit(*tile, is_final)

    # ---- painting -------------------------------------------------------------------------------------------------

    def _fitted_image(self, picture: QImage, size: QSize) -> QImage:
        """The picture in the size on screen, kept until either changes: shrinking well takes milliseconds."""
        size = size * self.devicePixelRatioF()
        if self._fitted is None or self._fitted.size() != size:
            is_enlarged = size.width() >= picture.width()
            mode = (
                Qt.TransformationMode.FastTransformation if is_enlarged else Qt.TransformationMode.SmoothTransformation
            )
            self._fitted = picture.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
        return self._fitted

    def _paint_frames(self, painter: QPainter, colour: QColor) -> None:
        generated_rows = np.atleast_1d(self._has_code.any(axis=1)).tolist()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if all(generated_rows):
            painter.setPen(_frame_pen(colour, is_dashed=True))
            painter.drawRect(self.picture_rect().adjusted(-1.5, -1.5, 1.5, 1.5))
            return
        for row, is_generated in enumerate(generated_rows):
            ends = self.tile_rect((row, 0)).united(self.tile_rect((row, self._tiles[1] - 1)))
            painter.setPen(_frame_pen(colour, is_dashed=is_generated))
            painter.drawRect(ends.adjusted(-0.5, -0.5, 0.5, 0.5))

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID_PX, 24 * GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        if self._picture is None:
            painter.setPen(QColor(theme.muted))
            painter.drawText(
                self.rect().adjusted(GRID_PX, 0, -GRID_PX, 0),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                self._placeholder,
            )
            painter.end()
            return
        where = self.picture_rect()
        painter.drawImage(where, self._fitted_image(self._picture, where.size().toSize()))
        self._paint_frames(painter, QColor(theme.accent if self.hasFocus() else theme.muted))
        if self._marked is not None:
            painter.setPen(QPen(QColor(theme.accent), 2.5))
            painter.drawRect(self.tile_rect(self._marked).adjusted(-1, -1, 1, 1))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._press(self.tile_at(event.position()), is_final=False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._press(self.tile_at(event.position()), is_final=False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._press(self.tile_at(event.position()), is_final=True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: QPoint(-1, 0), Qt.Key.Key_Right: QPoint(1, 0),
            Qt.Key.Key_Up: QPoint(0, -1), Qt.Key.Key_Down: QPoint(0, 1),
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key()))
        if step is None or not self._has_code.any():
            super().keyPressEvent(event)
            return
        self._press(self._next_tile(step), is_final=True)

    def _next_tile(self, step: QPoint) -> Tile | None:
        """The nearest tile with a code in a direction from the marked one (or the first of all)."""
        if self._marked is None:
            row, col = np.argwhere(self._has_code)[0]
            return int(row), int(col)
        row, col = self._marked[0] + step.y(), self._marked[1] + step.x()
        while 0 <= row < self._tiles[0] and 0 <= col < self._tiles[1]:
            if self._has_code[row, col]:
                return row, col
            row, col = row + step.y(), col + step.x()
        return None


def _frame_pen(colour: QColor, *, is_dashed: bool) -> QPen:
    pen = QPen(colour, 1.5)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if is_dashed:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([3.0, 2.5])
    return pen
