"""The cloud of points: each pixel's colour is that of the point that lies there, and only visible points are picked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from vae_explorer.gui.theme import DARK, LIGHT, Theme
from vae_explorer.gui.widgets import cloud as cloud_module
from vae_explorer.gui.widgets.cloud import CloudRaster, Style, point_radius_px
from vae_explorer.gui.widgets.cloud_colours import PointColours, ramp, value_colours
from vae_explorer.gui.widgets.cloud_discs import MOST_DISCS, draw_discs
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.pixel_view import PixelView
from vae_explorer.latent.point_raster import rasterise
from vae_explorer.latent.value_scale import LEVELS

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


def test_points_that_are_not_finite_or_far_outside_are_left_out(qapp: QApplication) -> None:
    whole = [[np.nan, 0.0], [np.inf, 0.0], [1e30, 0.0], [-1e30, -0.5], [0.0, 0.0]]
    raster, alone = cloud(whole, [0, 0, 0, 0, 1]), cloud([[0.0, 0.0]], [1])
    assert raster.n_shown == 3
    assert np.array_equal(pixels(raster, FRAME), pixels(alone, FRAME))
    assert raster.pick(FRAME, (110.0, 70.0), 4.0) == 4
    assert raster.colour_of(0) is None
    assert raster.colour_of(4) == QColor(BLUE)


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


def random_frame(rng: np.random.Generator) -> ViewFrame:
    span = float(np.exp(rng.uniform(-3.0, 2.0)))
    x, y = rng.normal(size=2).tolist()
    return ViewFrame(10.0, 20.0, 203.0, 101.0, (x - span, x + span), (y - span / 2, y + span / 2))


@pytest.mark.parametrize("hidden", [frozenset(), frozenset({1, 2})])
@pytest.mark.parametrize("style", ["points", "density"])
@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_pans_zooms_and_an_index_change_no_pixel(
    qapp: QApplication, hidden: frozenset[int], style: Style, ratio: float
) -> None:
    """One raster is moved about and re-uses what it has; one is made anew for every view and looks at all points."""
    rng = np.random.default_rng(3)
    points, labels = rng.normal(size=(3000, 2)).astype(np.float32), rng.integers(-1, 5, 3000)
    moved, frame = make(points, labels, hidden, style), random_frame(rng)
    n_moved = 0
    for turn in range(20):
        if turn == 5:
            moved.prepare()
        if turn % 3 == 0:
            frame = random_frame(rng)
        else:
            frame = panned(frame, rng.integers(-60, 60, 2) / ratio)
            n_moved += 1
        anew = make(points, labels, hidden, style)
        np.testing.assert_array_equal(pixels(moved, frame, ratio), pixels(anew, frame, ratio))
        few = MOST_DISCS >= count_in(points[~np.isin(labels, list(hidden))], frame) > 0
        if few and style == "points":
            np.testing.assert_array_equal(pixels(moved, frame, ratio), all_discs(anew, frame, ratio))
    assert n_moved > 10


def make(points: np.ndarray, labels: np.ndarray, hidden: frozenset[int], style: Style) -> CloudRaster:
    raster = CloudRaster()
    raster.set_colours(colours(0.94))
    raster.set_ramp(value_colours(LIGHT))
    raster.set_points(points, labels)
    raster.set_hidden(hidden)
    raster.set_style(style)
    return raster


def panned(frame: ViewFrame, by_px: np.ndarray) -> ViewFrame:
    dx, dy = (by_px / frame.scale).tolist()
    (x0, x1), (y0, y1) = frame.x_range, frame.y_range
    return replace(frame, x_range=(x0 + dx, x1 + dx), y_range=(y0 + dy, y1 + dy))


def pixels(raster: CloudRaster, frame: ViewFrame, ratio: float = 1.0) -> np.ndarray:
    image = raster.image(frame, ratio)
    return np.frombuffer(image.constBits(), dtype=np.uint32).reshape(image.height(), image.width()).copy()


def count_in(points: np.ndarray, frame: ViewFrame) -> int:
    """Return how many points lie in a frame or up to 10 pixels around it."""
    px = frame.to_px(points) - (frame.left, frame.top)
    return int(((px > -10) & (px < (frame.width + 10, frame.height + 10))).all(axis=1).sum())


def all_discs(raster: CloudRaster, frame: ViewFrame, ratio: float) -> np.ndarray:
    """Draw every point, in view or not, one by one."""
    size = round(frame.width * ratio), round(frame.height * ratio)
    view = PixelView.over(frame.x_range, frame.y_range, size)
    image = draw_discs(
        raster._x, raster._y, raster._coloured()[0], view=view, radius=raster.radius_px * ratio, colours=raster._colours
    )
    return np.frombuffer(image.constBits(), dtype=np.uint32).reshape(size[::-1]).copy()


def test_a_pan_paints_only_what_comes_into_view(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    raster = make(rng.normal(size=(6000, 2)).astype(np.float32), rng.integers(0, 2, 6000), frozenset(), "points")
    painted: list[int] = []

    def count(*args: Any, view: PixelView, **options: Any) -> Any:
        painted.append(view.size[0] * view.size[1])
        return rasterise(*args, view=view, **options)

    monkeypatch.setattr(cloud_module, "rasterise", count)
    raster.image(FRAME, 1.0)
    assert painted == [200 * 100]
    painted.clear()
    raster.image(panned(FRAME, np.array([3.0, -2.0])), 1.0)
    assert sum(painted) == 200 * 2 + 3 * 98


def test_few_points_are_drawn_where_they_are_between_pixels_too(qapp: QApplication) -> None:
    shares = []
    for offset in (0.0, 0.25, 0.5):
        raster = cloud([[offset / 50.0, 0.0]], [0])
        alpha = pixels(raster, FRAME) >> 24
        columns = np.arange(200) + 0.5
        shares.append(float((alpha.sum(axis=0) * columns).sum() / alpha.sum()))
    assert np.diff(shares) == pytest.approx([0.25, 0.25], abs=0.03)


def test_density_counts_the_images_of_each_cell(qapp: QApplication) -> None:
    raster = make(np.float32([[0.0, 0.0]] * 50 + [[1.0, 0.5]]), np.zeros(51, int), frozenset(), "density")
    image = raster.image(FRAME, 1.0)
    assert raster.scale is not None
    assert (raster.scale.low, raster.scale.high) == (1.0, 50.0)
    ramp_ends = [QColor.fromRgba(int(raster._ramp[place])) for place in (1, -1)]
    assert image.pixelColor(151, 24).alpha() == ramp_ends[0].alpha()
    assert image.pixelColor(101, 51).lightness() < image.pixelColor(151, 24).lightness(), "much is dark by day"
    assert image.pixelColor(30, 30).alpha() == 0


def test_points_are_larger_and_smaller_by_steps_within_limits(qapp: QApplication) -> None:
    raster = cloud([[0.0, 0.0]], [0])
    sizes = []
    for step in (-9, 0, 2, 99):
        raster.set_size_step(step)
        sizes.append(int(np.count_nonzero(pixels(raster, FRAME) >> 24)))
    assert sizes == sorted(set(sizes))
    assert raster.radius_px <= 12.0


def test_levels_colour_the_points_and_hiding_labels_goes_on(qapp: QApplication) -> None:
    raster = cloud([[-1.0, 0.5], [1.0, -0.5]], [0, 1])
    raster.set_look(value_colours(LIGHT), np.uint8([1, LEVELS + 1]))
    first, unknown = value_colours(LIGHT).discs[0], QColor(LIGHT.muted)
    assert raster.colour_of(0) == first
    assert raster.colour_of(1) == unknown
    raster.set_hidden(frozenset({0}))
    assert raster.colour_of(0) is None
    assert raster.colour_of(1) == unknown
    raster.set_look(colours(), None)
    assert colour_at(raster, 1.0, -0.5) == QColor(BLUE)


@pytest.mark.parametrize("hidden", [frozenset(), frozenset({0})])
def test_the_memory_a_point_takes_is_bounded(hidden: frozenset[int]) -> None:
    n = 500_000
    raster = make(np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32), np.arange(n) % 9, hidden, "points")
    raster.prepare()
    assert raster.nbytes <= 21 * n + 2**19


def test_labels_that_are_looked_up_have_the_colours_of_those_that_are_divided() -> None:
    many = np.random.default_rng(0).integers(-3, 1000, 5000)
    palette = colours()
    one_by_one = np.concatenate([palette.places(many[i : i + 100], 100) for i in range(0, 5000, 100)])
    np.testing.assert_array_equal(palette.places(many, 5000), one_by_one)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_ramp_goes_one_way_in_lightness_and_stands_out_from_the_ground(theme: Theme) -> None:
    def luminance(colour: QColor) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light = np.array([luminance(colour) for colour in ramp(theme)])
    steps = np.diff(light)
    assert (steps > 0).all() if theme.is_dark else (steps < 0).all()
    ground = luminance(QColor(theme.surface))
    nearest = min((max(ground, one) + 0.05) / (min(ground, one) + 0.05) for one in light)
    assert nearest > 1.5


def test_more_points_are_smaller() -> None:
    radii = [point_radius_px(n) for n in (0, 100, 2_000, 70_000, 10_000_000)]
    assert radii == sorted(radii, reverse=True)
    assert radii[-1] >= 1.0
