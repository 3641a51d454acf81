"""The layer of the decoded plane behind the points of the map: tiles, and where some are missing coarser ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from vae_explorer.gui.widgets.kept_picture import KeptPicture, Shown
from vae_explorer.gui.widgets.map_layers import MapLayer
from vae_explorer.gui.widgets.plane_grid import Extent
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.tiles import Piece, Pyramid, Sight, Tile, pieces

SMOOTH_FROM_PX = 24
"""Pictures with a smaller side than this are shown in whole pixels."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Decoded pictures of one step: tiles, and an optional sheet over `sheet_extent` that is seen where none is.

    find: returns a tile's image, or None while it is not there.
    """

    pyramid: Pyramid
    find: Callable[[Tile], QImage | None]
    sheet: QImage | None = None
    sheet_extent: Extent = (0.0, 0.0, 0.0, 0.0)


def sight_of(frame: ViewFrame, pyramid: Pyramid) -> Sight:
    """Return what of a pyramid is in view."""
    scale = frame.scale[0] if pyramid.is_line else min(frame.scale)
    return Sight(frame.x_range, frame.y_range, scale)


class PlaneLayer(MapLayer):
    """Decoded pictures behind the points, each centred on its code. On a line (latent_dim 1) they stand along the
    lower edge, since y means nothing there."""

    def __init__(self) -> None:
        super().__init__()
        self._plane: Plane | None = None
        self._picture = KeptPicture()
        self._negatives: dict[int, QImage] = {}
        self.is_ink = False
        """Whether bright pixels are drawn as ink on the ground: strokes on black would be a black wall by daylight."""

    def set_plane(self, plane: Plane | None) -> None:
        """Show a plane, or what has come to the one that is shown; None shows nothing."""
        self._plane = plane
        self.refresh()

    @property
    def plane(self) -> Plane | None:
        """What is shown."""
        return self._plane

    @property
    def is_blank(self) -> bool:
        """Whether there is no plane."""
        return self._plane is None

    def paint_layer(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        """Draw the plane, faded towards the ground so that the points stay what is looked at."""
        if not (self.is_waiting and self._picture.repaint(painter, frame, ratio)):
            self._picture.paint(painter, frame, ratio, self._shown, lambda onto: self._paint_plane(onto, frame, ratio))

    def prepare(self, frame: ViewFrame, ratio: float) -> None:
        """Draw the plane's picture."""
        if self._plane is not None:
            self._picture.of(frame, ratio, self._shown, lambda onto: self._paint_plane(onto, frame, ratio))

    @property
    def _shown(self) -> Shown:
        return (self.theme, self.is_ink, self._plane)

    def _paint_plane(self, painter: QPainter, frame: ViewFrame, ratio: float) -> None:
        assert self._plane is not None
        if self.is_ink:
            painter.setOpacity(0.55 if self.theme.is_dark else 0.38)
        else:
            painter.setOpacity(0.6)
        pyramid = self._plane.pyramid
        is_smooth = min(pyramid.image_shape[1:]) >= SMOOTH_FROM_PX
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
        placing = _Placing(pyramid, frame, ratio)
        images = {}
        for piece in pieces(pyramid, placing.sight, lambda tile: self._find(tile) is not None):
            image = self._find(piece.source) if piece.source is not None else self._plane.sheet
            place = placing.of(piece) if piece.source is not None else placing.of_sheet(piece, self._plane)
            if image is not None and place is not None:
                images[image.cacheKey()] = self._inked(image)
                painter.drawImage(place[0], images[image.cacheKey()], place[1])
        self._negatives = images if self._is_inverted else {}

    def _find(self, tile: Tile) -> QImage | None:
        assert self._plane is not None
        return self._plane.find(tile)

    @property
    def _is_inverted(self) -> bool:
        return self.is_ink and not self.theme.is_dark

    def _inked(self, image: QImage) -> QImage:
        """Return what is drawn for an image; the negatives of what is in view are kept from paint to paint."""
        if not self._is_inverted:
            return image
        negative = self._negatives.get(image.cacheKey())
        if negative is None:
            negative = image.copy()
            negative.invertPixels()
        return negative


class _Placing:
    """Where pieces lie on screen, and which part of an image is seen there.

    Edges are rounded to pixels, so that neighbours meet: an overlap would be seen, since the plane is translucent.
    """

    def __init__(self, pyramid: Pyramid, frame: ViewFrame, ratio: float) -> None:
        self._pyramid, self._frame, self._ratio = pyramid, frame, ratio
        self.sight = sight_of(frame, pyramid)
        self._level = pyramid.level(self.sight)

    def of(self, piece: Piece) -> tuple[QRectF, QRectF]:
        """Return the rectangle on screen and the part of the source's image."""
        assert piece.source is not None
        rows, cols = self._pyramid.shape
        height, width = self._pyramid.kept_size
        whole, cell = self._pyramid.extent(piece.source), self._pyramid.extent(piece.cell)
        part = _part(cell, whole, cols * width, rows * height)
        if not self._pyramid.is_line:
            return self._rect(cell), part
        return self._in_strip(piece.source.level, cell, part)

    def of_sheet(self, piece: Piece, plane: Plane) -> tuple[QRectF, QRectF] | None:
        """Return where the sheet is seen in a piece that has no tile, and which part of it, or None."""
        x0, x1, y0, y1 = self._pyramid.extent(piece.cell)
        left, right, low, high = plane.sheet_extent
        seen = (max(x0, left), min(x1, right), max(y0, low), min(y1, high))
        if plane.sheet is None or seen[0] >= seen[1] or seen[2] >= seen[3]:
            return None
        return self._rect(seen), _part(seen, plane.sheet_extent, plane.sheet.width(), plane.sheet.height())

    def _in_strip(self, level: int, cell: Extent, part: QRectF) -> tuple[QRectF, QRectF]:
        """Place a piece along the lower edge in its own proportions: of larger pictures the middle is seen."""
        height, width = self._pyramid.kept_size
        own, wanted = (
            self._pyramid.pitch(each)[0] * self._frame.scale[0] * height / width for each in (level, self._level)
        )
        share = min(wanted / own, 1.0)
        target = self._rect(cell)
        bottom = self._round(self._frame.top + self._frame.height)
        target.setTop(self._round(bottom - own * share))
        target.setBottom(bottom)
        return target, QRectF(part.x(), (1 - share) / 2 * height, part.width(), share * height)

    def _rect(self, extent: Extent) -> QRectF:
        x0, x1, y0, y1 = extent
        (left, top), (right, bottom) = (self._to_px(x0, y1), self._to_px(x1, y0))
        return QRectF(left, top, right - left, bottom - top)

    def _to_px(self, x: float, y: float) -> tuple[float, float]:
        # In float64, unlike ViewFrame.to_px: at the deepest zoom pictures are 1e-5 wide.
        frame, (sx, sy) = self._frame, self._frame.scale
        return (
            self._round(frame.left + (x - frame.x_range[0]) * sx),
            self._round(frame.top + (frame.y_range[1] - y) * sy),
        )

    def _round(self, px: float) -> float:
        return round(px * self._ratio) / self._ratio


def _part(seen: Extent, whole: Extent, width: int, height: int) -> QRectF:
    """Return the part of an image (width, height) over `whole` that lies over `seen`."""
    x0, x1, y0, y1 = whole
    sx, sy = width / (x1 - x0), height / (y1 - y0)
    return QRectF((seen[0] - x0) * sx, (y1 - seen[3]) * sy, (seen[1] - seen[0]) * sx, (seen[3] - seen[2]) * sy)
