"""`PlateDiagram`: z -> x in a plate of N images, phi dashed, theta solid (Kingma & Welling 2014, fig. 1)."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme

HEAD_PX = 8.0


class PlateDiagram(QWidget):
    """Solid arrows generate, dashed ones infer; the node that is being drawn is marked in the accent colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._n = ""
        self._marked: str | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(
            self.tr("Plate diagram: z generates x with the decoder's weights theta, for each of N images; "
                    "dashed: q infers z from x with the encoder's weights phi")
        )  # fmt: skip

    def set_n(self, n: int | None) -> None:
        """Say how many images the plate stands for."""
        self._n = "N" if n is None else f"N = {n:,}"
        self.update()

    def set_marked(self, node: str | None) -> None:
        """Mark 'z' or 'x' as what is being drawn right now."""
        if node != self._marked:
            self._marked = node
            self.update()

    @property
    def marked(self) -> str | None:
        """The node that is marked."""
        return self._marked

    # ---- painting -------------------------------------------------------------------------------------------------

    def _arrow(
        self, painter: QPainter, start: QPointF, end: QPointF, radii: tuple[float, float], *, bend: float
    ) -> None:
        """Draw from node to node, stopping at their rims; bend: how far the middle is pushed aside, pixels."""
        way = end - start
        length = math.hypot(way.x(), way.y()) or 1.0
        side = QPointF(-way.y() / length, way.x() / length) * bend
        middle = (start + end) / 2 + side
        first, last = _towards(start, middle, radii[0]), _towards(end, middle, radii[1] + 1.0)
        n = 24
        curve = [_bezier(first, middle + side / 2, last, i / n) for i in range(n + 1)]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(curve))
        tip, before = curve[-1], curve[-3]
        angle = math.atan2(tip.y() - before.y(), tip.x() - before.x())
        wings = [tip - QPointF(math.cos(angle + a), math.sin(angle + a)) * HEAD_PX for a in (-0.4, 0.4)]
        pen = painter.pen()
        painter.setPen(QPen(pen.color(), pen.widthF()))
        painter.setBrush(pen.color())
        painter.drawPolygon(QPolygonF([tip, *wings]))
        painter.setPen(pen)

    def _node(self, painter: QPainter, at: QPointF, radius: float, name: str, *, is_observed: bool) -> None:
        theme = current_theme()
        is_marked = name == self._marked
        painter.setPen(QPen(QColor(theme.accent if is_marked else theme.text), 2.5 if is_marked else 1.5))
        painter.setBrush(QColor(theme.line if is_observed else theme.surface))
        painter.drawEllipse(at, radius, radius)
        painter.setPen(QColor(theme.text))
        room = QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, name)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(24 * GRID_PX, 20 * GRID_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * GRID_PX, 15 * GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height, line = float(self.height() - 2), float(painter.fontMetrics().height())
        width = min(float(self.width()), 1.5 * height)
        radius = min(height / 8, width / 9, 1.3 * line)
        x0 = (self.width() - width) / 2
        plate = QRectF(x0 + 3.2 * radius, 1, width - 6.4 * radius, height - 1)
        middle = plate.center().x()
        z, x = QPointF(middle, 1 + height * 0.24), QPointF(middle, 1 + height * 0.70)
        phi, theta = QPointF(x0 + 1.2 * radius, z.y()), QPointF(x0 + width - 1.2 * radius, (z.y() + x.y()) / 2)
        painter.setPen(QPen(QColor(theme.muted), 1.0))
        painter.drawRoundedRect(plate, GRID_PX, GRID_PX)
        corner = plate.adjusted(0, 0, -GRID_PX, -GRID_PX / 2)
        painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, self._n or "N")
        solid, dashed = QPen(QColor(theme.text), 1.5), QPen(QColor(theme.muted), 1.5)
        dashed.setDashPattern([4.0, 3.0])
        letter = 0.7 * line
        painter.setPen(solid)
        self._arrow(painter, z, x, (radius, radius), bend=0.0)
        self._arrow(painter, theta, x, (letter, radius), bend=0.0)
        painter.setPen(dashed)
        self._arrow(painter, phi, z, (letter, radius), bend=0.0)
        self._arrow(painter, x, z, (radius, radius), bend=1.3 * radius)
        self._node(painter, z, radius, "z", is_observed=False)
        self._node(painter, x, radius, "x", is_observed=True)
        for at, name in ((phi, "φ"), (theta, "θ")):
            painter.setPen(QColor(theme.text))
            painter.drawText(
                QRectF(at.x() - line, at.y() - line, 2 * line, 2 * line), Qt.AlignmentFlag.AlignCenter, name
            )
        painter.end()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()


def _towards(start: QPointF, end: QPointF, distance: float) -> QPointF:
    way = end - start
    return start + way * (distance / (math.hypot(way.x(), way.y()) or 1.0))


def _bezier(start: QPointF, control: QPointF, end: QPointF, share: float) -> QPointF:
    return start * (1 - share) ** 2 + control * (2 * share * (1 - share)) + end * share**2
