"""Expectations under a diagonal Gaussian by the trapezoid rule in its own coordinates, in 1-D and 2-D."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices

Float = NDArray[np.float64]

REACH = 6.0
"""Standard deviations to either side; the weight of what is further out is below 1e-8."""
_FIRST_SIDE = {1: 41, 2: 21}


def expectation_slices(
    values_at: Callable[[Float], Slices[Float]], loc: Float, scale: Float, *, tolerance: float, most_side: int
) -> Slices[tuple[float, float]]:
    """Work out E[f(z)] for z ~ N(loc, scale²), both (d,): return it with its error.

    The lattice is doubled until that changes the result by at most `tolerance`, or it has `most_side` points along
    each dimension; the error is the last change. On Gaussians the trapezoid rule is exact to many digits as long as f
    is smooth; the kinks of rectifiers are what it has to be doubled for.
    """
    side, value, error = _FIRST_SIDE[len(loc)], np.nan, np.inf
    total = weight = 0.0
    while True:
        points, weights = _new_points(side, len(loc), reach=REACH, is_first=weight == 0.0)
        values = yield from values_at(loc + scale * points)
        total, weight = total + float(weights @ values), weight + float(weights.sum())
        before, value = value, total / weight
        error = abs(value - before)
        if error <= tolerance or 2 * side - 1 > most_side:
            return value, error
        side = 2 * side - 1


def round_points(side: int, dims: int, *, reach: float = REACH) -> tuple[Float, Float]:
    """Return points (n, d) of a lattice within `reach` of the origin, and their weights (n,), whose sum is 1."""
    points, weights = _new_points(side, dims, reach=reach, is_first=True)
    return points, weights / weights.sum()


def _new_points(side: int, dims: int, *, reach: float, is_first: bool) -> tuple[Float, Float]:
    """The lattice's points within reach, with unnormalised weights; but for the first, those new to a doubled one."""
    index = np.stack(np.unravel_index(np.arange(side**dims), (side,) * dims), axis=-1)
    points = index * (2 * reach / (side - 1)) - reach
    squares = np.square(points).sum(axis=1)
    is_taken = squares <= reach**2 + 1e-9
    if not is_first:
        is_taken &= (index % 2).any(axis=1)
    return points[is_taken], np.exp(-0.5 * squares[is_taken])
