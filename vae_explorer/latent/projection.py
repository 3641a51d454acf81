"""The map's plane in latent space: project codes onto it, lift a click back to the code that it decodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Basis:
    """A plane in latent space. x = (z - center) u, y = (z - center) v; `lift` stays in the plane through `through`.

    center, u, v, through: float64 (d,); u and v are orthonormal (v is zero on a line). kind: 'axes', 'pca' or
    'line'; axes: the two latent dimensions of kind 'axes'. Moving `through` along the plane's normal moves no point on
    the map, only what a click decodes.
    """

    center: NDArray[np.float64]
    u: NDArray[np.float64]
    v: NDArray[np.float64]
    through: NDArray[np.float64]
    kind: Literal["axes", "pca", "line"]
    axes: tuple[int, int] | None = None

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return len(self.u)

    def project(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Return (n, 2) map coordinates of codes (n, d) or of one code (d,); on a line y is 0."""
        offset = np.atleast_2d(np.asarray(codes, dtype=np.float64)) - self.center
        return offset @ np.stack([self.u, self.v], axis=1)

    def lift(self, xy: ArrayLike) -> Codes:
        """Return float32 codes (n, d) of map coordinates (n, 2) or (2,): the inverse of `project` in this plane."""
        offset = np.atleast_2d(np.asarray(xy, dtype=np.float64)) - self.project(self.through)
        codes = self.through + offset @ np.stack([self.u, self.v])
        return codes.astype(np.float32)

    def with_through(self, code: ArrayLike) -> Basis:
        """Return the same map, with the plane of its clicks moved through another code (d,)."""
        return replace(self, through=np.array(code, dtype=np.float64))


def axis_basis(i: int, j: int, through: ArrayLike) -> Basis:
    """Return the plane of latent dimensions i (x) and j (y) through a code (d,); its coordinates are z_i and z_j."""
    code = np.array(through, dtype=np.float64)
    if i == j or not (0 <= i < len(code) and 0 <= j < len(code)):
        raise ValueError(f"axes are {i} and {j}, expected two different ones from 0 to {len(code) - 1}")
    eye = np.eye(len(code))
    return Basis(center=np.zeros(len(code)), u=eye[i], v=eye[j], through=code, kind="axes", axes=(i, j))


def line_basis() -> Basis:
    """Return the map of one latent dimension: x is the code; y, free for the elbo, is ignored by `lift`."""
    return Basis(center=np.zeros(1), u=np.ones(1), v=np.zeros(1), through=np.zeros(1), kind="line", axes=None)


def pca_basis(codes: ArrayLike, through: ArrayLike, previous: Basis | None = None) -> Basis:
    """Return the plane of the two directions of largest variance of codes (n, d) through a code (d,); d >= 2.

    Coordinates are measured from the origin (the prior's mean), so that the sigma rings stay where they are. The
    directions are turned and mirrored within their plane to lie nearest to those of `previous` (orthogonal Procrustes,
    Schönemann 1966), so that the map does not flip from snapshot to snapshot; without one, the largest part of each
    is positive. Codes that are not finite are left out.
    """
    points, code = np.asarray(codes, dtype=np.float64), np.array(through, dtype=np.float64)
    if len(code) < 2 or points.ndim != 2 or points.shape[1] != len(code):
        raise ValueError(f"codes are {points.shape} and through {code.shape}, expected (n, d) and (d,) with d >= 2")
    points = points[np.isfinite(points).all(axis=1)]
    offset = points - points.mean(axis=0) if len(points) else points
    _, vectors = np.linalg.eigh(offset.T @ offset)  # ascending
    plane = vectors[:, :-3:-1]  # (d, 2), largest first
    if previous is not None and previous.kind != "line" and previous.latent_dim == len(code):
        left, _, right = np.linalg.svd(plane.T @ np.stack([previous.u, previous.v], axis=1))
        plane = plane @ (left @ right)
    else:
        largest = plane[np.argmax(np.abs(plane), axis=0), [0, 1]]
        plane = plane * np.where(largest < 0, -1.0, 1.0)
    return Basis(center=np.zeros(len(code)), u=plane[:, 0].copy(), v=plane[:, 1].copy(), through=code, kind="pca")
