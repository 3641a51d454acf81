"""One colour map for posterior and energy on the latent map: amber to deep red, clear where there is no mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from vae_explorer.latent.contours import contour_segments

Floats = NDArray[np.float32]

STOPS = np.array([[0xF4, 0xBE, 0x5A], [0xE5, 0x74, 0x2B], [0xB3, 0x26, 0x1A]], dtype=np.float64)
"""From little to much. Its lightness falls all the way, so that it reads without colour; the blue of q stands out."""
CLEAR_BELOW = 1e-3
"""Of the highest density: what is less (3.7 sigma of a Gaussian) is left clear."""
MOST_ALPHA = 0.92
ENERGY_LEVELS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Terraces of the energy, nats above its lowest place; the first one holds nearly all of the mass."""
ENERGY_ALPHA = (0.0, 0.3)
"""Of the highest and of the lowest terrace."""
MOST_SIDE_PX = 420
"""Terraces are drawn on a picture of at most so many pixels a side, so that their edges are smooth lines."""


def heat_colour(share: float) -> QColor:
    """Return the opaque colour of a share, 0 to 1, of the most."""
    return QColor(*(int(part) for part in _ramp(np.array([share]))[0]))


def density_image(log_density: Floats) -> QImage:
    """Return p(z|x) as a picture of one pixel a place, the first row of `log_density` (rows, cols) at the bottom."""
    finite = np.where(np.isfinite(log_density), log_density, -np.inf).astype(np.float64)
    share = np.exp(finite - finite.max()) if np.isfinite(finite).any() else np.zeros(finite.shape)
    # The root leaves half of the opacity at a quarter of the density: the slopes are to be seen, not the top alone.
    alpha = np.where(share < CLEAR_BELOW, 0.0, MOST_ALPHA * np.sqrt(share))
    return _image(share, alpha)


def energy_image(energy: Floats) -> QImage:
    """Return -log p(x, z) as terraces above its lowest place, the first row of `energy` (rows, cols) at the bottom."""
    finite = np.where(np.isfinite(energy), energy, np.inf).astype(np.float64)
    if not np.isfinite(finite).any():
        return _image(np.zeros(finite.shape), np.zeros(finite.shape))
    above = np.minimum(finite - finite.min(), 2 * ENERGY_LEVELS[-1])
    terrace = np.searchsorted(ENERGY_LEVELS, _enlarged(above), side="right")
    depth = 1.0 - terrace / len(ENERGY_LEVELS)
    return _image(depth, ENERGY_ALPHA[0] + (ENERGY_ALPHA[1] - ENERGY_ALPHA[0]) * depth)


def energy_lines(energy: Floats) -> list[tuple[QColor, NDArray[np.float64]]]:
    """Return the edges of the terraces: colour and pieces (n, 2, 2), two ends (x, y) as shares of the picture, y up."""
    if not np.isfinite(energy).any():
        return []
    above = energy.astype(np.float64) - float(energy[np.isfinite(energy)].min())
    rows, cols = energy.shape
    n = len(ENERGY_LEVELS)
    return [
        (heat_colour(1.0 - place / n), (contour_segments(above, level) + 0.5) / (cols, rows))
        for place, level in enumerate(ENERGY_LEVELS)
    ]


def _ramp(share: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.linspace(0.0, 1.0, len(STOPS))
    return np.stack([np.interp(share, places, STOPS[:, part]) for part in range(3)], axis=-1)


def _image(share: NDArray[np.float64], alpha: NDArray[np.float64]) -> QImage:
    """Return a picture of colours (rows, cols) with opacities (rows, cols), turned the right way up."""
    rgba = np.concatenate([_ramp(share) * alpha[..., None], 255.0 * alpha[..., None]], axis=-1)
    bgra = np.ascontiguousarray(np.rint(rgba[::-1, :, [2, 1, 0, 3]]).astype(np.uint8))
    rows, cols = share.shape
    return QImage(bgra.data, cols, rows, 4 * cols, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _enlarged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `values` between its places too, straight from one to the next."""
    for axis in (0, 1):
        n = values.shape[axis]
        factor = MOST_SIDE_PX // n
        if n < 2 or factor < 2:
            continue
        place = np.linspace(0.0, n - 1.0, (n - 1) * factor + 1)
        low = np.minimum(place.astype(np.intp), n - 2)
        share = np.expand_dims(place - low, 1 - axis)
        values = np.take(values, low, axis) * (1.0 - share) + np.take(values, low + 1, axis) * share
    return values
