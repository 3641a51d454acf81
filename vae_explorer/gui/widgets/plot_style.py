"""One look for every plot: ground, axes, grid, fonts and pens from the theme, so that curves and map agree."""

from __future__ import annotations

from typing import Literal

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QPen
from PySide6.QtWidgets import QApplication

from vae_explorer.gui.theme import Theme, tabular_font
from vae_explorer.gui.widgets.plot_grid import PlotGrid

LINE_PX = 1.75
"""Width of a curve."""


def term_colour(term: str, theme: Theme) -> QColor:
    """Return the colour that a term has everywhere: curve, bar, formula; what stands for the KL has its colour."""
    own = {"elbo": theme.elbo, "kl": theme.kl, "distortion": theme.distortion, "gap": theme.gap, "bound": theme.text}
    likes = dict.fromkeys(("mmd", "total_correlation", "similarity", "beta"), theme.kl)
    return QColor((own | likes).get(term, theme.muted))


def tick_font() -> QFont:
    """Return the small font of tick labels: the application's, 1.5 points smaller, digits of one width."""
    font = tabular_font(QApplication.font())
    font.setPointSizeF(max(7.0, font.pointSizeF() - 1.5))
    return font


def line_pen(colour: str | QColor, width_px: float = LINE_PX, *, is_dashed: bool = False) -> QPen:
    """Return a pen whose width is in screen pixels whatever the zoom; dashed for held-out or generated things."""
    pen = QPen(QColor(colour), width_px)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if is_dashed:
        pen.setDashPattern([4.0, 3.0])
    return pen


def translucent(colour: str | QColor, alpha: float) -> QColor:
    """Return a colour with an opacity from 0 to 1."""
    copy = QColor(colour)
    copy.setAlphaF(alpha)
    return copy


def prepare_plot(plot: pg.PlotItem, *, has_grid: bool = True) -> None:
    """Take away what no panel here uses: menu, auto-range button, SI prefixes, drops. Call once, when it is made."""
    plot.setMenuEnabled(False)
    plot.hideButtons()
    # WORKAROUND pyqtgraph 0.14: a plot makes menus that nobody owns, and the garbage collector of whichever thread may
    # delete them; the window takes them along when it goes.
    widget = plot.getViewWidget()
    # A graphics view offers its scene as the target of every drag; files are dropped on the window, which opens them.
    widget.setAcceptDrops(False)
    widget.viewport().setAcceptDrops(False)
    plot.ctrlMenu.setParent(widget, plot.ctrlMenu.windowFlags())
    plot.getViewBox().setBorder(None)
    plot.getViewBox().sigRangeChanged.connect(_take_range)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.enableAutoSIPrefix(False)
        axis.setStyle(tickLength=-4, tickTextOffset=4, autoExpandTextSpace=True, hideOverlappingLabels=True)
    if has_grid:
        PlotGrid(plot)


def _take_range(box: pg.ViewBox, *_: object) -> None:
    # pyqtgraph puts a new range off until it paints, and what moves with it is then found to need painting again: every
    # frame of a pan was painted twice.
    box.updateMatrix()


def apply_plot_theme(widget: pg.PlotWidget, theme: Theme) -> None:
    """Colour a plot widget for a theme; call when it is made and again on every PaletteChange."""
    widget.setBackground(QColor(theme.surface))
    for side in ("left", "bottom", "right", "top"):
        axis = widget.getPlotItem().getAxis(side)
        axis.setPen(QPen(QColor(theme.line), 1.0))
        axis.setTextPen(QPen(QColor(theme.muted)))
        axis.setTickFont(tick_font())


def set_axis_label(plot: pg.PlotItem, side: Literal["left", "bottom"], text: str) -> None:
    """Name an axis in the small font, units included ('ELBO, nats per image'); '' takes the name away."""
    axis = plot.getAxis(side)
    if not text:
        axis.showLabel(False)
        return
    style = {"font-size": f"{tick_font().pointSizeF():g}pt", "color": axis.textPen().color().name()}
    axis.setLabel(text, **style)
