"""The rate-distortion picture of a sweep: kl against reconstruction loss, a way through training for each model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.plot_style import (
    apply_plot_theme,
    line_pen,
    prepare_plot,
    set_axis_label,
    tick_font,
    translucent,
)

Way = Sequence[tuple[float, float]]
_PADDING = 0.12
"""Room around the places, as a share of the plot: their names lie beside them."""
_NAME_SHARE = 0.14
"""A name needs this much of the span of all places to itself."""


class SweepPlot(pg.PlotWidget):
    """Each model's way (distortion, kl), its newest place with its beta, and the places of all joined by a line.

    Models lie on one curve where they are trained to their end; elbo is constant along the falling diagonals.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sweep_plot")
        plot = self.getPlotItem()
        prepare_plot(plot)
        plot.getViewBox().setMouseEnabled(x=False, y=False)
        plot.getViewBox().setDefaultPadding(_PADDING)
        self.setAccessibleName(self.tr("KL against reconstruction loss of every model"))
        self._ways: list[Way] = []
        self._names: list[str] = []
        self._selected = 0
        self._lines: list[pg.PlotDataItem] = []
        self._texts: list[pg.TextItem] = []
        self._front = pg.PlotDataItem()
        self._dots = pg.ScatterPlotItem(pxMode=True)
        for item in (self._front, self._dots):
            plot.addItem(item)
        self._restyle()

    def set_ways(self, ways: Sequence[Way], names: Sequence[str]) -> None:
        """Show models: points (distortion, kl) in the order of training, and what each is called."""
        self._ways, self._names = list(ways), list(names)
        self._show()

    def select(self, place: int) -> None:
        """Bring out one model."""
        self._selected = place
        self._show()

    @property
    def places(self) -> list[tuple[float, float]]:
        """The newest place of each model that has one."""
        return [way[-1] for way in self._ways if way]

    def _show(self) -> None:
        theme, plot = current_theme(), self.getPlotItem()
        while len(self._lines) < len(self._ways):
            line, text = pg.PlotDataItem(), pg.TextItem(anchor=(0.0, 1.0))
            plot.addItem(line)
            plot.addItem(text, ignoreBounds=True)
            self._lines.append(line)
            self._texts.append(text)
        named = self._named()
        for place, (line, text) in enumerate(zip(self._lines, self._texts, strict=True)):
            way = self._ways[place] if place < len(self._ways) else ()
            is_selected = place == self._selected
            colour = QColor(theme.accent) if is_selected else translucent(theme.muted, 0.45)
            line.setPen(line_pen(colour, 1.75 if is_selected else 1.0))
            points = np.array(way, dtype=np.float64).reshape(-1, 2)
            line.setData(points[:, 0], points[:, 1])
            text.setVisible(bool(way) and place in named)
            if way:
                text.setText(self._names[place], QColor(theme.accent if is_selected else theme.text))
                text.setFont(tick_font())
                text.setPos(*way[-1])
        self._show_front()

    def _named(self) -> set[int]:
        """Models whose names have room: the chosen one, then each that lies apart from all that were named before."""
        places = np.array(self.places, dtype=np.float64).reshape(-1, 2)
        spans = np.maximum(np.ptp(places, axis=0), 1e-9) if len(places) else np.ones(2)
        order = sorted((place for place, way in enumerate(self._ways) if way), key=lambda p: p != self._selected)
        named: dict[int, np.ndarray] = {}
        for place in order:
            at = np.asarray(self._ways[place][-1]) / spans
            if all(np.abs(at - other).max() >= _NAME_SHARE for other in named.values()):
                named[place] = at
        return set(named)

    def _show_front(self) -> None:
        theme = current_theme()
        places = np.array(self.places, dtype=np.float64).reshape(-1, 2)
        order = np.argsort(places[:, 0])
        self._front.setPen(line_pen(translucent(theme.text, 0.5), 1.0, is_dashed=True))
        self._front.setData(places[order, 0], places[order, 1])
        self._dots.setData(
            places[:, 0], places[:, 1], size=7, pen=None, brush=pg.mkBrush(QColor(theme.kl)), symbol="o"
        )  # fmt: skip

    def _restyle(self) -> None:
        theme = current_theme()
        apply_plot_theme(self, theme)
        plot = self.getPlotItem()
        set_axis_label(plot, "bottom", self.tr("recon, nats per image"))
        set_axis_label(plot, "left", self.tr("KL, nats per image"))
        self._show()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_dots"):
            self._restyle()
