"""`LightAxis`: an axis of one level of ticks, which takes half the time of pyqtgraph's while the view moves."""

from __future__ import annotations

import math

import pyqtgraph as pg


class LightAxis(pg.AxisItem):
    """Numbered ticks alone. With finer ones among them each level is compared with those above it, number by number."""

    def tickValues(self, minimum: float, maximum: float, size: float) -> list[tuple[float, list[float]]]:
        """Return (spacing, places), at most once."""
        low, high = sorted((minimum, maximum))
        levels = []
        for spacing, offset in self.tickSpacing(low, high, size)[:1]:
            first = math.ceil((low - offset) / spacing) * spacing + offset
            n = int((high - first) / spacing) + 1
            levels.append((float(spacing), [first + place * spacing for place in range(n)]))
        return levels


def light_axes() -> dict[str, pg.AxisItem]:
    """Return the axes of a plot, to be handed to it when it is made."""
    return {side: LightAxis(side) for side in ("left", "bottom")}
