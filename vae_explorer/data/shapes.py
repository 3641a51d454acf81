"""Drawn shapes with known factors of variation, after dSprites (Matthey et al. 2017), anti-aliased and seeded.

Every factor can be told from the picture: rotations stay within a quarter turn, the period of the square.
"""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import Provenance
from vae_explorer.data.image_store import new_images
from vae_explorer.data.raw_images import RawImages, Watcher

SIDE = 32
SHAPES = ("square", "ellipse", "heart")
CENTRE_RANGE = (10.0, 22.0)
"""Of the centre, pixels from the top left corner: the largest shape stays inside the picture."""
SCALE_RANGE = (4.0, 8.0)
"""Half of the square's side and the like, pixels."""
ROTATION_RANGE = (0.0, np.pi / 2)
"""Radians, clockwise."""
SATURATION = 0.75
_SLICE = 256

Floats = NDArray[np.float32]


def draw_shapes(n_images: int, *, seed: int, has_hue: bool, watcher: Watcher) -> RawImages:
    """Draw `n_images` pictures, uint8 (N, 1, 32, 32), or (N, 3, 32, 32) with a hue; the same seed, the same pictures.

    factors: float32 (N, 5 or 6): shape (0 square, 1 ellipse, 2 heart), x and y of the centre and scale in pixels,
    rotation in radians, hue as a share of the colour circle. labels: the shape.
    """
    n_channels = 3 if has_hue else 1
    images = new_images((n_images, n_channels, SIDE, SIDE), "shapes (data.count)")
    factors = draw_factors(n_images, seed=seed, has_hue=has_hue)
    for start in range(0, n_images, _SLICE):
        watcher.report(start / n_images, "Drawing shapes")
        images[start : start + _SLICE] = render(factors[start : start + _SLICE])
    names = ("shape", "x", "y", "scale", "rotation", "hue")
    return RawImages(
        images=images, max_value=255, labels=factors[:, 0].astype(np.int64), class_names=SHAPES,
        factors=factors, factor_names=names[: factors.shape[1]],
        provenance=Provenance(
            source="shapes", title="shapes", understood=(f"{n_images:,} shapes drawn with seed {seed}",)
        ),
    )  # fmt: skip


def draw_factors(n_images: int, *, seed: int, has_hue: bool) -> Floats:
    """Return independent uniform factors, float32 (N, 5), or (N, 6) with a hue; hues change no other factor."""
    generator = np.random.Generator(np.random.Philox(seed))
    shape = generator.integers(len(SHAPES), size=n_images)
    lows, highs = zip(CENTRE_RANGE, CENTRE_RANGE, SCALE_RANGE, ROTATION_RANGE, strict=True)
    others = generator.uniform(lows, highs, size=(n_images, 4))
    hue = generator.uniform(0.0, 1.0, size=(n_images, 1))
    columns = (shape[:, None], others, hue) if has_hue else (shape[:, None], others)
    return np.concatenate(columns, axis=1).astype(np.float32)


def render(factors: Floats) -> NDArray[np.uint8]:
    """Draw one picture a row of factors: uint8 (N, 1, 32, 32), or (N, 3, 32, 32) where there is a hue."""
    shape, x, y, scale, rotation = factors[:, :5].T
    # Cosines differ in their last bit between processors: taken in double and rounded to single they do not, and what
    # follows is exact IEEE arithmetic, so that a data set has the same digest on every machine.
    cos, sin = (f(rotation.astype(np.float64)).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    pixels = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
    across = pixels[None, None, :] - x[:, None, None]  # (N, 1, W)
    down = pixels[None, :, None] - y[:, None, None]  # (N, H, 1)
    size = scale[:, None, None]
    u = (cos * across + sin * down) / size  # (N, H, W), in units of the scale
    v = (cos * down - sin * across) / size
    distance = np.empty_like(u)
    for index, distance_of in enumerate((_square, _ellipse, _heart)):
        rows = shape == index
        distance[rows] = distance_of(u[rows], v[rows])
    coverage = np.clip(np.float32(0.5) - distance * size, 0, 1)[:, None]  # (N, 1, H, W)
    colour = _colours(factors[:, 5]) if factors.shape[1] > 5 else np.ones((len(factors), 1), np.float32)
    return np.rint(coverage * colour[:, :, None, None] * np.float32(255)).astype(np.uint8)


def _square(u: Floats, v: Floats) -> Floats:
    """Return the distance to the edge of a square of half side 0.8, negative inside."""
    du, dv = np.abs(u) - np.float32(0.8), np.abs(v) - np.float32(0.8)
    outside = np.sqrt(np.maximum(du, 0) ** 2 + np.maximum(dv, 0) ** 2)
    return outside + np.minimum(np.maximum(du, dv), 0)


def _ellipse(u: Floats, v: Floats) -> Floats:
    """Return the distance to an ellipse of half axes 1.15 and 0.6, to first order (exact at the edge)."""
    a, b = np.float32(1.15), np.float32(0.6)
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2)
    return level * (level - 1) / np.maximum(slope, np.float32(1e-6))


def _heart(u: Floats, v: Floats) -> Floats:
    """Return the distance to a heart, its tip down: two half discs on a square that stands on its corner."""
    size = np.float32(1.7)
    p, q = np.abs(u) / size, np.float32(0.55) - v / size  # q grows upwards from the tip
    lobe = np.sqrt((p - np.float32(0.25)) ** 2 + (q - np.float32(0.75)) ** 2) - np.sqrt(np.float32(2)) / 4
    edge = np.maximum(p + q, 0) * np.float32(0.5)
    squared = np.minimum(p**2 + (q - 1) ** 2, (p - edge) ** 2 + (q - edge) ** 2)
    body = np.sqrt(squared) * np.sign(p - q)
    return np.where(p + q > 1, lobe, body) * size


def _colours(hues: Floats) -> Floats:
    """Return RGB in [0, 1] of hues, float32 (N, 3)."""
    return np.array([colorsys.hsv_to_rgb(hue, SATURATION, 1.0) for hue in hues.tolist()], np.float32).reshape(-1, 3)
