"""The layer of the decoded plane behind the points of the latent map."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.view_frame import ViewFrame


class PlaneLayer(MapLayer):
    """Decoded pictures behind the points, each centred on its code, as one image."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._negative = QImage()
        self._extent = (0.0, 0.0, 0.0, 0.0)
        self._tile_px = 0
        self._is_strip = False
        self.is_ink = False
        """Whether bright pixels are drawn as ink on the ground: strokes on black would be a black wall by daylight."""

    def set_image(
        self, image: QImage | None, extent: tuple[float, float, float, float], tile_px: int, *, is_strip: bool = False
    ) -> None:
        """Show an image over extent (x0, x1, y0, y1) of the map; tile_px: the smaller side of one picture in it.

        is_strip: y means nothing (latent_dim 1), the pictures stand along the lower edge.
        """
        self._image, self._extent, self._tile_px, self._is_strip = image, extent, tile_px, is_strip
        self._negative = QImage() if image is None else image.copy()
        self._negative.invertPixels()
        self.update()

    @property
    def has_image(self) -> bool:
        """Whether there is a plane to see."""
        return self._image is not None

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the plane, faded towards the ground so that the points stay what is looked at."""
        if self._image is None:
            return
        x0, x1, y0, y1 = self._extent
        (left, top), (right, bottom) = frame.to_px([(x0, y1), (x1, y0)]).tolist()
        if self._is_strip:
            bottom = frame.top + frame.height
            top = bottom - (right - left) * self._image.height() / self._image.width()
        if self.is_ink:
            painter.setOpacity(0.55 if self.theme.is_dark else 0.38)
        else:
            painter.setOpacity(0.6)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._tile_px >= 24)
        image = self._image
        if self.is_ink and not self.theme.is_dark:
            image = self._negative
        painter.drawImage(QRectF(left, top, right - left, bottom - top), image)
