"""The figures that can colour the points of the map, and their values for the images of a snapshot."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.engine.messages import CodesSnapshot, GapsEstimated
from vae_explorer.latent.value_scale import point_density

ColourBy = Literal["class", "kl", "elbo", "gap", "density"]
COLOURS_BY: tuple[ColourBy, ...] = ("class", "kl", "elbo", "gap", "density")
Floats = NDArray[np.float32]


def values_of(by: ColourBy, codes: CodesSnapshot, points: Floats, gaps: GapsEstimated | None) -> Floats | None:
    """Return a figure of each image of a snapshot (n,), NaN where it is not known; None: points have classes' colours.

    points: (n, 2), the images' places on the map, of which density is made.
    """
    match by:
        case "kl":
            return codes.kl
        case "elbo":
            return codes.elbo
        case "gap":
            return _gaps_of(codes, gaps)
        case "density":
            return _density(points)
        case _:
            return None


def _gaps_of(codes: CodesSnapshot, gaps: GapsEstimated | None) -> Floats:
    """Return the estimates of those images that have one; both lists of images rise."""
    values = np.full(len(codes.indices), np.nan, dtype=np.float32)
    if gaps is not None and len(gaps.indices):
        place = np.minimum(np.searchsorted(gaps.indices, codes.indices), len(gaps.indices) - 1)
        is_there = gaps.indices[place] == codes.indices
        values[is_there] = gaps.gap[place[is_there]]
    return values


def _density(points: Floats) -> Floats:
    values = np.full(len(points), np.nan, dtype=np.float32)
    is_finite = np.isfinite(points).all(axis=1)
    values[is_finite] = point_density(*np.ascontiguousarray(points[is_finite].T))
    return values
