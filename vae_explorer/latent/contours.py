"""Lines of equal value on a lattice (marching triangles: every cell is cut in two, so that no case is ambiguous)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def contour_segments(values: ArrayLike, level: float) -> NDArray[np.float64]:
    """Return the pieces (n, 2, 2) of the line where `values` (rows, cols) pass `level`, straight between neighbours.

    A piece is two ends, each (column, row) in units of the lattice. Cells with a value that is not finite have none.
    """
    grid = np.asarray(values, dtype=np.float64)
    if min(grid.shape) < 2:
        return np.zeros((0, 2, 2))
    rows, cols = np.mgrid[: grid.shape[0] - 1, : grid.shape[1] - 1]
    corners = [np.stack([cols + dx, rows + dy], axis=-1).reshape(-1, 2) for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1))]
    triangles = np.concatenate(
        [
            np.stack([corners[0], corners[1], corners[2]], axis=1),
            np.stack([corners[0], corners[2], corners[3]], axis=1),
        ]
    )  # (m, 3, 2)
    heights = grid[triangles[..., 1], triangles[..., 0]] - level  # (m, 3)
    is_above = heights > 0
    n_above = is_above.sum(axis=1)
    is_crossed = np.isfinite(heights).all(axis=1) & (n_above % 3 != 0)
    triangles, heights, is_above, n_above = (a[is_crossed] for a in (triangles, heights, is_above, n_above))
    # The corner that is alone on its side: both crossings lie on its edges.
    alone = np.where(n_above == 1, is_above.argmax(axis=1), (~is_above).argmax(axis=1))
    pick = np.arange(len(alone))
    ends = [_crossing(triangles, heights, pick, alone, (alone + turn) % 3) for turn in (1, 2)]
    return np.stack(ends, axis=1)


def _crossing(
    triangles: NDArray[np.intp],
    heights: NDArray[np.float64],
    pick: NDArray[np.intp],
    one: NDArray[np.intp],
    other: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Where the edge between two corners of each triangle passes zero, (m, 2)."""
    low, high = heights[pick, one], heights[pick, other]
    share = (low / (low - high))[:, None]
    crossing: NDArray[np.float64] = triangles[pick, one] * (1.0 - share) + triangles[pick, other] * share
    return crossing
