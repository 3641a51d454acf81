"""An integral over a box from cells that are split where the mass is: the normaliser of a posterior, with its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices

Float = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_PARTS = {1: 16, 2: 4}
"""Parts along each dimension that a cell is split into, by the number of dimensions."""
_ROUNDS = 6
_FLUX = 1 / 24
"""The midpoint rule on cells of size h is off by h² / 24 times the slope at the border of the cells it is used on."""


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

    log_integral: the normaliser. error: how far it may be off. edge_share: share of the mass in the cells at the edge
    of the box. centres (n, d), log_values (n,), log_mass (n,): of the cells as they are in the end, the density not
    normalised. log_cells: the mean of that density over each cell of the lattice that was begun with.
    """

    log_integral: float
    error: float
    edge_share: float
    centres: Float
    log_values: Float
    log_mass: Float
    log_cells: Float


class _Cells:
    """Cells of one size; index (n, d) counts in such cells from the box's low corner, counts (d,) are all there are."""

    def __init__(self, index: Ints, log_values: Float, *, low: Float, size: Float, counts: Ints) -> None:
        self.index, self.log_values = index, log_values
        self.low, self.size, self.counts = low, size, counts
        self.log_mass = log_values + np.log(size).sum()

    @property
    def centres(self) -> Float:
        return self.low + self.size * (self.index + 0.5)

    def where(self, is_in: Bools) -> _Cells:
        return _Cells(self.index[is_in], self.log_values[is_in], low=self.low, size=self.size, counts=self.counts)

    def keys(self, index: Ints) -> Ints:
        """One number for each index (n, d)."""
        keys: Ints = np.ravel_multi_index(tuple(index.T), tuple(self.counts))
        return keys

    def inside(self, index: Ints) -> Bools:
        return np.all((index >= 0) & (index < self.counts), axis=-1)

    def children(self) -> tuple[Ints, Float, Ints]:
        """Return index, size and counts of the parts of all cells."""
        parts = _PARTS[len(self.counts)]
        offsets = np.stack(np.unravel_index(np.arange(parts ** len(self.counts)), (parts,) * len(self.counts)), axis=-1)
        index = (self.index[:, None, :] * parts + offsets).reshape(-1, len(self.counts))
        return index, self.size / parts, self.counts * parts


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
    other points (m, d). seeds: points (m, d) whose cells are split in any case. A cell is split into 4 x 4 (16 in 1-D).
    The error is the largest change when only every other of the finest cells is taken along each dimension, so the
    change at double resolution, plus what the larger cells around them are off by where the two sizes meet.
    """
    index = np.stack(np.unravel_index(np.arange(len(log_values)), counts), axis=-1)
    begun = _Cells(index, log_values, low=low, size=(high - low) / np.array(counts), counts=np.array(counts))
    cells, kept, kept_error, asked = begun, [], 0.0, 0
    total = _log_sum(cells.log_mass)
    error = _change_at_double_resolution(cells, -np.inf, total)
    for _ in range(_ROUNDS):
        is_split = _to_split(cells, total, seeds, share=refinement.share, most_codes=refinement.most_codes - asked)
        if not is_split.any():
            break
        kept.append(cells.where(~is_split))
        kept_error += _error_of_kept(cells, is_split, total, change=error)
        children, size, finer_counts = cells.where(is_split).children()
        finer = yield from values_at(low + size * (children + 0.5))
        asked += len(finer)
        cells = _Cells(children, finer, low=low, size=size, counts=finer_counts)
        rest = _log_sum(np.concatenate([part.log_mass for part in kept]))
        total = float(np.logaddexp(rest, _log_sum(cells.log_mass)))
        error = _change_at_double_resolution(cells, rest, total)
        seeds = seeds[:0]
        if error + kept_error <= refinement.tolerance:
            break
    return _integral(begun, [*kept, cells], total, error + kept_error)


def _to_split(cells: _Cells, total: float, seeds: Float, *, share: float, most_codes: int) -> Bools:
    """Which cells to split: the heavy ones, those of the seeds, and the neighbours of both that are as large."""
    dims = len(cells.counts)
    is_split = cells.log_mass - total > np.log(share)
    seeded = np.floor((seeds - cells.low) / cells.size).astype(np.int64)
    cores = np.concatenate([cells.index[is_split], seeded[cells.inside(seeded)]])
    steps = np.stack(np.meshgrid(*[np.arange(-1, 2)] * dims, indexing="ij"), axis=-1).reshape(-1, dims)
    around = (cores[:, None, :] + steps).reshape(-1, dims)
    is_split = np.isin(cells.keys(cells.index), cells.keys(around[cells.inside(around)]))
    most = max(0, most_codes // _PARTS[dims] ** dims)
    if is_split.sum() > most:
        chosen = np.flatnonzero(is_split)
        lightest_first = chosen[np.argsort(cells.log_mass[chosen], kind="stable")]
        is_split[lightest_first[: len(chosen) - most]] = False
    return is_split


def _change_at_double_resolution(cells: _Cells, rest: float, total: float) -> float:
    """Largest change of `total` where of all cells only every other one along each dimension is taken, times 2 ** d."""
    parity = cells.keys(cells.index % 2)
    halves = [cells.log_mass[parity == one] for one in np.unique(parity)]
    factor = np.log(len(halves))
    return max(abs(float(np.logaddexp(rest, _log_sum(half) + factor)) - total) for half in halves)


def _error_of_kept(cells: _Cells, is_split: Bools, total: float, *, change: float) -> float:
    """What the cells that stay large are off by, in nats of `total`."""
    kept_share = float(np.exp(_log_sum(cells.log_mass[~is_split]) - total))
    # Where most of the mass stays in large cells, their own resolution is what counts.
    return (change if kept_share > 0.5 else 0.0) + _border_error(cells, is_split, total)


def _border_error(cells: _Cells, is_split: Bools, total: float) -> float:
    """The midpoint rule's error at the border between cells that are split and cells that are not (_FLUX)."""
    keys = cells.keys(cells.index)
    order = np.argsort(keys)
    split, shares = cells.index[is_split], np.exp(cells.log_mass - total)
    flux = 0.0
    for step in np.concatenate([np.eye(len(cells.counts), dtype=np.int64), -np.eye(len(cells.counts), dtype=np.int64)]):
        beside = split + step
        is_inside = cells.inside(beside)
        wanted = cells.keys(beside[is_inside])
        place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        is_border = (keys[place] == wanted) & ~is_split[place]
        flux += float((shares[is_split][is_inside] - shares[place])[is_border].sum())
    return _FLUX * abs(flux)


def _integral(begun: _Cells, levels: list[_Cells], total: float, error: float) -> CellIntegral:
    is_edge = ((begun.index == 0) | (begun.index == begun.counts - 1)).any(axis=1)
    centres = np.concatenate([cells.centres for cells in levels])
    log_mass = np.concatenate([cells.log_mass for cells in levels])
    return CellIntegral(
        log_integral=total, error=error, edge_share=float(np.exp(_log_sum(begun.log_mass[is_edge]) - total)),
        centres=centres, log_values=np.concatenate([cells.log_values for cells in levels]), log_mass=log_mass,
        log_cells=_log_cells(begun, levels[1:], total),
    )  # fmt: skip


def _log_cells(begun: _Cells, finer: list[_Cells], total: float) -> Float:
    """Log of the density's mean over each of the cells that were begun with, not normalised."""
    mass = np.zeros(len(begun.index))
    for cells in finer:
        place = begun.keys(np.floor((cells.centres - begun.low) / begun.size).astype(np.int64))
        mass += np.bincount(place, weights=np.exp(cells.log_mass - total), minlength=len(mass))
    is_known = mass > 0  # not where nothing was split, nor where exp gives 0
    log_cells = begun.log_values.copy()
    log_cells[is_known] = np.log(mass[is_known]) + total - np.log(begun.size).sum()
    return log_cells


def _log_sum(values: Float) -> float:
    """log sum exp; -inf of nothing."""
    most = float(values.max(initial=-np.inf))
    return most if most == -np.inf else most + float(np.log(np.exp(values - most).sum()))
