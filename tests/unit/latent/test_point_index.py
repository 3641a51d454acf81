"""The index finds what a look at all points finds, wherever they lie and however they are spread."""

from __future__ import annotations

import time

import numpy as np
import pytest

from vae_explorer.latent.point_index import PointIndex, squared_px


def clouds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(5000, 2))
    lattice = np.stack(np.meshgrid(np.arange(60.0), np.arange(60.0)), axis=-1).reshape(-1, 2)
    return {
        "normal": normal,
        "far": normal * 0.01 + 1000.0,
        "outliers": np.concatenate([normal, [[1e30, 0.0], [-3e38, 3e38], [0.0, -1e6]]]),
        "collapsed": normal * 1e-12,
        "line": normal * [1.0, 0.0],
        "one place": np.zeros((3000, 2)),
        "lattice": lattice,  # many points are equally near
        "two": np.array([[0.0, 0.0], [5.0, 5.0]]),
    }


@pytest.mark.parametrize("name", clouds())
@pytest.mark.parametrize("radius", [4.0, 40.0, np.inf])
def test_the_nearest_is_that_of_all_points(name: str, radius: float) -> None:
    points = clouds()[name].astype(np.float32)
    x, y = np.ascontiguousarray(points.T)
    index, rng = PointIndex(x, y), np.random.default_rng(1)
    low, high = np.quantile(points, (0.05, 0.95), axis=0)
    spread = np.maximum(high - low, 1e-12)
    scale = (float(600 / spread[0]), float(400 / spread[1]))
    for _ in range(60):
        at = tuple((rng.uniform(-0.3, 1.3, 2) * spread + low).tolist())
        squared = squared_px(x, y, at, scale)
        best = int(np.argmin(squared))
        expected = best if squared[best] <= radius**2 else None
        assert index.nearest(at, scale, radius) == expected


@pytest.mark.parametrize("name", clouds())
def test_a_box_holds_all_of_its_points_in_order(name: str) -> None:
    points = clouds()[name].astype(np.float32)
    x, y = np.ascontiguousarray(points.T)
    index, rng = PointIndex(x, y), np.random.default_rng(2)
    low, high = np.quantile(points, (0.05, 0.95), axis=0)
    for _ in range(60):
        ends = np.sort(rng.uniform(-0.3, 1.3, (2, 2)) * (high - low) + low, axis=0)
        x_range, y_range = tuple(ends[:, 0].tolist()), tuple(ends[:, 1].tolist())
        ids = index.within(x_range, y_range)
        inside = np.flatnonzero((x >= x_range[0]) & (x <= x_range[1]) & (y >= y_range[0]) & (y <= y_range[1]))
        if ids is None:
            assert len(points) < 100 or name in ("one place", "line") or len(inside) > 0.1 * len(points)
        else:
            assert np.isin(inside, ids).all()
            assert (np.diff(ids) > 0).all()


def test_an_index_of_no_points_finds_none() -> None:
    none = np.zeros(0, dtype=np.float32)
    assert PointIndex(none, none).nearest((0.0, 0.0), (1.0, 1.0)) is None


def test_a_million_points_take_four_bytes_each_and_a_pick_less_than_two_milliseconds() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 1_000_000)).astype(np.float32)
    index = PointIndex(x, y)
    assert index.nbytes < 4.5 * len(x)
    seconds = []
    for at in np.random.default_rng(1).normal(size=(200, 2)):
        began = time.thread_time()
        index.nearest((float(at[0]), float(at[1])), (60.0, 60.0), 4.0)
        seconds.append(time.thread_time() - began)
    assert np.median(seconds) < 2e-3
