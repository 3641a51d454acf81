"""The images whose codes lie nearest to a code."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class NeighbourIndex:
    """Codes (n, d), ready to be searched at the pace of a drag: one product and one partition, about 1 ms at 70,000."""

    def __init__(self, codes: ArrayLike) -> None:
        self._codes = np.asarray(codes, dtype=np.float32)
        self._squared = np.einsum("ij,ij->i", self._codes, self._codes)

    def nearest(self, code: ArrayLike, n_neighbours: int) -> NDArray[np.intp]:
        """Return the places of the nearest codes, nearest first; codes that are not finite are never among them."""
        target = np.asarray(code, dtype=np.float32)
        # |c - t|^2 without |t|^2, which is the same for all.
        distance = self._squared - 2.0 * (self._codes @ target)
        distance[~np.isfinite(distance)] = np.inf
        n_found = min(n_neighbours, len(distance))
        if n_found == 0:
            return np.zeros(0, dtype=np.intp)
        places = np.argpartition(distance, n_found - 1)[:n_found]
        # The product above rounds: the few that are left are put in order by their differences.
        exact = np.square(self._codes[places].astype(np.float64) - target).sum(axis=1)
        places = places[np.argsort(exact, kind="stable")]
        return places[np.isfinite(distance[places])]
