"""The points that EM is shown on: a bounded sample of codes, or a drawn set, and how they lie flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.theatre_map import Component
from vae_explorer.latent.mixture import Mixture
from vae_explorer.latent.point_sets import POINT_SETS, PointSet, draw_points
from vae_explorer.latent.projection import Basis, axis_basis, line_basis, pca_basis
from vae_explorer.latent.statistics import order_by_kl

Points = NDArray[np.float32]
Source = Literal["codes", "main", "blobs", "moons", "rings"]
"""'codes': all latent dimensions; 'main': the two that are used most; else a drawn set."""

MOST_POINTS = 5000
DRAWN_POINTS = 600
OUTLINE_POINTS = 49
LINE_SPREAD = 0.3
"""Of one dimension, points are spread across the line so that they can be told apart."""


@dataclass(frozen=True, eq=False)
class EmPoints:
    """points (n, d) that EM sees; flat (n, 2) as they are drawn; n_all: how many there are of them; step of the codes.

    places: (n,), which rows of the snapshot they are, None for a drawn set.
    """

    points: Points
    flat: Points
    basis: Basis
    axis_names: tuple[str, str]
    n_all: int
    step: int | None = None
    places: NDArray[np.int64] | None = None

    @property
    def n_dims(self) -> int:
        """Numbers a point."""
        return int(self.points.shape[1])

    def components(self, mixture: Mixture, colours: list[str]) -> tuple[Component, ...]:
        """Return the Gaussians of a mixture as they lie on the map; `colours`: one each."""
        means, plane = self.basis.project(mixture.means), np.stack([self.basis.u, self.basis.v], axis=1)
        angle = np.linspace(0.0, 2.0 * np.pi, OUTLINE_POINTS)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        parts = []
        for k, colour in enumerate(colours):
            spread = plane.T @ mixture.covariances[k] @ plane
            if self.n_dims == 1:
                spread[1, 1] = LINE_SPREAD**2
            values, vectors = np.linalg.eigh(spread)
            root = vectors * np.sqrt(np.clip(values, 0.0, None))
            one, two = ((means[k] + sigma * circle @ root.T).astype(np.float32) for sigma in (1.0, 2.0))
            parts.append(Component((one, two), means[k].astype(np.float32), colour, float(mixture.weights[k])))
        return tuple(parts)


def drawn_points(name: PointSet, *, seed: int) -> EmPoints:
    """Return a drawn set."""
    points = draw_points(name, DRAWN_POINTS, seed=seed)
    return EmPoints(points, points, axis_basis(0, 1, np.zeros(2)), ("x", "y"), len(points))


def code_points(codes: CodesSnapshot, *, only_main: bool, before: EmPoints | None = None) -> EmPoints:
    """Return an even sample of at most MOST_POINTS finite codes, in all dimensions or in the two that are used most.

    Of more than two dimensions the map shows the main directions, turned to lie nearest to those of `before`.
    """
    finite = np.flatnonzero(np.isfinite(codes.loc).all(axis=1))
    places = finite[np.linspace(0, len(finite) - 1, min(len(finite), MOST_POINTS)).astype(np.int64)]
    points = codes.loc[places]
    names = [latent_name(axis) for axis in range(points.shape[1])]
    if only_main:
        axes = main_axes(codes)
        points, names = points[:, axes], [names[axis] for axis in axes]
    basis, names = _basis(points, names, None if before is None else before.basis)
    flat = basis.project(points).astype(np.float32)
    if points.shape[1] == 1:
        flat[:, 1] = LINE_SPREAD * np.random.Generator(np.random.Philox(0)).standard_normal(len(flat))
    return EmPoints(points, flat, basis, (names[0], names[1]), len(codes.loc), codes.step, places)


def main_axes(codes: CodesSnapshot) -> list[int]:
    """Return the two latent dimensions of largest kl (of largest variance where there is none), the lower first."""
    use = codes.loc.var(axis=0) if codes.kl_per_dim is None else codes.kl_per_dim
    return sorted(order_by_kl(use)[:2].tolist())


def is_drawn(source: Source) -> bool:
    """Whether a source is a drawn set."""
    return source in POINT_SETS


def _basis(points: Points, names: list[str], before: Basis | None) -> tuple[Basis, list[str]]:
    n_dims = points.shape[1]
    if n_dims == 1:
        return line_basis(), [names[0], ""]
    if n_dims == 2:
        return axis_basis(0, 1, np.zeros(2)), names
    return pca_basis(points, np.zeros(n_dims), before), ["PC 1", "PC 2"]
