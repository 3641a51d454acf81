"""The cloud of points: each pixel's colour is that of the point that lies there, and only visible points are picked."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from vae_explorer.gui.widgets.cloud import CloudRaster, PointColours, nearest_within, point_radius_px, rasterise
from vae_explorer.gui.widgets.view_frame import ViewFrame

RED, BLUE, GREY = "#ff0000", "#0000ff", "#808080"
FRAME = ViewFrame(10.0, 20.0, 200.0, 100.0, (-2.0, 2.0), (-1.0, 1.0))


def colours(alpha: float = 1.0) -> PointColours:
    return PointColours([RED, BLUE, GREY], "#ffffff", alpha=alpha)


def cloud(points: list[list[float]], labels: list[int] | None) -> CloudRaster:
    raster = CloudRaster()
    raster.set_colours(colours())
    raster.set_points(np.array(points, dtype=np.float32), None if labels is None else np.array(labels))
    return raster


def colour_at(raster: CloudRaster, x: float, y: float) -> QColor:
    """Return the colour of the raster at map coordinates."""
    px, py = FRAME.to_px([x, y]).tolist()
    return raster.image(FRAME, 1.0).pixelColor(int(px - FRAME.left), int(py - FRAME.top))


def test_frame_maps_there_and_back() -> None:
    assert FRAME.to_px([[-2.0, 1.0], [2.0, -1.0]]).tolist() == [[10.0, 20.0], [210.0, 120.0]]
    assert FRAME.to_view(110.0, 70.0) == (0.0, 0.0)
    assert FRAME.contains(10, 20)
    assert not FRAME.contains(210, 20)


def test_each_point_has_the_colour_of_its_label(qapp: QApplication) -> None:
    raster = cloud([[-1.0, 0.5], [1.0, -0.5], [0.0, 0.0]], [0, 1, -1])
    assert colour_at(raster, -1.0, 0.5) == QColor(RED)
    assert colour_at(raster, 1.0, -0.5) == QColor(BLUE)
    assert colour_at(raster, 0.0, 0.0) == QColor(GREY)
    assert colour_at(raster, 1.5, 0.5).alpha() == 0


def test_without_labels_all_points_are_grey_and_further_labels_repeat_the_palette(qapp: QApplication) -> None:
    assert colour_at(cloud([[0.0, 0.0]], None), 0.0, 0.0) == QColor(GREY)
    assert colour_at(cloud([[0.0, 0.0]], [3]), 0.0, 0.0) == QColor(BLUE)


def test_the_later_of_two_points_lies_on_top_whole(qapp: QApplication) -> None:
    raster = cloud([[0.0, 0.0], [0.04, 0.0]], [0, 1])  # two pixels apart
    assert colour_at(raster, 0.04, 0.0) == QColor(BLUE)
    assert colour_at(raster, 0.0, 0.0) != QColor(RED)


def test_points_that_are_not_finite_or_far_outside_are_left_out() -> None:
    px = np.array([[np.nan, 5.0], [np.inf, 5.0], [1e30, 5.0], [-1e30, -5.0], [5.0, 5.0]], dtype=np.float32)
    image = rasterise(px, np.ones(5, dtype=np.uint8), size=(11, 11), radius=1.5, colours=colours())
    assert image[5, 5] == 0xFFFF0000
    assert image[0, 10] == 0
    alone = rasterise(px[4:], np.ones(1, dtype=np.uint8), size=(11, 11), radius=1.5, colours=colours())
    assert np.array_equal(image, alone)


def test_a_disc_is_round_and_symmetric() -> None:
    centre = np.array([[10.5, 10.5]], dtype=np.float32)
    image = rasterise(centre, np.ones(1, dtype=np.uint8), size=(21, 21), radius=4.0, colours=colours())
    alpha = image >> 24
    assert np.array_equal(alpha, alpha.T)
    assert np.array_equal(alpha, alpha[::-1])
    assert abs(np.count_nonzero(alpha == 255) - np.pi * 4.0**2) < 8
    assert alpha[10, 10] == 255
    assert alpha[6, 6] == 0


def test_a_point_beyond_the_edge_still_shows_its_near_half() -> None:
    outside = np.array([[-1.5, 10.5]], dtype=np.float32)
    image = rasterise(outside, np.ones(1, dtype=np.uint8), size=(21, 21), radius=4.0, colours=colours())
    assert image[10, 0] == 0xFFFF0000


def test_a_point_covers_device_pixels_at_twice_the_ratio(qapp: QApplication) -> None:
    raster = cloud([[-1.0, 0.5]], [0])
    image = raster.image(FRAME, 2.0)
    assert (image.width(), image.height()) == (400, 200)
    assert image.pixelColor(100, 50) == QColor(RED)


def test_the_image_is_made_once_while_nothing_changes(qapp: QApplication) -> None:
    raster = cloud([[0.0, 0.0]], [0])
    for _ in range(3):
        raster.image(FRAME, 1.0)
    assert raster.n_painted == 1
    raster.set_points(np.array([[0.5, 0.0]], dtype=np.float32), np.array([1]))
    raster.image(FRAME, 1.0)
    raster.image(ViewFrame(10, 20, 200, 100, (-1, 1), (-1, 1)), 1.0)
    assert raster.n_painted == 3


def test_a_hidden_label_is_neither_seen_nor_picked(qapp: QApplication) -> None:
    raster = cloud([[0.0, 0.0], [0.02, 0.0]], [0, 1])
    at = (110.0, 70.0)
    assert raster.pick(FRAME, at, 4.0) == 0
    raster.set_hidden(frozenset({0}))
    assert raster.n_shown == 1
    assert raster.pick(FRAME, at, 4.0) == 1
    assert colour_at(raster, -0.04, 0.0) != QColor(RED)
    raster.set_hidden(frozenset({0, 1}))
    assert raster.pick(FRAME, at, 4.0) is None


def test_nearest_within_takes_the_nearest_and_keeps_to_its_radius() -> None:
    px = np.array([[0.0, 0.0], [3.0, 0.0], [np.nan, 1.0]], dtype=np.float32)
    assert nearest_within(px, (2.0, 0.0), 4.0) == 1
    assert nearest_within(px, (7.0, 0.0), 4.0) == 1
    assert nearest_within(px, (7.01, 0.0), 4.0) is None
    assert nearest_within(px[:0], (0.0, 0.0), 4.0) is None


def test_more_points_are_smaller() -> None:
    radii = [point_radius_px(n) for n in (0, 100, 2_000, 70_000, 10_000_000)]
    assert radii == sorted(radii, reverse=True)
    assert radii[-1] >= 1.0
