"""The drawn shapes: seeded, anti-aliased, and true to their factors."""

from __future__ import annotations

import colorsys
import time

import numpy as np
import pytest

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.shapes import SATURATION, draw_factors, render


@pytest.fixture(scope="module")
def shapes() -> ImageData:
    return open_data(DataConfig(name="shapes", count=600, hue=True, seed=5))


def centroids(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mass = images.max(axis=1).astype(np.float64)
    centres = np.arange(images.shape[-1]) + 0.5
    total = mass.sum(axis=(1, 2))
    return (mass.sum(axis=1) @ centres) / total, (mass.sum(axis=2) @ centres) / total


def test_same_seed_same_digest_and_pinned() -> None:
    config = DataConfig(name="shapes", count=300, seed=1)
    assert open_data(config).digest == open_data(config).digest
    # Pinned: a run refuses to resume on other images, so the drawing must never change unnoticed.
    assert open_data(config).digest == "f25dc38b9c29d852358215e7a47c90539c614ab293c081fff407de93f316f763"


def test_factors_are_what_is_seen(shapes: ImageData) -> None:
    assert shapes.factor_names == ("shape", "x", "y", "scale", "rotation", "hue")
    symmetric = shapes.labels != 2  # a heart's centre of mass is not its origin
    x, y = centroids(shapes.images[symmetric])
    np.testing.assert_allclose(x, shapes.factors[symmetric, 1], atol=0.1)
    np.testing.assert_allclose(y, shapes.factors[symmetric, 2], atol=0.1)
    squares = shapes.labels == 0
    area = shapes.images[squares].max(axis=1).astype(float).sum(axis=(1, 2)) / 255
    np.testing.assert_allclose(area, (1.6 * shapes.factors[squares, 3]) ** 2, rtol=0.06)
    ellipses = shapes.labels == 1
    area = shapes.images[ellipses].max(axis=1).astype(float).sum(axis=(1, 2)) / 255
    np.testing.assert_allclose(area, np.pi * 1.15 * 0.6 * shapes.factors[ellipses, 3] ** 2, rtol=0.06)


def test_hue_is_the_colour_and_moves_nothing_else(shapes: ImageData) -> None:
    grey = open_data(DataConfig(name="shapes", count=600, hue=False, seed=5))
    np.testing.assert_array_equal(grey.factors, shapes.factors[:, :5])
    assert grey.shape == (1, 32, 32)
    brightest = shapes.images.max(axis=1).reshape(len(shapes), -1).argmax(axis=1)
    pixels = shapes.images.reshape(len(shapes), 3, -1)[np.arange(len(shapes)), :, brightest] / 255
    expected = [colorsys.hsv_to_rgb(hue, SATURATION, 1.0) for hue in shapes.factors[:, 5].tolist()]
    np.testing.assert_allclose(pixels, expected, atol=0.01)


def test_rotation_turns_clockwise_on_screen() -> None:
    flat, turned = render(np.array([[1, 16, 16, 8, 0], [1, 16, 16, 8, np.pi / 4]], np.float32))[:, 0]
    assert flat[16].sum() > 1.5 * flat[:, 16].sum()  # long axis across
    assert turned[21, 21] > 200  # and then down to the right, where y grows downwards
    assert turned[10, 21] == 0


def test_edges_are_grey_and_nothing_is_cut(shapes: ImageData) -> None:
    values = np.unique(shapes.images.max(axis=1))
    assert len(values) > 100
    border = shapes.images.copy()
    border[:, :, 1:-1, 1:-1] = 0
    assert border.max() == 0


def test_factors_are_independent_and_fill_their_ranges() -> None:
    factors = draw_factors(5000, seed=0, has_hue=True)
    off_diagonal = np.corrcoef(factors.T) - np.eye(6)
    assert np.abs(off_diagonal).max() < 0.06
    assert np.ptp(factors[:, 1]) > 11.9
    assert factors[:, 4].max() < np.pi / 2 + 1e-6


def test_6000_images_take_little_time() -> None:
    start = time.process_time()
    open_data(DataConfig(name="shapes", hue=True))
    assert time.process_time() - start < 1.5
