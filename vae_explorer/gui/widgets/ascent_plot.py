"""`AscentPlot`: how high a likelihood and its bound have climbed, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from vae_explorer.gui.theme import Theme, current_theme
from vae_explorer.gui.widgets.curve_plot import PlaceAxis
from vae_explorer.gui.widgets.plot_style import apply_plot_theme, line_pen, prepare_plot, set_axis_label, translucent

StepKind = Literal["encoder", "decoder", "all"]

SHOWN = 60
"""Newest steps that are drawn: before them lies the start, beside which nothing else would be seen."""


@dataclass(frozen=True)
class Climb:
    """One step: where it led (x), the bound after it and, for EM, the log-likelihood; `kind`: whose step it was."""

    x: float
    bound: float
    log_likelihood: float | None = None
    kind: StepKind = "all"


def step_colour(kind: StepKind, theme: Theme) -> str:
    """Return the colour of a step: the encoder's the accent, the decoder's the text's, of both together muted."""
    return {"encoder": theme.accent, "decoder": theme.text, "all": theme.muted}[kind]


class AscentPlot(pg.PlotWidget):
    """Either a log-likelihood with its bound below and the gap between them, or a bound whose steps are coloured."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, enableMenu=False, axisItems={"bottom": PlaceAxis()})
        item = self.getPlotItem()
        prepare_plot(item)
        item.getViewBox().setMouseEnabled(x=False, y=False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(140, 96)
        self._climbs: tuple[Climb, ...] = ()
        self._likelihood, self._bound = pg.PlotDataItem(antialias=True), pg.PlotDataItem(antialias=True)
        self._gap = pg.FillBetweenItem(self._likelihood, self._bound)
        self._steps = {kind: pg.PlotCurveItem(antialias=True) for kind in ("all", "encoder", "decoder")}
        self._dots = pg.ScatterPlotItem(size=6, pxMode=True)
        for part in (self._gap, self._likelihood, self._bound, *self._steps.values(), self._dots):
            item.addItem(part)
        self.restyle()

    @property
    def climbs(self) -> tuple[Climb, ...]:
        """The steps that are shown, oldest first."""
        return self._climbs

    def set_climbs(self, climbs: Sequence[Climb]) -> None:
        """Show the newest of these steps, oldest first."""
        self._climbs = tuple(climbs)[-SHOWN:]
        self._draw()

    def set_axis_names(self, x: str, y: str) -> None:
        """Name the axes, units included."""
        set_axis_label(self.getPlotItem(), "bottom", x)
        set_axis_label(self.getPlotItem(), "left", y)

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        apply_plot_theme(self, theme)
        self._likelihood.setPen(line_pen(theme.text, 2.0))
        self._bound.setPen(line_pen(theme.elbo, 1.75))
        self._gap.setBrush(translucent(theme.gap, 0.3))
        for kind, curve in self._steps.items():
            curve.setPen(line_pen(step_colour(kind, theme), 2.5))  # type: ignore[arg-type]
        self._draw()

    def _draw(self) -> None:
        x = np.array([climb.x for climb in self._climbs])
        bounds = np.array([climb.bound for climb in self._climbs])
        has_likelihood = bool(self._climbs) and self._climbs[-1].log_likelihood is not None
        likelihoods = np.array([climb.log_likelihood for climb in self._climbs], dtype=np.float64)
        for part in (self._likelihood, self._bound, self._gap):
            part.setVisible(has_likelihood)
        if has_likelihood:
            self._likelihood.setData(x, likelihoods)
            self._bound.setData(x, bounds)
        for kind, curve in self._steps.items():
            curve.setData(*self._segments("" if has_likelihood else kind), connect="pairs")
        self._draw_dots(x, bounds, has_likelihood=has_likelihood)
        if self._climbs:
            box = self.getPlotItem().getViewBox()
            box.autoRange(padding=0.06)
            box.setXRange(x[0], max(x[-1], x[0] + 2.0), padding=0.06)
        for side in ("left", "bottom"):
            self.getPlotItem().getAxis(side).setStyle(showValues=bool(self._climbs))

    def _segments(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the lines that lead to steps of a kind, two points a line."""
        pairs = zip(self._climbs, self._climbs[1:], strict=False)
        ends = [end for before, after in pairs if after.kind == kind for end in (before, after)]
        return np.array([end.x for end in ends]), np.array([end.bound for end in ends])

    def _draw_dots(self, x: np.ndarray, bounds: np.ndarray, *, has_likelihood: bool) -> None:
        theme = current_theme()
        kinds = [theme.elbo if has_likelihood else step_colour(climb.kind, theme) for climb in self._climbs]
        self._dots.setData(x, bounds, brush=[QColor(name) for name in kinds], pen=line_pen(theme.surface, 0.75))
