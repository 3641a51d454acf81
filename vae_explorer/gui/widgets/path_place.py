"""Where a code lies on the path from A to B, if it lies on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.gui.selection import Selection
from vae_explorer.latent.paths import interpolate

_TOLERANCE = 1e-4


def code_at(selection: Selection, share: float) -> NDArray[np.float32]:
    """Return the code (latent_dim,) at a share, 0 to 1, of the selection's path."""
    return interpolate(selection.end_a, selection.end_b, [share], path=selection.path)[0]


def share_of_code(selection: Selection, *, guess: float) -> float | None:
    """Return at which share of the path the selected code lies, None when it lies beside it.

    guess: the share to prefer where several fit (a path of no length), and the one that a drag has just set.
    Otherwise the share nearest along the straight path, its mirror image (after a swap) and the ends are tried.
    """
    shares = (guess, 1.0 - guess, _nearest_straight_share(selection), 0.0, 1.0)
    codes = interpolate(selection.end_a, selection.end_b, shares, path=selection.path)
    apart = np.linalg.norm(codes - selection.code, axis=1)
    fitting = np.flatnonzero(apart <= _TOLERANCE * (1.0 + float(np.linalg.norm(selection.code))))
    return shares[int(fitting[0])] if len(fitting) else None


def _nearest_straight_share(selection: Selection) -> float:
    along = selection.end_b.astype(np.float64) - selection.end_a
    length = float(along @ along)
    return float(np.clip((selection.code - selection.end_a) @ along / length, 0.0, 1.0)) if length > 0 else 0.0
