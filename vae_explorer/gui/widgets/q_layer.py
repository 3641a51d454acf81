"""The ellipses of the selected image's q(z|x) on the latent map."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from vae_explorer.gui.widgets.kept_picture import KeptPicture, Shown
from vae_explorer.gui.widgets.map_layers import MapLayer, Overlay, Points, haloed, polygon_of
from vae_explorer.gui.widgets.plot_style import translucent
from vae_explorer.gui.widgets.view_frame import ViewFrame

SPARE_PX = 4.0
"""Around an outline: the width of its pens, and pixels that are covered in part."""


class QLayer(MapLayer):
    """Outlines of q, filled; and dashed that of the encoder's q while another one is shown."""

    follows_hand = True

    def __init__(self) -> None:
        super().__init__()
        self._ellipses: tuple[Points, ...] = ()
        self._start: Points | None = None
        self._shown = object()
        """Another one for every q, since arrays do not compare."""
        self._picture = KeptPicture()

    def set_q(self, overlay: Overlay) -> None:
        """Show the ellipses of an overlay; painted again only where they are not those of before."""
        if overlay.ellipses is not self._ellipses or overlay.start is not self._start:
            self._ellipses, self._start, self._shown = overlay.ellipses, overlay.start, object()
            self.refresh()

    @property
    def is_blank(self) -> bool:
        """Whether no image is selected."""
        return not self._ellipses

    def areas(self, frame: ViewFrame) -> list[QRectF]:
        """Return the boxes around the outlines."""
        outlines = self._ellipses if self._start is None else (*self._ellipses, self._start)
        boxes = [polygon_of(frame.to_px(outline)).boundingRect() for outline in outlines]
        return [box.adjusted(-SPARE_PX, -SPARE_PX, SPARE_PX, SPARE_PX) for box in boxes]

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Draw what has changed."""
        if not self.is_blank:
            self._picture.of(frame, ratio, self._drawn, lambda onto: self._paint_outlines(onto, frame))

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the ellipses."""
        self._picture.paint(painter, frame, ratio, self._drawn, lambda onto: self._paint_outlines(onto, frame))

    @property
    def _drawn(self) -> Shown:
        return (self.theme, self._shown)

    def _paint_outlines(self, painter: QPainter, frame: ViewFrame) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, outline in enumerate(self._ellipses):
            self._paint_ellipse(painter, frame, outline, is_inner=place == 0)
        if self._start is not None:
            self._paint_start(painter, frame, self._start)

    def _paint_ellipse(self, painter: QPainter, frame: ViewFrame, outline: Points, *, is_inner: bool) -> None:
        polygon = polygon_of(frame.to_px(outline))
        accent = QColor(self.theme.accent)
        painter.setBrush(translucent(accent, 0.22) if is_inner else translucent(accent, 0.10))
        painter.setPen(QPen(translucent(self.theme.surface, 0.85), 3.5))
        painter.drawPolygon(polygon)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(accent, 1.75 if is_inner else 1.0))
        painter.drawPolygon(polygon)

    def _paint_start(self, painter: QPainter, frame: ViewFrame, outline: Points) -> None:
        polygon = polygon_of(frame.to_px(outline))
        for pen in haloed(QColor(self.theme.accent), translucent(self.theme.surface, 0.85), 1.25):
            if pen.widthF() == 1.25:
                pen.setDashPattern([4.0, 3.0])
            painter.setPen(pen)
            painter.drawPolygon(polygon)
