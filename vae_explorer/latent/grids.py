"""Lattices, traversals and draws of codes: where in latent space the pictures of a gallery lie."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_explorer.latent.projection import Basis

Codes = NDArray[np.float32]


def quantile_lattice(
    rows: int,
    cols: int,
    *,
    latent_dim: int,
    axes: tuple[int, int] = (0, 1),
    quantile_range: tuple[float, float] = (0.02, 0.98),
) -> Codes:
    """Return (rows, cols, latent_dim): even steps of the standard normal prior's probability on two axes, the rest 0.

    Kingma & Welling 2014, fig. 4. Columns go left to right along axes[0], row 0 is on top and has the largest
    axes[1]. With latent_dim 1 the line is read like text: left to right, row after row.
    """
    if latent_dim == 1:
        return _quantiles(rows * cols, quantile_range).astype(np.float32).reshape(rows, cols, 1)
    x, y = _quantiles(cols, quantile_range), _quantiles(rows, quantile_range)
    return _lattice(x, y, latent_dim=latent_dim, axes=axes, rest=np.zeros(latent_dim))


def box_lattice(rows: int, cols: int, *, low: ArrayLike, high: ArrayLike, axes: tuple[int, int] = (0, 1)) -> Codes:
    """Return (rows, cols, d): even steps through the box low..high (d,) on two axes, its middle on the others.

    For models without a prior (autoencoders): the box is that of their codes. Orientation as `quantile_lattice`.
    """
    least, most = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if len(least) == 1:
        return _even(least[0], most[0], rows * cols).astype(np.float32).reshape(rows, cols, 1)
    x, y = _even(least[axes[0]], most[axes[0]], cols), _even(least[axes[1]], most[axes[1]], rows)
    return _lattice(x, y, latent_dim=len(least), axes=axes, rest=(least + most) / 2)


def plane_lattice(basis: Basis, x_range: tuple[float, float], y_range: tuple[float, float], nx: int, ny: int) -> Codes:
    """Return (ny, nx, d): codes of nx by ny equal cells that cover a rectangle of the map, each in its cell's centre.

    Row 0 is on top (largest y), as in a picture; so a picture laid over its cell is centred on its code.
    """
    x = x_range[0] + (np.arange(nx) + 0.5) * (x_range[1] - x_range[0]) / nx
    y = y_range[1] - (np.arange(ny) + 0.5) * (y_range[1] - y_range[0]) / ny
    xy = np.stack(np.meshgrid(x, y), axis=-1)  # (ny, nx, 2)
    return basis.lift(xy.reshape(-1, 2)).reshape(ny, nx, -1)


def traversal(code: ArrayLike, axes: Sequence[int], values: ArrayLike) -> Codes:
    """Return (len(axes), len(values), d): the code (d,) with one axis a row set to each of the values."""
    centre, steps = np.asarray(code, dtype=np.float32), np.asarray(values, dtype=np.float32)
    codes = np.tile(centre, (len(axes), len(steps), 1))
    for row, axis in enumerate(axes):
        codes[row, :, axis] = steps
    return codes


def prior_codes(n: int, latent_dim: int, seed: int) -> Codes:
    """Return (n, latent_dim) draws from the standard normal prior; the first codes do not depend on n.

    NumPy's counter-based Philox generator (Salmon et al. 2011), never the training's: the same seed gives the same
    codes on every machine and device, and drawing them does not change a run.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    return generator.standard_normal((n, latent_dim)).astype(np.float32)


def _quantiles(n: int, quantile_range: tuple[float, float]) -> NDArray[np.float64]:
    low, high = quantile_range
    if not 0.0 < low <= high < 1.0:
        raise ValueError(f"quantile_range is {quantile_range}, expected 0 < low <= high < 1")
    normal = NormalDist()
    return np.array([normal.inv_cdf(share) for share in _even(low, high, n).tolist()])


def _even(low: float, high: float, n: int) -> NDArray[np.float64]:
    """n even steps from low to high; a single one lies in the middle."""
    return np.linspace(low, high, n) if n > 1 else np.array([(low + high) / 2])


def _lattice(
    x: NDArray[np.float64], y: NDArray[np.float64], *, latent_dim: int, axes: tuple[int, int], rest: NDArray[np.float64]
) -> Codes:
    if axes[0] == axes[1] or not all(0 <= axis < latent_dim for axis in axes):
        raise ValueError(f"axes are {axes}, expected two different ones from 0 to {latent_dim - 1}")
    codes = np.tile(rest.astype(np.float32), (len(y), len(x), 1))
    codes[:, :, axes[0]] = x[None, :]
    codes[:, :, axes[1]] = y[::-1, None]
    return codes
