"""Ranges of a plot that follows growing curves, changed seldom: each change has its axes laid out and drawn anew.

That took two thirds of what the curves cost while a model trains.
"""

from __future__ import annotations

Range = tuple[float, float]

LEAST_FILL = 0.75
"""Share of a shown range that the wanted one fills at least; below it the curve would look lost."""
SPARE = 0.15
"""Room ahead, of the wanted range, at the end where it has grown."""


def steady_range(shown: Range, wanted: Range) -> Range:
    """Return the range to show: `shown` while `wanted` lies in it and fills it, else `wanted` with room to grow."""
    (low, high), (first, last) = wanted, shown
    width = high - low
    if first <= low and high <= last and width >= LEAST_FILL * (last - first):
        return shown
    has_grown_up, has_grown_down = last < high, low < first
    return low - SPARE * width * has_grown_down, high + SPARE * width * has_grown_up
