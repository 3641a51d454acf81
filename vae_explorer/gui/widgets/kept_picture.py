"""`KeptPicture`: what a layer shows as an image of the whole frame, drawn anew only when some of it has changed."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QImage, QPainter

from vae_explorer.gui.widgets.view_frame import ViewFrame

Shown = tuple[object, ...]
"""All that a picture shows, to be compared with what it showed before."""


class KeptPicture:
    """The newest picture, transparent where nothing is drawn.

    A click has the whole map painted, and 8 ms from the press to the pixels: what it leaves is not drawn again.
    """

    def __init__(self) -> None:
        self._image = QImage()
        self._drawn: tuple[object, ...] = ()
        self._frame: ViewFrame | None = None

    def paint(
        self, painter: QPainter, frame: ViewFrame, ratio: float, shown: Shown, draw: Callable[[QPainter], None]
    ) -> None:
        """Paint the picture of a frame, as `of` makes it; while the frame moves, `draw` onto what is painted."""
        has_moved, self._frame = frame != self._frame, frame
        if has_moved and (frame, ratio, *shown) != self._drawn:
            draw(painter)
        else:
            painter.drawImage(QPointF(frame.left, frame.top), self.of(frame, ratio, shown, draw))

    def repaint(self, painter: QPainter, frame: ViewFrame, ratio: float) -> bool:
        """Paint the picture of before, if it is of this frame; whatever it shows."""
        if self._drawn[:2] != (frame, ratio):
            return False
        painter.drawImage(QPointF(frame.left, frame.top), self._image)
        return True

    def of(self, frame: ViewFrame, ratio: float, shown: Shown, draw: Callable[[QPainter], None]) -> QImage:
        """Return the picture of a frame; `draw` makes it, in scene pixels, where `shown`, all that it shows, is new."""
        wanted = (frame, ratio, *shown)
        if wanted != self._drawn:
            self._image, self._drawn = _drawn(frame, ratio, draw), wanted
        return self._image


def _drawn(frame: ViewFrame, ratio: float, draw: Callable[[QPainter], None]) -> QImage:
    size = QSize(math.ceil(frame.width * ratio), math.ceil(frame.height * ratio))
    image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    painter = QPainter(image)
    painter.translate(-frame.left, -frame.top)
    draw(painter)
    painter.end()
    return image
