"""Drawn 2-D points to fit a mixture to: blobs that it can get right, moons and rings that it cannot."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vae_explorer.errors import UsageError, nearest_hint

PointSet = Literal["blobs", "moons", "rings"]
POINT_SETS: tuple[PointSet, ...] = get_args(PointSet)

_BLOBS = 5
_NOISE = 0.12


def draw_points(name: PointSet, n: int, *, seed: int) -> NDArray[np.float32]:
    """Return n points (n, 2) within about -4 to 4; the same seed gives the same points on every machine.

    blobs: five Gaussians of different width, tilt and weight. moons: two half circles that reach into each other.
    rings: two circles about one centre. UsageError when there is no such set.
    """
    makers = {"blobs": _blobs, "moons": _moons, "rings": _rings}
    if name not in makers:
        raise UsageError(f"There are no drawn points {name!r}; choose one of {', '.join(makers)}."
                         f"{nearest_hint(name, makers)}")  # fmt: skip
    generator = np.random.Generator(np.random.Philox(seed))
    points = makers[name](n, generator)
    return generator.permutation(points).astype(np.float32)


def _blobs(n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    angle = 2 * np.pi * (np.arange(_BLOBS) + generator.random()) / _BLOBS
    radius = generator.uniform(1.4, 2.8, _BLOBS)
    centres = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    shares = generator.dirichlet(np.full(_BLOBS, 6.0))
    which = generator.choice(_BLOBS, size=n, p=shares)
    spread = generator.uniform(0.15, 0.6, (_BLOBS, 2))
    tilt = generator.uniform(0, np.pi, _BLOBS)
    offset = generator.standard_normal((n, 2)) * spread[which]
    cos, sin = np.cos(tilt[which]), np.sin(tilt[which])
    turned = np.stack([cos * offset[:, 0] - sin * offset[:, 1], sin * offset[:, 0] + cos * offset[:, 1]], axis=1)
    blobs: NDArray[np.float64] = centres[which] + turned
    return blobs


def _moons(n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    angle = generator.uniform(0, np.pi, n)
    is_upper = np.arange(n) % 2 == 0
    x = np.where(is_upper, np.cos(angle), 1.0 - np.cos(angle)) - 0.5
    y = np.where(is_upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    noise: NDArray[np.float64] = generator.normal(0.0, _NOISE, (n, 2))
    return 1.8 * (np.stack([x, y], axis=1) + noise)


def _rings(n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    angle = generator.uniform(0, 2 * np.pi, n)
    radius = np.where(np.arange(n) % 3 == 0, 0.9, 2.6) + generator.normal(0.0, _NOISE, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
