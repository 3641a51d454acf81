"""`MapView`: the plot under the hand; presses anywhere look there, the wheel zooms, space or the middle button pans."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QEvent, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from vae_explorer.gui.theme import Theme, current_theme
from vae_explorer.gui.widgets.cloud import Style
from vae_explorer.gui.widgets.cloud_colours import class_colours, value_colours
from vae_explorer.gui.widgets.crosshair_layer import CrosshairLayer
from vae_explorer.gui.widgets.labelled_layer import LabelledLayer
from vae_explorer.gui.widgets.light_axis import light_axes
from vae_explorer.gui.widgets.map_layers import END_RADIUS_PX, CloudLayer, MapLayer, Overlay, OverlayLayer
from vae_explorer.gui.widgets.plane_layer import PlaneLayer
from vae_explorer.gui.widgets.plot_style import apply_plot_theme, prepare_plot, set_axis_label
from vae_explorer.gui.widgets.point_marks import PointMarks
from vae_explorer.gui.widgets.posterior_layer import EnergyLayer, PosteriorLayer
from vae_explorer.gui.widgets.q_layer import QLayer
from vae_explorer.gui.widgets.scale_layer import ScaleLayer, ScaleLegend
from vae_explorer.gui.widgets.view_frame import ViewFrame

PICK_RADIUS_PX = 4.0
"""A release this near a point selects its image, and a press that moves no farther is a click."""
SETTLE_MS = 120
"""The view has settled once it has not moved for so long."""
OVERLAY_MS = 12
"""The crosshair is drawn with its picture if that comes so soon: drawn before, it would hold the picture up by 5 ms."""
UNTOUCHED_MS = 60
"""What changes by itself is painted so long after the first of it: a snapshot brings points, pictures and a plane one
after the other, each of which would have the whole map painted."""
HAND_MS = 500
"""What follows the hand is painted at once within so long after a press, a move, a turn of the wheel or a key."""
STEP_PX, BIG_STEP_PX = 4.0, 40.0
"""How far an arrow key moves the selection, without and with Shift."""
NARROWEST, WIDEST = 1e-3, 1e4
ZOOM_A_NOTCH = 1.2

MOVES = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
"""Right and up, in steps."""
ASKS = {
    Qt.Key.Key_A: "a", Qt.Key.Key_B: "b", Qt.Key.Key_N: "nearest", Qt.Key.Key_0: "reset",
    Qt.Key.Key_P: "posterior", Qt.Key.Key_E: "energy", Qt.Key.Key_I: "improve",
    Qt.Key.Key_C: "colour", Qt.Key.Key_D: "density",
    Qt.Key.Key_BracketLeft: "smaller", Qt.Key.Key_BracketRight: "larger",
}  # fmt: skip
ZOOMS = (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus)

End = Literal["a", "b"]
Range = tuple[float, float]


class MapView(pg.PlotWidget):
    """A plot of codes that reports where it is touched, in its own coordinates; it knows no model.

    touched(float, float, bool): look at these coordinates; True when the press has ended without picking.
    picked(int): a press ended where it began, within 4 px of this point (its place in the points).
    end_moved(str, float, float, bool): the handle 'a' or 'b' is dragged here; True when it is let go.
    end_clicked(str): a handle was pressed and let go without moving.
    nudged(float, float): an arrow key asks to move the selection by so many map units.
    hovered(int): the pointer is over this point (its place in the points), or over none: -1.
    key_asked(str): a key of the map was pressed: a value of `ASKS`.
    view_moved(): the visible range or its pixels changed. view_settled(): it has not for a moment.
    navigated(): the person panned or zoomed.
    """

    touched = Signal(float, float, bool)
    picked = Signal(int)
    hovered = Signal(int)
    end_moved = Signal(str, float, float, bool)
    end_clicked = Signal(str)
    nudged = Signal(float, float)
    key_asked = Signal(str)
    view_moved = Signal()
    view_settled = Signal()
    navigated = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, enableMenu=False, axisItems=light_axes())
        self._box = self.getPlotItem().getViewBox()
        # Its ground covers what is behind it: else window and dock were painted with each snapshot.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        prepare_plot(self.getPlotItem())
        self._box.setMouseEnabled(x=False, y=False)
        self._box.setAspectLocked(True)
        self._box.disableAutoRange()
        self.plane, self.energy, self.cloud = PlaneLayer(), EnergyLayer(), CloudLayer()
        self.labelled, self.posterior, self.over = LabelledLayer(), PosteriorLayer(), OverlayLayer()
        self.marks, self.scale = PointMarks(self.cloud.raster), ScaleLayer(self.legend)
        self.q, self.crosshair = QLayer(), CrosshairLayer()
        self._values: ScaleLegend | None = None
        self._layers: tuple[MapLayer, ...] = (
            self.plane, self.energy, self.cloud, self.labelled, self.posterior, self.marks, self.q, self.over,
            self.crosshair, self.scale,
        )  # fmt: skip
        for depth, layer in enumerate(self._layers):
            layer.setZValue(depth)
            layer.postpone = self._postpone
            self._box.addItem(layer, ignoreBounds=True)
        self._settling = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settling.timeout.connect(self.view_settled)
        self._settling.timeout.connect(self._hover_again)
        self._resting = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._resting.timeout.connect(self.cloud.raster.prepare)
        self._overlay_due = QTimer(self, singleShot=True, interval=OVERLAY_MS, timerType=Qt.TimerType.PreciseTimer)
        self._overlay_due.timeout.connect(self._paint_overlay)
        self._hand = QElapsedTimer()
        self._postponed: set[MapLayer] = set()
        self._unprepared: set[MapLayer] = set()
        self._postponed_due = QTimer(self, singleShot=True, interval=UNTOUCHED_MS)
        self._postponed_due.timeout.connect(self._paint_postponed)
        self._pointer: QPointF | None = None
        self._pressed_at: QPointF | None = None
        self._grabbed: End | None = None
        self._panned_from: QPointF | None = None
        self._has_moved = False
        self._is_space_down = False
        self._box.sigRangeChanged.connect(self._on_frame_changed)
        self._box.sigResized.connect(self._on_frame_changed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.show_range((-4.0, 4.0), (-4.0, 4.0))
        self.restyle()

    # ---- what it shows --------------------------------------------------------------------------------------------

    def frame(self) -> ViewFrame:
        """Return the visible ranges and where they lie, in pixels of this widget."""
        # Not sceneBoundingRect, which is half a pixel larger: a pen could be there.
        rect = self._box.mapRectToScene(self._box.rect())
        (x0, x1), (y0, y1) = self._box.viewRange()
        return ViewFrame(rect.x(), rect.y(), max(rect.width(), 1.0), max(rect.height(), 1.0), (x0, x1), (y0, y1))

    def set_points(self, points: NDArray[np.float32], labels: NDArray[np.int64] | None) -> None:
        """Show codes at points (n, 2) with the labels (n,) that colour them."""
        self.marks.mark(selected=None, hovered=None)
        self.cloud.raster.set_points(points, labels)
        self._on_cloud_changed()

    def set_levels(self, levels: NDArray[np.uint8] | None, legend: ScaleLegend | None) -> None:
        """Colour the points by levels (n,) of a scale, which the legend shows, or by their labels (None)."""
        theme = current_theme()
        self._values = legend
        self.cloud.raster.set_look(class_colours(theme) if levels is None else value_colours(theme), levels)
        self._on_cloud_changed()

    def set_style(self, style: Style, size_step: int) -> None:
        """Show points or their density, with points larger or smaller by steps."""
        self.cloud.raster.set_style(style)
        self.cloud.raster.set_size_step(size_step)
        self._on_cloud_changed()
        self._hover_again()

    def set_hidden(self, labels: frozenset[int]) -> None:
        """Leave out the points of some labels."""
        self.cloud.raster.set_hidden(labels)
        self._on_cloud_changed()
        self._hover_again()

    def set_selected(self, place: int | None) -> None:
        """Mark the point of the selected image (its place in the points)."""
        self.marks.mark(selected=place, hovered=self.marks.hovered)

    def legend(self) -> ScaleLegend | None:
        """Return what the colours mean, None where they are those of classes."""
        raster = self.cloud.raster
        if not self.cloud.isVisible():
            return None
        if raster.style == "points":
            return self._values
        title = self.tr("images in a cell of {n} × {n} pixels, log scale").format(n=raster.cell_px)
        return ScaleLegend(title, raster.scale, is_clipped=False)

    def _on_cloud_changed(self) -> None:
        self._resting.start()
        for layer in (self.cloud, self.marks, self.scale):
            layer.refresh()

    def set_overlay(self, overlay: Overlay) -> None:
        """Draw these things over the points."""
        self.over.set_overlay(overlay)
        self.crosshair.move_to(overlay.crosshair, is_line=overlay.is_line)
        if not self._overlay_due.isActive():
            self._overlay_due.start()

    def set_thumbnail(self, image: QImage | None) -> None:
        """Show a picture beside the crosshair, or none."""
        self._overlay_due.stop()
        self.crosshair.thumbnail = image
        self._paint_overlay()

    @Slot()
    def _paint_overlay(self) -> None:
        self.over.refresh()
        self.q.set_q(self.over.overlay)
        self.crosshair.refresh()

    def set_aspect_locked(self, is_locked: bool) -> None:
        """Keep one unit of x as long as one of y, or let both scale alone."""
        self._box.setAspectLocked(is_locked)

    def set_axis_names(self, x: str, y: str) -> None:
        """Name the axes."""
        set_axis_label(self.getPlotItem(), "bottom", x)
        set_axis_label(self.getPlotItem(), "left", y)

    def show_range(self, x_range: Range, y_range: Range) -> None:
        """Make these ranges visible, as large as the aspect allows."""
        self._box.setRange(xRange=x_range, yRange=y_range, padding=0.0, disableAutoRange=True)

    def zoom(self, factor: float, at_px: QPointF | None = None) -> None:
        """Magnify by a factor around a pixel, or around the middle."""
        frame = self.frame()
        middle = QPointF(frame.left + frame.width / 2, frame.top + frame.height / 2)
        at = middle if at_px is None else at_px
        x, y = frame.to_view(at.x(), at.y())
        x_range, y_range = _zoomed(frame.x_range, x, factor), _zoomed(frame.y_range, y, factor)
        if all(NARROWEST <= high - low <= WIDEST for low, high in (x_range, y_range)):
            self.show_range(x_range, y_range)
            self.navigated.emit()

    def pan(self, dx_px: float, dy_px: float) -> None:
        """Move what is visible along with the hand, by so many pixels."""
        frame = self.frame()
        sx, sy = frame.scale
        (x0, x1), (y0, y1) = frame.x_range, frame.y_range
        dx, dy = -dx_px / sx, dy_px / sy
        self.show_range((x0 + dx, x1 + dx), (y0 + dy, y1 + dy))
        self.navigated.emit()

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme: Theme = current_theme()
        apply_plot_theme(self, theme)
        for layer in self._layers:
            layer.theme = theme
            layer.update()
        self.cloud.raster.set_ramp(value_colours(theme))
        is_by_class = self._values is None
        self.cloud.raster.set_colours(class_colours(theme) if is_by_class else value_colours(theme))

    def _on_frame_changed(self, *_: object) -> None:
        frame = self.frame()
        for layer in self._layers:
            layer.set_frame(frame)
        self._settling.start()
        self.view_moved.emit()

    def _postpone(self, layer: MapLayer) -> bool:
        if layer.follows_hand and self._hand.isValid() and not self._hand.hasExpired(HAND_MS):
            return False
        layer.is_waiting = True
        self._postponed.add(layer)
        self._unprepared.add(layer)
        if not self._postponed_due.isActive():
            self._postponed_due.start(UNTOUCHED_MS)
        return True

    @Slot()
    def _paint_postponed(self) -> None:
        """Make ready what has changed, a layer at a time so that a click can come between, then have it painted."""
        if self._unprepared:
            layer = self._unprepared.pop()
            if layer.isVisible():
                layer.prepare(self.frame(), self.viewport().devicePixelRatioF())
            self._postponed_due.start(0)
            return
        self.settle()

    def settle(self) -> None:
        """Have all that has changed painted with the next painting."""
        self._postponed_due.stop()
        self._unprepared.clear()
        for layer in self._postponed:
            layer.is_waiting = False
            layer.update()
        self._postponed.clear()

    @property
    def is_settled(self) -> bool:
        """Whether all that has changed is painted, or will be with the next painting."""
        return not self._postponed

    def _end_at(self, at: QPointF) -> End | None:
        frame, overlay = self.frame(), self.over.overlay
        ends: tuple[tuple[End, NDArray[np.float32] | None], ...] = (("b", overlay.end_b), ("a", overlay.end_a))
        for name, end in ends:
            if end is not None and np.hypot(*(frame.to_px(end) - (at.x(), at.y()))) <= END_RADIUS_PX:
                return name
        return None

    def _report(self, at: QPointF, *, is_final: bool) -> None:
        x, y = self.frame().to_view(at.x(), at.y())
        if self._grabbed is not None:
            self.end_moved.emit(self._grabbed, x, y, is_final)
        else:
            self.touched.emit(x, y, is_final)

    def _hover(self, at: QPointF | None) -> None:
        """Mark the point that a click here would pick."""
        self._pointer = at
        place: int | None = None
        if at is not None and self.cloud.isVisible() and self.frame().contains(at.x(), at.y()):
            place = self.cloud.raster.pick(self.frame(), (at.x(), at.y()), PICK_RADIUS_PX)
        if place != self.marks.hovered:
            self.marks.mark(selected=self.marks.selected, hovered=place)
            self.hovered.emit(-1 if place is None else place)

    @Slot()
    def _hover_again(self) -> None:
        """Mark what now lies under the pointer, which stood still while the points moved below it."""
        if self._pointer is not None:
            self._hover(self._pointer)
            self._update_cursor(self._pointer)

    def _update_cursor(self, at: QPointF | None = None) -> None:
        if self._panned_from is not None:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._is_space_down:
            shape = Qt.CursorShape.OpenHandCursor
        elif at is not None and self._end_at(at) is not None:
            shape = Qt.CursorShape.SizeAllCursor
        elif self.marks.hovered is not None:
            shape = Qt.CursorShape.PointingHandCursor
        else:
            shape = Qt.CursorShape.CrossCursor
        self.viewport().setCursor(shape)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        # Sent before the window's shortcuts, to the widget with the focus: Ctrl and an arrow is a key of this map.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own_key(event):
            event.accept()
            return True
        return bool(super().event(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._hand.start()
        at = event.position()
        is_left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (is_left and self._is_space_down):
            self._panned_from = at
        elif is_left and self.frame().contains(at.x(), at.y()):
            self._pressed_at, self._has_moved = at, False
            self._grabbed = self._end_at(at)
            if self._grabbed is None:
                self._report(at, is_final=False)
        self._update_cursor(at)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hand.start()
        at = event.position()
        if self._panned_from is not None:
            delta = at - self._panned_from
            self._panned_from = at
            self.pan(delta.x(), delta.y())
        elif self._pressed_at is not None:
            delta = at - self._pressed_at
            self._has_moved = self._has_moved or np.hypot(delta.x(), delta.y()) > PICK_RADIUS_PX
            # A handle that is only clicked stays where it is; a place is followed from the first pixel.
            if self._grabbed is None or self._has_moved:
                self._report(at, is_final=False)
        is_free = self._panned_from is None and self._pressed_at is None
        self._hover(at if is_free else None)
        self._update_cursor(at)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._hand.start()
        at = event.position()
        if self._panned_from is not None:
            self._panned_from = None
        elif self._pressed_at is not None and event.button() == Qt.MouseButton.LeftButton:
            self._finish_press(at)
        self._update_cursor(at)
        event.accept()

    def _finish_press(self, at: QPointF) -> None:
        if self._grabbed is not None and not self._has_moved:
            self.end_clicked.emit(self._grabbed)
        elif self._has_moved or self._grabbed is not None:
            self._report(at, is_final=True)
        else:
            place = self.cloud.raster.pick(self.frame(), (at.x(), at.y()), PICK_RADIUS_PX)
            if place is None:
                self._report(at, is_final=True)
            else:
                self.picked.emit(place)
        self._pressed_at, self._grabbed = None, None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # Two quick clicks are two clicks.
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._hand.start()
        notches = event.angleDelta().y() / 120
        if notches:
            self.zoom(ZOOM_A_NOTCH**notches, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._hand.start()
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self._is_space_down = True
            self._update_cursor()
        elif key in MOVES:
            self._move_by_key(*MOVES[key], event.modifiers())
        elif key in ZOOMS:
            self.zoom(1 / ZOOM_A_NOTCH if key == Qt.Key.Key_Minus else ZOOM_A_NOTCH)
        elif key in ASKS and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.key_asked.emit(ASKS[key])
        else:
            event.ignore()

    def _move_by_key(self, right: int, up: int, modifiers: Qt.KeyboardModifier) -> None:
        step = BIG_STEP_PX if modifiers & Qt.KeyboardModifier.ShiftModifier else STEP_PX
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.pan(-right * BIG_STEP_PX, up * BIG_STEP_PX)
            return
        sx, sy = self.frame().scale
        self.nudged.emit(right * step / sx, up * step / sy)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._is_space_down = False
            self._update_cursor()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.crosshair.has_focus = True
        self.crosshair.refresh()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._is_space_down = False
        self.crosshair.has_focus = False
        self.crosshair.refresh()

    def leaveEvent(self, event: QEvent) -> None:
        # pyqtgraph's own handler looks for a drag of its scene; presses never reach that scene.
        self._hover(None)
        event.accept()


def _is_own_key(event: QKeyEvent) -> bool:
    """Whether the map takes a key before the window's shortcuts: with Control or Alt those have all but Ctrl+arrow."""
    held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    key = Qt.Key(event.key())
    if held == Qt.KeyboardModifier.ControlModifier:
        return key in MOVES
    is_plain = held == Qt.KeyboardModifier.NoModifier
    return is_plain and (key in MOVES or key in ASKS or key in ZOOMS or key == Qt.Key.Key_Space)


def _zoomed(span: Range, centre: float, factor: float) -> Range:
    return centre + (span[0] - centre) / factor, centre + (span[1] - centre) / factor
