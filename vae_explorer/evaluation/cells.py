"""An integral over a box from cells that are split where the mass is: the normaliser of a posterior, with its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices

Float = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_PARTS = {1: 16, 2: 4}
"""Parts along each dimension that a cell is split into, at most, by the number of dimensions."""
_HALVES_SUFFICE = 4
"""So many times the tolerance the error may be for cells to be halved only: halving wins that much, kinks or not."""
_ROUNDS = 6
_NOTHING = 40.0
"""Nats below the highest value, where 10,000 cells together hold less than 1e-13 of the mass."""
_FLUX = 1 / 24
"""The midpoint rule on cells of size h is off by h² / 24 times the slope at the border of the cells it is used on."""
_EDGE = 50
"""The outermost of so many parts of the box are its edge, on every side: their mass stands for what is beyond."""


@dataclass(frozen=True)
class Refinement:
    """How far to go: until the error is at most `tolerance` nats, or `most_codes` values have been asked for.

    share: a cell with more of the mass than this is split, and its neighbours.
    """

    tolerance: float
    share: float
    most_codes: int


@dataclass(frozen=True, eq=False)
class CellIntegral:
    """What cells say of a density that is known up to its normaliser; nats.

    log_integral: the normaliser. error: how far it may be off. edge_share: share of the mass at the edge of the box
    (_EDGE), about what is beyond it. mode: (d,), the centre where the density is highest. log_cells: (n,), the mean
    of the density, not normalised, over each cell of the lattice that was begun with.
    """

    log_integral: float
    error: float
    edge_share: float
    mode: Float
    log_cells: Float


def cell_centres(low: Float, high: Float, counts: tuple[int, ...]) -> Float:
    """Return the centres (n, d) of the cells that fill the box, the last dimension changing fastest."""
    size = (high - low) / np.array(counts)
    index = np.stack(np.unravel_index(np.arange(int(np.prod(counts))), counts), axis=-1)
    centres: Float = low + size * (index + 0.5)
    return centres


class _Cells:
    """Cells of one size; index (n, d) counts in such cells from the box's low corner, counts (d,) are all there are."""

    def __init__(self, index: Ints, log_values: Float, *, low: Float, size: Float, counts: Ints) -> None:
        self.index, self.log_values = index, log_values
        self.low, self.size, self.counts = low, size, counts
        self.log_mass = log_values + np.log(size).sum()

    def where(self, is_in: Bools) -> _Cells:
        return _Cells(self.index[is_in], self.log_values[is_in], low=self.low, size=self.size, counts=self.counts)

    def children(self, parts: int) -> tuple[Ints, Float, Ints]:
        """Return index, size and counts of all cells split into so many parts along each dimension."""
        dims = len(self.counts)
        index = (self.index[:, None, :] * parts + _offsets(parts, dims)).reshape(-1, dims)
        return index, self.size / parts, self.counts * parts

    def find(self, index: Ints) -> Ints:
        """Return the places among these cells of those of the given ones (m, d) that are there."""
        inside = index[np.all((index >= 0) & (index < self.counts), axis=-1)]
        wanted = np.ravel_multi_index(tuple(inside.T), tuple(self.counts))
        place = np.minimum(np.searchsorted(self._sorted_keys, wanted), len(self.index) - 1)
        found: Ints = self._order[place[self._sorted_keys[place] == wanted]]
        return found

    @cached_property
    def _keys(self) -> Ints:
        keys: Ints = np.ravel_multi_index(tuple(self.index.T), tuple(self.counts))
        return keys

    @cached_property
    def _order(self) -> Ints:
        order: Ints = np.argsort(self._keys, kind="stable")  # which finds at once that the first lattice is in order
        return order

    @cached_property
    def _sorted_keys(self) -> Ints:
        return self._keys[self._order]


def integrate_slices(
    values_at: Callable[[Float], Slices[Float]],
    log_values: Float,
    *,
    low: Float,
    high: Float,
    counts: tuple[int, ...],
    seeds: Float,
    refinement: Refinement,
) -> Slices[CellIntegral]:
    """Integrate exp of a function over the box from `low` to `high`, (d,), d = 1 or 2.

    log_values: (n,), at the centres of counts cells, the last dimension changing fastest; values_at works it out at
    other points (m, d). seeds: points (m, d) whose cells are split in any case. A cell is split into 4 x 4 (16 in
    1-D), or into 2 x 2 where that is likely to do. The error is the largest change when only every other of the finest
    cells is taken along each dimension, so the change at double resolution, plus what the larger cells around them are
    off by where the two sizes meet.
    """
    begun = _begin(log_values, low=low, high=high, counts=counts, seeds=seeds)
    cells, kept, kept_error, asked = begun, [], 0.0, 0
    total = _log_sum(cells.log_mass)
    error = _change_at_double_resolution(cells, -np.inf, total)
    for _ in range(_ROUNDS):
        # A mode may have fallen through cells that seem fine enough: so seeds are looked at in any case.
        if error + kept_error <= refinement.tolerance and not len(seeds):
            break
        parts = _parts(error + kept_error, refinement, dims=len(counts), has_seeds=len(seeds) > 0)
        most = (refinement.most_codes - asked) // parts ** len(counts)
        is_split = _to_split(cells, total, seeds, share=refinement.share, most=most)
        if not is_split.any():
            break
        kept.append(cells.where(~is_split))
        kept_error += _error_of_kept(cells, is_split, total, change=error)
        children, size, finer_counts = cells.where(is_split).children(parts)
        finer = yield from values_at(low + size * (children + 0.5))
        cells = _Cells(children, finer, low=low, size=size, counts=finer_counts)
        asked, seeds = asked + len(finer), seeds[:0]
        rest = float(np.logaddexp.reduce([_log_sum(part.log_mass) for part in kept]))
        total = float(np.logaddexp(rest, _log_sum(cells.log_mass)))
        error = _change_at_double_resolution(cells, rest, total)
    return _integral(begun, [*kept, cells], total, error=error + kept_error, log_values=log_values)


def _begin(log_values: Float, *, low: Float, high: Float, counts: tuple[int, ...], seeds: Float) -> _Cells:
    """The lattice's cells, but for those that hold next to nothing and are not about a seed: mostly nine in ten."""
    size = (high - low) / np.array(counts)
    is_in = log_values >= log_values.max() - _NOTHING
    around = (np.floor((seeds - low) / size).astype(np.int64)[:, None] + _offsets(3, len(counts)) - 1).reshape(
        -1, len(counts)
    )
    inside = around[np.all((around >= 0) & (around < counts), axis=1)]
    is_in[np.ravel_multi_index(tuple(inside.T), counts)] = True
    index = np.stack(np.unravel_index(np.flatnonzero(is_in), counts), axis=-1)
    return _Cells(index, log_values[is_in], low=low, size=size, counts=np.array(counts))


def _parts(error: float, refinement: Refinement, *, dims: int, has_seeds: bool) -> int:
    is_near = error <= _HALVES_SUFFICE * refinement.tolerance and not has_seeds
    return 2 if is_near else _PARTS[dims]


def _to_split(cells: _Cells, total: float, seeds: Float, *, share: float, most: int) -> Bools:
    """Which cells to split: the heavy ones, those of the seeds, and the neighbours of both that are as large."""
    dims = len(cells.counts)
    heavy = cells.index[cells.log_mass - total > np.log(share)]
    seeded = np.floor((seeds - cells.low) / cells.size).astype(np.int64)
    cores = np.concatenate([heavy, seeded])
    chosen = np.unique(cells.find((cores[:, None, :] + (_offsets(3, dims) - 1)).reshape(-1, dims)))
    heaviest_first = chosen[np.argsort(-cells.log_mass[chosen], kind="stable")]
    is_split = np.zeros(len(cells.index), dtype=np.bool_)
    is_split[heaviest_first[:most]] = True
    return is_split


def _change_at_double_resolution(cells: _Cells, rest: float, total: float) -> float:
    """Largest change of `total` where of all cells only every other one along each dimension is taken, times 2 ** d."""
    halves = 2 ** len(cells.counts)
    parity = np.ravel_multi_index(tuple((cells.index % 2).T), (2,) * len(cells.counts))
    shares = np.bincount(parity, weights=np.exp(cells.log_mass - total), minlength=halves)
    rest_share = np.exp(rest - total)
    with np.errstate(divide="ignore"):
        return float(np.abs(np.log(rest_share + halves * shares)).max())


def _error_of_kept(cells: _Cells, is_split: Bools, total: float, *, change: float) -> float:
    """What the cells that stay large are off by, in nats of `total`."""
    kept_share = float(np.exp(_log_sum(cells.log_mass[~is_split]) - total))
    # Where most of the mass stays in large cells, their own resolution is what counts.
    return (change if kept_share > 0.5 else 0.0) + _border_error(cells, is_split, total)


def _border_error(cells: _Cells, is_split: Bools, total: float) -> float:
    """The midpoint rule's error at the border between cells that are split and cells that are not (_FLUX)."""
    split = cells.index[is_split]
    shares = np.exp(cells.log_mass - total)
    flux = 0.0
    for step in np.eye(len(cells.counts), dtype=np.int64):
        for beside, back in ((split + step, -step), (split - step, step)):
            place = cells.find(beside)
            border = place[~is_split[place]]
            inner = cells.find(cells.index[border] + back)
            flux += float((shares[inner] - shares[border]).sum())
    return _FLUX * abs(flux)


def _integral(begun: _Cells, levels: list[_Cells], total: float, *, error: float, log_values: Float) -> CellIntegral:
    band = -(-begun.counts // _EDGE)
    is_edge = ((begun.index < band) | (begun.index >= begun.counts - band)).any(axis=1)
    highest = max((cells for cells in levels if len(cells.index)), key=lambda cells: float(cells.log_values.max()))
    mode = highest.low + highest.size * (highest.index[highest.log_values.argmax()] + 0.5)
    return CellIntegral(
        log_integral=total, error=error, edge_share=float(np.exp(_log_sum(begun.log_mass[is_edge]) - total)),
        mode=mode, log_cells=_log_cells(begun, levels[1:], total, log_values=log_values),
    )  # fmt: skip


def _log_cells(begun: _Cells, finer: list[_Cells], total: float, *, log_values: Float) -> Float:
    """Log of the density's mean over each of the cells that were begun with, not normalised."""
    mass = np.zeros(len(log_values))
    for cells in finer:
        ancestors = cells.index // (cells.counts // begun.counts)
        place = np.ravel_multi_index(tuple(ancestors.T), tuple(begun.counts))
        mass += np.bincount(place, weights=np.exp(cells.log_mass - total), minlength=len(mass))
    is_known = mass > 0  # not where nothing was split, nor where exp gives 0
    log_cells = log_values.copy()
    log_cells[is_known] = np.log(mass[is_known]) + total - np.log(begun.size).sum()
    return log_cells


def _offsets(side: int, dims: int) -> Ints:
    """All indices (side ** dims, dims) from 0 to side - 1."""
    return np.stack(np.unravel_index(np.arange(side**dims), (side,) * dims), axis=-1)


def _log_sum(values: Float) -> float:
    """log sum exp; -inf of nothing."""
    most = float(values.max(initial=-np.inf))
    return most if most == -np.inf else most + float(np.log(np.exp(values - most).sum()))
