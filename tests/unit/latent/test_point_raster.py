"""Discs painted fast are, pixel for pixel, discs painted one by one; and the lattice of pixels stands still."""

from __future__ import annotations

import numpy as np
import pytest

from vae_explorer.latent.pixel_view import PixelView, cell_view, counts
from vae_explorer.latent.point_raster import disc_rows, marks_of, rasterise

TABLE = np.arange(1000, 1190, dtype=np.uint32)
TABLE[:3] = 0


def pixels_of(x: np.ndarray, y: np.ndarray, view: PixelView) -> tuple[np.ndarray, np.ndarray]:
    """Return column and row of each point by the definition of `PixelView`."""
    column = np.floor(x * np.float32(view.scale[0]) + np.float32(view.phase[0])) - view.origin[0]
    row = np.floor(y * np.float32(view.scale[1]) + np.float32(view.phase[1])) - view.origin[1]
    return column.astype(int), row.astype(int)


def painted_in_turn(x: np.ndarray, y: np.ndarray, places: np.ndarray, view: PixelView, radius: float) -> np.ndarray:
    """Paint disc by disc: a core hides all below it; a rim is seen on the ground, and on a core that is below it."""
    width, height = view.size
    core, rim = np.zeros((height, width), int), np.zeros((height, width), int)
    reach = len(disc_rows(radius)[0]) // 2
    for order, (column, row) in enumerate(zip(*pixels_of(x, y, view), strict=True), start=1):
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                at, distance = (row + dy, column + dx), np.hypot(dx, dy)
                if not (0 <= at[0] < height and 0 <= at[1] < width):
                    continue
                if distance <= radius:
                    core[at] = order
                if distance <= radius + 0.6:
                    rim[at] = order
    image = np.zeros((height, width), np.uint32)
    for at in np.ndindex(height, width):
        if core[at] and core[at] == rim[at]:
            image[at] = TABLE[3 * places[core[at] - 1]]
        elif core[at]:
            image[at] = TABLE[3 * places[core[at] - 1] + 2]
        elif rim[at]:
            image[at] = TABLE[3 * places[rim[at] - 1] + 1]
    return image


@pytest.mark.parametrize("seed", range(6))
def test_the_image_is_that_of_discs_painted_in_turn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(scale=3.0, size=(2, 400)) + rng.uniform(-50, 50, (2, 1))).astype(np.float32)
    places = rng.integers(1, 63, 400).astype(np.uint8)
    middle, span = (float(x.mean()), float(y.mean())), rng.uniform(1, 12, 2)
    view = PixelView.over(
        (middle[0] - span[0], middle[0] + span[0]), (middle[1] - span[1], middle[1] + span[1]), (71, 43)
    )
    radius = float(rng.uniform(0.6, 5.0))
    image = rasterise(x, y, marks_of(places), view=view, radius=radius, table=TABLE)
    np.testing.assert_array_equal(image, painted_in_turn(x, y, places, view, radius))


@pytest.mark.parametrize("radius", [0.6, 1.35, 1.77, 4.3, 12.0])
def test_a_disc_is_round_and_symmetric_and_of_its_area(radius: float) -> None:
    view = PixelView.over((0.0, 41.0), (0.0, 41.0), (41, 41))
    middle = np.float32([20.5])
    image = rasterise(middle, middle, marks_of(np.uint8([1])), view=view, radius=radius, table=TABLE)
    core = image == TABLE[3]
    assert np.array_equal(core, core.T)
    assert np.array_equal(core, core[::-1])
    assert core[20, 20]
    assert abs(np.count_nonzero(core) - np.pi * radius**2) < 1 + 2 * radius
    assert np.count_nonzero(image == TABLE[4]) > 0


def test_a_point_beyond_the_edge_still_shows_its_near_half_and_one_far_out_nothing() -> None:
    view = PixelView.over((0.0, 21.0), (0.0, 21.0), (21, 21))
    x, y = np.float32([-1.5, 1e30, -3e38, 50.0]), np.float32([10.5, 5.0, 3e38, 5.0])
    image = rasterise(x, y, marks_of(np.uint8([1, 2, 3, 4])), view=view, radius=4.0, table=TABLE)
    assert image[10, 0] == TABLE[3]
    assert set(np.unique(image)) <= {0, TABLE[3], TABLE[4]}


def test_a_window_moved_by_whole_pixels_shows_the_same_pixels() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 5000)).astype(np.float32)
    marks = marks_of(rng.integers(1, 63, 5000).astype(np.uint8))
    for _ in range(20):
        low, span = rng.normal(size=2), float(np.exp(rng.uniform(-5, 1)))
        x_range, y_range = (low[0], low[0] + span), (low[1], low[1] + span)
        view = PixelView.over(x_range, y_range, (120, 90))
        dx, dy = (int(step) for step in rng.integers(-40, 40, 2))
        moved_x = [end + dx * span / 120 for end in x_range]
        moved_y = [end - dy * span / 90 for end in y_range]
        moved = PixelView.over((moved_x[0], moved_x[1]), (moved_y[0], moved_y[1]), (120, 90))
        assert moved == view.part(dx, dy, 120, 90)
        assert moved.is_move_of(view)
        images = [rasterise(x, y, marks, view=one, radius=1.5, table=TABLE) for one in (view, moved)]
        whole, part = images[0][max(0, dy) : 90 + min(0, dy)], images[1][max(0, -dy) : 90 - max(0, dy)]
        np.testing.assert_array_equal(whole[:, max(0, dx) : 120 + min(0, dx)], part[:, max(0, -dx) : 120 - max(0, dx)])


def test_the_window_lies_over_its_ranges_to_a_hundredth_of_a_pixel() -> None:
    view = PixelView.over((-2.0, 2.0), (-1.0, 1.0), (400, 200))
    x, y = np.float32([-1.995, 1.995, 0.005]), np.float32([0.995, -0.995, 0.005])
    assert [part.tolist() for part in pixels_of(x, y, view)] == [[0, 399, 200], [0, 199, 99]]
    (x0, x1), (y0, y1) = view.ranges()
    assert (x0, x1, y0, y1) == pytest.approx((-2.01, 2.01, -1.01, 1.01), abs=2e-3)


@pytest.mark.parametrize("cell", [1, 2, 3, 7])
def test_counts_are_those_of_a_histogram_over_cells_that_stand_still(cell: int) -> None:
    rng = np.random.default_rng(cell)
    x, y = rng.normal(size=(2, 20_000)).astype(np.float32)
    ranges = ((-1.3, 1.7), (-0.9, 1.1))
    view, (left, top) = cell_view(ranges, (300, 200), cell)
    found = counts(x, y, view)
    assert 0 <= left < cell
    assert 0 <= top < cell
    assert view.size[0] * cell - left >= 300
    assert view.size[1] * cell - top >= 200
    columns, rows = pixels_of(x, y, view)
    is_in = (columns >= 0) & (columns < view.size[0]) & (rows >= 0) & (rows < view.size[1])
    expected = np.zeros(found.shape, int)
    np.add.at(expected, (rows[is_in], columns[is_in]), 1)
    np.testing.assert_array_equal(found, expected)
    step = 3.0 / 300 * cell
    moved, _ = cell_view(((-1.3 + step, 1.7 + step), (-0.9, 1.1)), (300, 200), cell)
    np.testing.assert_array_equal(counts(x, y, moved)[:, :-1], found[:, 1:])


def test_more_points_than_their_order_has_bits_for_are_refused() -> None:
    with pytest.raises(ValueError, match="33,554,432"):
        marks_of(np.broadcast_to(np.uint8(1), 1 << 25))
