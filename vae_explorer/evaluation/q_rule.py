"""Expectations under a diagonal Gaussian by the trapezoid rule in its own coordinates, in 1-D and 2-D."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices

Float = NDArray[np.float64]
Ints = NDArray[np.int64]

REACH = 6.0
"""Standard deviations to either side; the weight of what is further out is below 1e-8."""
_FIRST_SIDE = {1: 41, 2: 15}
_AT_FIRST = {1: 3, 2: 3}
"""Stages of the lattice that are asked for at once: fewer are never trusted."""
_SPREADS = {False: 2.0, True: 1.0}
"""How many times the spread of its parts the error of a lattice is taken for, without and with its cells' centres.

Of 600 posteriors of three MNIST models, 99.5 % were nearer to their lattice of 225 points a side than that.
"""


def expectation_slices(
    values_at: Callable[[Float], Slices[Float]], loc: Float, scale: Float, *, tolerance: float, most_side: int
) -> Slices[tuple[float, float]]:
    """Work out E[f(z)] for z ~ N(loc, scale²), both (d,): return it with its error.

    The lattice is refined until its error is at most `tolerance`, or it has `most_side` points along each dimension.
    The error is what the parts of twice the spacing that it consists of differ by (`_Lattice.spread`), or the stages
    before it: two results may agree by chance, eight do not. On Gaussians the trapezoid rule is exact to many digits as
    long as f is smooth; the kinks of rectifiers are what it has to be doubled for.
    """
    dims = len(loc)
    stages = _stages(_FIRST_SIDE[dims], dims, most_side=most_side)
    lattice = _Lattice(dims)
    results: list[float] = []
    error = np.inf
    while error > tolerance and (new := list(islice(stages, 1 if results else _AT_FIRST[dims]))):
        values = yield from values_at(loc + scale * np.concatenate([_points(places, size) for places, size in new]))
        for places, spacing in new:
            lattice.add(places, spacing, values[: len(places)])
            values = values[len(places) :]
            results.append(lattice.mean())
        changes = [abs(results[-1] - result) for result in results[-3:-1]]
        # Half of the older one, as kinks leave it two to four times the error.
        error = max(_SPREADS[lattice.has_centres] * lattice.spread(), changes[-1], 0.5 * changes[0])
    return results[-1], error


def round_points(side: int, dims: int, *, reach: float = REACH) -> tuple[Float, Float]:
    """Return points (n, d) of a lattice within `reach` of the origin, and their weights (n,), whose sum is 1."""
    points = _lattice(side, dims) * (2 * reach / (side - 1)) - reach
    points = points[np.square(points).sum(axis=1) <= reach**2 + 1e-9]
    weights = _density(points)
    return points, weights / weights.sum()


class _Lattice:
    """A growing lattice with the values at its points, counted in halves of its spacing."""

    def __init__(self, dims: int) -> None:
        self._places: Ints = np.empty((0, dims), dtype=np.int64)
        self._weights, self._values = np.empty(0), np.empty(0)
        self._spacing = 0.0

    def add(self, places: Ints, spacing: float, values: Float) -> None:
        """Add the points of the next stage: the centres of the cells, or what comes with half the spacing."""
        if spacing < self._spacing:
            self._places *= 2
        self._spacing = spacing
        self._places = np.concatenate((self._places, places))
        self._weights = np.concatenate((self._weights, _density(_points(places, spacing))))
        self._values = np.concatenate((self._values, values))

    @property
    def has_centres(self) -> bool:
        """Whether the centres of its cells belong to it."""
        return bool((self._places[-1] % 2).any())

    def mean(self) -> float:
        """The expectation by all points."""
        return float(self._weights @ self._values / self._weights.sum())

    def spread(self) -> float:
        """Root mean square of what its parts of twice the spacing differ by from all: 2 in 1-D, 4 or 8 in 2-D."""
        part = np.ravel_multi_index(tuple((self._places % 4).T), (4,) * self._places.shape[1])
        weights, sums = np.bincount(part, self._weights), np.bincount(part, self._weights * self._values)
        means = sums[weights > 0] / weights[weights > 0]
        return float(np.sqrt(np.square(means - self.mean()).mean()))


def _stages(side: int, dims: int, *, most_side: int) -> Iterator[tuple[Ints, float]]:
    """The new points (n, dims) of each stage, in halves of its spacing from the origin, and the spacing.

    In 2-D a lattice comes to double resolution in two stages: its cells' centres first, then the rest.
    """
    spacing = 2 * REACH / (side - 1)
    yield _within(2 * _lattice(side, dims) - (side - 1), spacing), spacing
    while 2 * side - 1 <= most_side:
        if dims == 2:
            yield _within(2 * _lattice(side - 1, dims) - (side - 2), spacing), spacing
        side, spacing = 2 * side - 1, spacing / 2
        index = _lattice(side, dims)
        yield _within(2 * index[index.sum(axis=1) % 2 == 1] - (side - 1), spacing), spacing


def _within(places: Ints, spacing: float) -> Ints:
    return places[np.square(_points(places, spacing)).sum(axis=1) <= REACH**2 + 1e-9]


def _points(places: Ints, spacing: float) -> Float:
    return places.astype(np.float64) * (0.5 * spacing)


def _density(points: Float) -> Float:
    """Of the standard normal, not normalised."""
    density: Float = np.exp(np.square(points).sum(axis=1) * -0.5)
    return density


def _lattice(side: int, dims: int) -> Ints:
    """Whole numbers (n, dims) from 0 to side - 1."""
    return np.stack(np.unravel_index(np.arange(side**dims), (side,) * dims), axis=-1)
