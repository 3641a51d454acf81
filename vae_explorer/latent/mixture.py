"""Gaussian mixtures: weights, means and covariances; their density and draws. `em` fits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_explorer.errors import UsageError

Covariance = Literal["full", "tied", "diagonal", "spherical"]
Float = NDArray[np.float64]

MAX_CELLS = 100_000_000
"""Points times components: their responsibilities take 8 bytes each, and EM holds three such arrays at once."""
MAX_VALUE = 1e38
"""About float32's largest number; its square over any floor still fits a float64."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """weights (K,), positive, their sum 1; means (K, d); covariances (K, d, d), whatever their kind; float64."""

    weights: Float
    means: Float
    covariances: Float
    kind: Covariance = "full"
    floor: float = 1e-6
    """Least eigenvalue of a covariance: smaller ones are clipped to it, the exact constrained maximiser."""

    @property
    def n_components(self) -> int:
        """K, the number of components."""
        return len(self.weights)

    @property
    def n_dims(self) -> int:
        """How many numbers d a point has."""
        return int(self.means.shape[1])

    @property
    def is_at_floor(self) -> bool:
        """Whether an eigenvalue of a covariance is the floor, so that EM would let it shrink further."""
        values = np.linalg.eigvalsh(self.covariances)
        # Putting a matrix together again from its eigenvalues costs a few units in the last place of the largest.
        return bool((values[:, 0] <= self.floor * (1 + 1e-6) + 1e-13 * values[:, -1]).any())


def log_prob(points: ArrayLike, mixture: Mixture) -> Float:
    """Return log p(x) (n,), nats, of points (n, d)."""
    return log_sum_exp(log_joint(checked_for(points, mixture), mixture))


def sample(mixture: Mixture, n: int, *, seed: int) -> NDArray[np.float32]:
    """Return (n, d) draws: a component by its weight, then a point of it; the first points do not depend on n.

    Philox as in `grids.prior_codes`: the same seed gives the same points on every machine.
    """
    which, noise = np.random.Generator(np.random.Philox(seed)), np.random.Generator(np.random.Philox(seed).jumped())
    edges = np.cumsum(mixture.weights)
    components = np.minimum(np.searchsorted(edges / edges[-1], which.random(n), side="right"), len(edges) - 1)
    values, vectors = np.linalg.eigh(mixture.covariances)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]  # (K, d, d), root @ root.T = covariance
    normal = noise.standard_normal((n, mixture.n_dims))
    points = np.empty((n, mixture.n_dims))
    for k in range(mixture.n_components):
        is_here = components == k
        points[is_here] = mixture.means[k] + normal[is_here] @ roots[k].T
    return points.astype(np.float32)


def log_joint(values: Float, mixture: Mixture) -> Float:
    """Return log p(x, k) (n, K), nats, of checked points (n, d)."""
    # By eigenvalues, not Cholesky: at a floor far below the spread only these hold.
    joint = np.empty((len(values), mixture.n_components))
    eigenvalues, vectors = np.linalg.eigh(mixture.covariances)
    eigenvalues = np.maximum(eigenvalues, mixture.floor)
    for k in range(mixture.n_components):
        white = (values - mixture.means[k]) @ vectors[k] / np.sqrt(eigenvalues[k])  # (n, d)
        log_volume = np.log(2.0 * np.pi * eigenvalues[k]).sum()
        joint[:, k] = -0.5 * (np.einsum("nd,nd->n", white, white) + log_volume)
    joint += np.log(mixture.weights)
    return joint


def log_sum_exp(values: Float) -> Float:
    """Return log sum exp over the last axis of (n, K), (n,), without overflow."""
    largest = values.max(axis=1)
    result: Float = largest + np.log(np.exp(values - largest[:, None]).sum(axis=1))
    return result


def checked_points(points: ArrayLike, components: int) -> Float:
    """Return points as float64 (n, d); UsageError says what is wrong with them."""
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise UsageError(f"Points of shape {values.shape} cannot be fitted; expected (n, d) with n and d at least 1.")
    # nan is refused too: it compares false with everything
    if not (np.abs(values) <= MAX_VALUE).all():
        raise UsageError(f"Some of the {len(values):,} points are not finite; leave those out, or train again.")
    if len(values) * components > MAX_CELLS:
        raise UsageError(
            f"{len(values):,} points with {components:,} components are beyond memory; expected at most "
            f"{MAX_CELLS:,} pairs, so take a sample of the points."
        )
    return values


def checked_for(points: ArrayLike, mixture: Mixture) -> Float:
    """Return points as `checked_points` does; UsageError also when they have other dimensions than the mixture."""
    values = checked_points(points, mixture.n_components)
    if values.shape[1] != mixture.n_dims:
        raise UsageError(
            f"Points of {values.shape[1]} numbers do not fit a mixture of {mixture.n_dims} dimensions; start anew."
        )
    return values
