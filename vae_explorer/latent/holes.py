"""Holes of a latent space: how much of the place that samples are taken from lies far from every code."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_explorer.latent.grids import prior_codes
from vae_explorer.latent.statistics import spread_indices

NEIGHBOUR_DISTANCES = 2.0
"""A place is far from the codes where the nearest is more than so many of the codes' own distances away."""
PLACES = 600
MOST_CODES = 500
"""A fixed number, so that the figures of two models are of equally many codes: a few milliseconds' work."""


def hole_distance(codes: ArrayLike) -> float:
    """Return NEIGHBOUR_DISTANCES times the median distance of a code of (n, d) to the nearest other; nan below two."""
    some = _some(codes)
    if len(some) < 2:
        return float("nan")
    squared = _squared_distances(some, some)
    np.fill_diagonal(squared, np.inf)
    return NEIGHBOUR_DISTANCES * float(np.sqrt(np.median(squared.min(axis=1))))


def hole_share(places: ArrayLike, codes: ArrayLike) -> float:
    """Return the share of places (m, d) farther than `hole_distance` from all codes (n, d); nan below two codes."""
    some, distance = _some(codes), hole_distance(codes)
    nearest = _squared_distances(np.asarray(places, dtype=np.float64), some).min(axis=1, initial=np.inf)
    return float("nan") if np.isnan(distance) else float((nearest > distance**2).mean())


def box_hole_share(codes: ArrayLike) -> float:
    """Return the share of the box of codes (n, d), by PLACES even draws of it, that is hole."""
    values = np.asarray(codes, dtype=np.float64)
    if len(values) < 2:
        return float("nan")
    low, high = values.min(axis=0), values.max(axis=0)
    draws = np.random.Generator(np.random.Philox(0)).random((PLACES, values.shape[1]))
    return hole_share(low + draws * (high - low), values)


def prior_hole_share(codes: ArrayLike) -> float:
    """Return the share of a standard normal prior, by PLACES draws of it, that is hole between codes (n, d)."""
    values = np.asarray(codes, dtype=np.float64)
    return hole_share(prior_codes(PLACES, values.shape[1], 0), values)


def _some(codes: ArrayLike) -> NDArray[np.float64]:
    """Return at most MOST_CODES codes, spread evenly over those that are given."""
    values = np.asarray(codes, dtype=np.float64)
    return values[spread_indices(len(values), MOST_CODES)]


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, m) squared distances of (n, d) and (m, d)."""
    squared: NDArray[np.float64] = (
        np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)[None] - 2.0 * a @ b.T
    )
    return np.maximum(squared, 0.0)
