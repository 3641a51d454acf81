"""Lines of equal value: on a plane they are straight and exact, on a bowl they are circles."""

from __future__ import annotations

import numpy as np

from vae_explorer.latent.contours import contour_segments


def test_on_a_plane_the_line_is_exact() -> None:
    y, x = np.mgrid[:6, :9].astype(float)
    segments = contour_segments(2 * x + 3 * y, 11.3)
    assert len(segments) > 5
    np.testing.assert_allclose(2 * segments[..., 0] + 3 * segments[..., 1], 11.3)
    lengths = np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1)
    # From (5.65, 0) to the left edge at (0, 3.7667).
    np.testing.assert_allclose(lengths.sum(), np.hypot(5.65, 11.3 / 3))


def test_on_a_bowl_it_is_a_closed_circle() -> None:
    y, x = np.mgrid[-40:41, -40:41] / 10.0
    segments = contour_segments(x**2 + y**2, 4.07)
    ends = segments / 10.0 - 4.0
    np.testing.assert_allclose(np.linalg.norm(ends, axis=-1), np.sqrt(4.07), atol=2e-3)
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    np.testing.assert_allclose(lengths.sum(), 2 * np.pi * np.sqrt(4.07), rtol=1e-3)
    _, counts = np.unique(segments.reshape(-1, 2).round(9), axis=0, return_counts=True)
    assert (counts == 2).all(), "every piece is followed by another"


def test_where_there_is_no_line_there_are_no_pieces() -> None:
    flat = np.zeros((4, 5))
    for values, level in ((flat, 1.0), (flat, 0.0), (flat[:1], 0.0), (np.full((3, 3), np.nan), 0.0)):
        assert contour_segments(values, level).shape == (0, 2, 2)


def test_cells_without_a_number_have_none() -> None:
    values = np.mgrid[:4, :4][1].astype(float)
    values[0, 2] = np.inf
    segments = contour_segments(values, 1.5)
    assert len(segments)
    assert (segments[..., 1] >= 0.5).all(), "half of the cell beside it has three numbers"
