"""Geometry on the map: the ellipse of a posterior."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_explorer.latent.projection import Basis


def posterior_ellipse(
    loc: ArrayLike, scale: ArrayLike, basis: Basis, n_sigma: float = 1.0, n_points: int = 64
) -> NDArray[np.float64]:
    """Return the closed outline (n_points, 2) of N(loc, diag scale^2), both (d,), projected onto the map.

    The projection of a Gaussian is a Gaussian with covariance P' diag(scale^2) P; the outline is where its
    Mahalanobis distance is n_sigma. On a line it is the segment of n_sigma to either side.
    """
    plane = np.stack([basis.u, basis.v], axis=1)  # (d, 2)
    weighted = plane * np.asarray(scale, dtype=np.float64)[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ weighted)
    angle = np.linspace(0.0, 2.0 * np.pi, n_points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))  # (2, 2), root @ root.T = covariance
    outline: NDArray[np.float64] = basis.project(loc) + n_sigma * circle @ root.T
    outline[-1] = outline[0]
    return outline
