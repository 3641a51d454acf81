"""Figures of codes: which dimensions matter, how far they reach, and which of many are looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def order_by_kl(kl_per_dim: ArrayLike) -> NDArray[np.int64]:
    """Return the dimensions (d,) from most to least used, by kl_per_dim (d,) in nats; equal ones keep their order."""
    kl = np.asarray(kl_per_dim, dtype=np.float64)
    return np.argsort(-np.where(np.isnan(kl), -np.inf, kl), kind="stable").astype(np.int64)


def code_range(codes: ArrayLike, *, at_least: float = 0.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (low, high), each (d,), of the finite codes (n, d), reaching at least from -at_least to at_least.

    A dimension without any extent gets half a unit to either side, so that a slider can move and a box has an inside.
    """
    points = np.asarray(codes, dtype=np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        points = np.zeros((1, points.shape[1]))
    low, high = points.min(axis=0), points.max(axis=0)
    if at_least > 0.0:
        low, high = np.minimum(low, -at_least), np.maximum(high, at_least)
    is_flat = high - low < 1e-6
    low, high = np.where(is_flat, low - 0.5, low), np.where(is_flat, high + 0.5, high)
    return low.astype(np.float32), high.astype(np.float32)


def spread_indices(n: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` of the places 0 .. n - 1, evenly spread and ascending."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def place_of(value: int, rising: NDArray[np.int64]) -> int | None:
    """Return where a value stands among rising ones (n,), None where it does not."""
    place = int(np.searchsorted(rising, value))
    return place if place < len(rising) and rising[place] == value else None
