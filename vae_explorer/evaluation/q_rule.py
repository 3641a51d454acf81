"""Expectations under a diagonal Gaussian by the trapezoid rule in its own coordinates, in 1-D and 2-D."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices

Float = NDArray[np.float64]

REACH = 6.0
"""Standard deviations to either side; the weight of what is further out is below 1e-8."""
_FIRST_SIDE = {1: 41, 2: 15}
_STAGES = {1: 1, 2: 2}
"""Stages in which a lattice comes to double resolution: in 2-D its cells' centres first, then the rest."""


def expectation_slices(
    values_at: Callable[[Float], Slices[Float]], loc: Float, scale: Float, *, tolerance: float, most_side: int
) -> Slices[tuple[float, float]]:
    """Work out E[f(z)] for z ~ N(loc, scale²), both (d,): return it with its error.

    The lattice is refined until double resolution changes the result by at most `tolerance`, or it has `most_side`
    points along each dimension. The error is that change, or what else the last results differ by, as two of them may
    agree by chance (`_change`). On Gaussians the trapezoid rule is exact to many digits as long as f is smooth; the
    kinks of rectifiers are what it has to be doubled for.
    """
    dims = len(loc)
    results: list[float] = []
    total = weight = 0.0
    for points, weights in _growing_points(_FIRST_SIDE[dims], dims, most_side=most_side):
        values = yield from values_at(loc + scale * points)
        total, weight = total + float(weights @ values), weight + float(weights.sum())
        results.append(total / weight)
        error = _change(results, stages=_STAGES[dims])
        if error <= tolerance and len(results) > _STAGES[dims] + 1:
            break
    return results[-1], error


def round_points(side: int, dims: int, *, reach: float = REACH) -> tuple[Float, Float]:
    """Return points (n, d) of a lattice within `reach` of the origin, and their weights (n,), whose sum is 1."""
    points, weights = _weighted(_lattice(side, dims) * (2 * reach / (side - 1)) - reach, reach)
    return points, weights / weights.sum()


def _change(results: list[float], *, stages: int) -> float:
    """The largest change of the last result from those since half its resolution, and half that from the one before.

    Half, as kinks leave that one twice to four times the error. Infinite while there is none of half the resolution.
    """
    if len(results) <= stages:
        return np.inf
    changes = [abs(results[-1] - before) for before in reversed(results[:-1])]
    return max(*changes[:stages], *(0.5 * change for change in changes[stages : stages + 1]), 0.0)


def _growing_points(side: int, dims: int, *, most_side: int) -> Iterator[tuple[Float, Float]]:
    """Points of a lattice within reach with unnormalised weights, then of each stage those that are new."""
    spacing = 2 * REACH / (side - 1)
    yield _weighted(_lattice(side, dims) * spacing - REACH, REACH)
    while 2 * side - 1 <= most_side:
        if dims == 2:
            yield _weighted((_lattice(side - 1, dims) + 0.5) * spacing - REACH, REACH)
        side, spacing = 2 * side - 1, spacing / 2
        index = _lattice(side, dims)
        yield _weighted(index[index.sum(axis=1) % 2 == 1] * spacing - REACH, REACH)


def _weighted(points: Float, reach: float) -> tuple[Float, Float]:
    squares = np.square(points).sum(axis=1)
    is_taken = squares <= reach**2 + 1e-9
    return points[is_taken], np.exp(-0.5 * squares[is_taken])


def _lattice(side: int, dims: int) -> Float:
    """Whole numbers (n, dims) from 0 to side - 1."""
    return np.stack(np.unravel_index(np.arange(side**dims), (side,) * dims), axis=-1).astype(np.float64)
