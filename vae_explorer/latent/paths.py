"""Paths between two codes: straight, or along the arc (White 2016, "Sampling Generative Networks")."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Path = Literal["linear", "spherical"]

_NEARLY_PARALLEL = 1e-7


def interpolate(a: ArrayLike, b: ArrayLike, t: ArrayLike, *, path: Path = "linear") -> NDArray[np.float32]:
    """Return the codes at shares t of the way from a to b: (n, d) for t (n,), exactly a at t = 0 and b at t = 1.

    linear: (1 - t) a + t b. spherical: the direction turns evenly from a's to b's while the norm goes evenly from
    a's to b's, so that the path does not cut through the middle of the prior, where high-dimensional codes never lie.
    Where a direction does not exist (a zero end, one dimension, parallel ends) it is the straight path; between
    opposite ends, which have no shortest arc, it turns through a fixed direction across.
    """
    start, end = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    share = np.atleast_1d(np.asarray(t, dtype=np.float64))[:, None]  # (n, 1)
    if start.shape != end.shape or start.ndim != 1:
        raise ValueError(f"the ends must be two codes of one length, got {start.shape} and {end.shape}")
    if path not in ("linear", "spherical"):
        raise ValueError(f"path is {path!r}, expected linear or spherical")
    codes = (1.0 - share) * start + share * end
    if path == "spherical":
        arc = _arc(start, end, share)
        codes = codes if arc is None else arc
    codes = np.where(share == 0.0, start, np.where(share == 1.0, end, codes))
    return codes.astype(np.float32)


def _arc(
    start: NDArray[np.float64], end: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    norm_start, norm_end = float(np.linalg.norm(start)), float(np.linalg.norm(end))
    if norm_start == 0.0 or norm_end == 0.0:
        return None
    along, target = start / norm_start, end / norm_end
    cosine = float(along @ target)
    across = target - cosine * along
    sine = float(np.linalg.norm(across))
    if sine < _NEARLY_PARALLEL:
        if cosine > 0.0 or len(start) == 1:
            return None
        # Opposite ends: rounding would choose the arc at random; take the axis that `along` uses least.
        across = np.zeros_like(along)
        across[int(np.argmin(np.abs(along)))] = 1.0
        across -= (across @ along) * along
    across /= np.linalg.norm(across)
    angle = np.arctan2(sine, cosine) * share  # (n, 1)
    norm = (1.0 - share) * norm_start + share * norm_end
    direction: NDArray[np.float64] = np.cos(angle) * along + np.sin(angle) * across
    return norm * direction
