"""`BoundLadder`: the importance-weighted bounds of one image by k (Burda et al. 2016) below the exact log p(x)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QWidget

from vae_explorer.engine.messages import Climbed
from vae_explorer.gui.theme import current_theme
from vae_explorer.gui.widgets.bound_reading import error_text, plain_nats
from vae_explorer.gui.widgets.plot_style import apply_plot_theme, line_pen, prepare_plot, tick_font, translucent

LEFT_AXIS_PX = 44
PADDING = 0.12
"""Of the height that the bounds take, left free above and below."""
NARROWEST_NATS = 0.2
"""The axis shows at least so much, so that rounding does not look like a climb."""


class DecadeAxis(pg.AxisItem):
    """Ticks at 1, 10, 100 ... of a value whose logarithm to base 10 is plotted."""

    def tickSpacing(self, minimum: float, maximum: float, size: float) -> list[tuple[float, float]]:
        return [(1.0, 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [f"{10**value:,.0f}" for value in values]


class BoundLadder(pg.PlotWidget):
    """Points with error bars of one standard error, joined; the exact value a line with its error as a band."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, enableMenu=False, axisItems={"bottom": DecadeAxis("bottom")})
        self.setObjectName("bound_ladder")
        self.setMinimumSize(120, 64)
        item = self.getPlotItem()
        prepare_plot(item)
        item.getAxis("left").setWidth(LEFT_AXIS_PX)
        item.getViewBox().setMouseEnabled(x=False, y=False)
        self._band = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._exact = pg.InfiniteLine(
            angle=0, movable=False, label="", labelOpts={"position": 0.02, "anchors": [(0, 1), (0, 0)]}
        )
        self._bars = pg.ErrorBarItem(x=np.zeros(0), y=np.zeros(0), height=np.zeros(0), beam=0.06)
        self._curve = pg.PlotDataItem(antialias=True, symbol="o", symbolSize=5)
        for part in (self._band, self._exact, self._bars, self._curve):
            item.addItem(part, ignoreBounds=True)
        self._climbed: Climbed | None = None
        self._level: tuple[float, float] | None = None
        self.setAccessibleName(self.tr("Importance-weighted bounds by the number of codes k"))
        self.setToolTip(
            self.tr(
                "L_k = E log (1/k) Σ p(x, z) / q(z|x) over k codes of q: k = 1 is the ELBO, more codes climb towards "
                "log p(x). Bars: one standard error; nats."
            )
        )
        self._redraw()
        self.restyle()

    def set_ladder(self, climbed: Climbed | None) -> None:
        """Show these bounds, or none."""
        self._climbed = climbed
        self._redraw()

    def set_exact(self, log_px: float | None, error: float = 0.0) -> None:
        """Show the exact log p(x) with its error, nats; None where there is none."""
        self._level = None if log_px is None or not math.isfinite(log_px) else (log_px, error)
        self._redraw()

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        apply_plot_theme(self, theme)
        self._curve.setPen(line_pen(theme.elbo))
        self._curve.setSymbolPen(None)
        self._curve.setSymbolBrush(theme.elbo)
        self._bars.setOpts(pen=line_pen(theme.elbo, 1.25))
        self._exact.setPen(line_pen(theme.text, 1.5))
        self._exact.label.setColor(theme.text)
        self._exact.label.setFont(tick_font())
        for edge in self._band.lines:
            edge.setPen(pg.mkPen(None))
        self._band.setBrush(translucent(theme.text, 0.18))

    def _redraw(self) -> None:
        self._curve.setVisible(self._climbed is not None)
        self._bars.setVisible(self._climbed is not None)
        for part in (self._band, self._exact):
            part.setVisible(self._level is not None)
        spans: list[float] = []
        if self._climbed is not None:
            spans += self._draw_bounds(self._climbed)
        if self._level is not None:
            value, error = self._level
            self._exact.setValue(value)
            self._exact.label.setFormat(self.tr("log p(x) {value}").format(value=plain_nats(value)))
            self._band.setRegion((value - error, value + error) if math.isfinite(error) else (value, value))
            spans.append(value)
        if spans:
            self._fit(min(spans), max(spans))
        self.setAccessibleDescription(self._sentence())

    def _draw_bounds(self, climbed: Climbed) -> list[float]:
        x, y = np.log10(climbed.k.astype(np.float64)), climbed.bounds.astype(np.float64)
        errors = np.where(np.isfinite(climbed.errors), climbed.errors, 0.0).astype(np.float64)
        self._curve.setData(x, y)
        self._bars.setData(x=x, y=y, height=2 * errors, beam=0.06)
        ends = np.concatenate([y - errors, y + errors])
        return [float(end) for end in ends[np.isfinite(ends)]]

    def _fit(self, low: float, high: float) -> None:
        span = max(high - low, NARROWEST_NATS)
        middle = (low + high) / 2
        most = float(np.log10(self._climbed.k[-1])) if self._climbed is not None else 3.7
        # More room above: the name of the exact line stands there.
        y_range = (middle - span * (0.5 + PADDING), middle + span * (0.5 + 2 * PADDING))
        self.getPlotItem().getViewBox().setRange(xRange=(-0.15, most + 0.15), yRange=y_range, padding=0.0)

    def _sentence(self) -> str:
        if self._climbed is None:
            return ""
        rungs = zip(self._climbed.k, self._climbed.bounds, self._climbed.errors, strict=True)
        listed = "; ".join(
            f"k = {k:,}: {plain_nats(float(bound))} {error_text(float(error))}" for k, bound, error in rungs
        )
        exact = "" if self._level is None else self.tr("; log p(x) {value}").format(value=plain_nats(self._level[0]))
        return listed + exact

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_climbed"):
            self.restyle()
        super().changeEvent(event)
