"""The tile pyramid on random views: tiles cover exactly, levels nest, pictures keep their size on screen."""

from __future__ import annotations

import numpy as np
import pytest

from vae_explorer.latent.tiles import (
    FINER_LEVELS,
    GROUND_LEVELS,
    LEAST_PX,
    PICTURES,
    Pyramid,
    Sight,
    Tile,
    ahead,
    needed,
    pieces,
)

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 64, 64), (1, 20, 12), (3, 128, 96)]
RNG = np.random.default_rng(0)


def random_sights(n: int = 40) -> list[Sight]:
    """Views of 200 to 3,000 pixels at zooms from the whole of latent space to the deepest, off centre."""
    found = []
    for _ in range(n):
        px_a_unit = float(10 ** RNG.uniform(0.5, 5.5))
        (x, y), size = RNG.normal(0, 3, 2), RNG.uniform(200, 3000, 2) / px_a_unit
        found.append(Sight((float(x), float(x + size[0])), (float(y), float(y + size[1])), px_a_unit))
    return found


def area_of(pyramid: Pyramid, tile: Tile) -> float:
    x0, x1, y0, y1 = pyramid.extent(tile)
    return (x1 - x0) * (y1 - y0)


def contains(pyramid: Pyramid, tile: Tile, points: np.ndarray) -> np.ndarray:
    x0, x1, y0, y1 = pyramid.extent(tile)
    inside = (points[:, 0] >= x0) & (points[:, 0] < x1)
    return inside if pyramid.is_line else inside & (points[:, 1] >= y0) & (points[:, 1] < y1)


def points_in(sight: Sight, n: int = 60) -> np.ndarray:
    low, high = np.transpose([sight.x_range, sight.y_range])
    return RNG.uniform(low, high, (n, 2))


@pytest.mark.parametrize("is_line", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_place_of_a_view_lies_in_one_tile_and_every_tile_is_in_view(shape, is_line):
    pyramid = Pyramid(shape, is_line)
    for sight in random_sights():
        tiles = pyramid.cover(pyramid.level(sight), sight)
        assert len(set(tiles)) == len(tiles)
        points = points_in(sight)
        assert (np.sum([contains(pyramid, tile, points) for tile in tiles], axis=0) == 1).all()
        for tile in tiles:
            x0, x1, y0, y1 = pyramid.extent(tile)
            assert x0 <= sight.x_range[1]
            assert x1 >= sight.x_range[0]
            assert is_line or (y0 <= sight.y_range[1] and y1 >= sight.y_range[0])


@pytest.mark.parametrize("is_line", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_tile_is_made_up_of_its_children_and_they_know_it(shape, is_line):
    pyramid = Pyramid(shape, is_line)
    for level, ix, iy in RNG.integers((-3, -9, -9), (12, 9, 9), (50, 3)).tolist():
        tile = Tile(level, ix, 0 if is_line else iy)
        children = pyramid.children(tile)
        extents = np.array([pyramid.extent(child) for child in children])
        x0, x1, y0, y1 = pyramid.extent(tile)
        assert (extents[:, 0].min(), extents[:, 1].max()) == (x0, x1)
        assert (extents[:, 2].min(), extents[:, 3].max()) == (y0, y1)
        assert sum(area_of(pyramid, child) for child in children) == pytest.approx(area_of(pyramid, tile), rel=1e-12)
        assert {pyramid.ancestor(child, 1) for child in children} == {tile}
        grandchildren = {grandchild for child in children for grandchild in pyramid.children(child)}
        assert {pyramid.ancestor(each, 2) for each in grandchildren} == {tile}


@pytest.mark.parametrize("is_line", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_are_as_large_as_stated_unless_there_were_too_many(shape, is_line):
    pyramid = Pyramid(shape, is_line)
    least = min(max(min(shape[1:]), LEAST_PX[0]), LEAST_PX[1])
    seen = set()
    for sight in random_sights():
        level = pyramid.level(sight)
        size = min(pyramid.pitch(level)) * sight.px_a_unit
        n = len(pyramid.cover(level, sight)) * PICTURES
        seen.add(size >= 2 * least)
        assert size >= least * (1 - 1e-6)
        assert n <= pyramid.most_pictures
        if size >= 2 * least:
            assert len(pyramid.cover(level + 1, sight)) * PICTURES > pyramid.most_pictures
        width, height = pyramid.pitch(level)
        assert width / height == pytest.approx(shape[2] / shape[1])
    assert False in seen


def test_each_picture_is_centred_on_its_code_and_rows_go_down():
    pyramid = Pyramid((1, 20, 10))
    x0, x1, y0, y1 = pyramid.extent(Tile(1, -1, 2))
    assert (x0, x1, y0, y1) == (-2.0, 0.0, 8.0, 12.0)
    xy = pyramid.centres([Tile(0, 5, 5), Tile(1, -1, 2)])
    assert xy.shape == (2 * PICTURES, 2)
    np.testing.assert_allclose(xy[16:20], [(-1.75, 11.5), (-1.25, 11.5), (-0.75, 11.5), (-0.25, 11.5)])
    np.testing.assert_allclose(xy[-1], (-0.25, 8.5))
    line = Pyramid((1, 8, 8), is_line=True).centres([Tile(2, 1, 0)])
    np.testing.assert_allclose(line, [(4 + 0.25 * (place + 0.5), 0.0) for place in range(PICTURES)])


@pytest.mark.parametrize("is_line", [False, True])
def test_coarse_tiles_are_asked_for_first_and_from_the_centre_out(is_line):
    pyramid = Pyramid((1, 8, 8), is_line)
    for sight in random_sights():
        level = pyramid.level(sight)
        asked = needed(pyramid, sight, lambda tile: False)
        assert [tile for tile in asked if tile.level == level] == pyramid.cover(level, sight)
        ground = [tile for tile in asked if tile.level == level - GROUND_LEVELS]
        assert asked[: len(ground)] == ground
        assert set(ground) == {pyramid.ancestor(tile, GROUND_LEVELS) for tile in pyramid.cover(level, sight)}
        extents = np.array([pyramid.extent(tile) for tile in asked[len(ground) :]])
        away = (extents[:, :2].mean(axis=1) - sight.centre[0]) ** 2
        if not is_line:
            away += (extents[:, 2:].mean(axis=1) - sight.centre[1]) ** 2
        assert (np.diff(away) >= -1e-9 * away[1:]).all()


def test_nothing_is_asked_for_twice_and_no_coarse_tile_under_what_is_there():
    pyramid, sight = Pyramid((1, 8, 8)), Sight((-1.3, 2.2), (-1.0, 1.1), 200.0)
    level, kept = pyramid.level(sight), set()
    while missing := needed(pyramid, sight, kept.__contains__):
        assert not kept.intersection(missing)
        kept.add(missing[0])
    assert set(pyramid.cover(level, sight)) <= kept
    closer = Sight((-0.3, 1.45), (-0.5, 0.55), 400.0)
    assert pyramid.level(closer) == level + 1
    assert {tile.level for tile in needed(pyramid, closer, kept.__contains__)} == {level + 1}
    farther = ahead(pyramid, Sight((1.0, 4.5), (-1.0, 1.1), 200.0), kept.__contains__)
    assert {tile.level for tile in farther} == {level - GROUND_LEVELS}
    assert not kept.intersection(farther)


@pytest.mark.parametrize("is_line", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_what_is_drawn_covers_the_view_without_overlap_whatever_is_there(is_line, share):
    pyramid = Pyramid((1, 28, 28), is_line)
    for sight in random_sights(20):
        level = pyramid.level(sight)
        levels = range(level - 3, level + FINER_LEVELS + 1)
        kept = {tile for each in levels for tile in pyramid.cover(each, sight) if RNG.uniform() < share}
        drawn = list(pieces(pyramid, sight, kept.__contains__))
        cover = pyramid.cover(level, sight)
        total = sum(area_of(pyramid, tile) for tile in cover)
        assert sum(area_of(pyramid, piece.cell) for piece in drawn) == pytest.approx(total, rel=1e-9)
        points = points_in(sight)
        assert (np.sum([contains(pyramid, piece.cell, points) for piece in drawn], axis=0) == 1).all()
        for source, cell in drawn:
            if source is None:
                assert not kept.intersection(pyramid.ancestor(cell, up) for up in range(1, 4))
            else:
                assert source in kept
                assert pyramid.ancestor(cell, cell.level - source.level) == source


def test_a_missing_tile_is_shown_by_finer_ones_that_fill_it_else_by_the_nearest_coarser_one():
    pyramid, sight = Pyramid((1, 8, 8)), Sight((0.01, 0.49), (0.01, 0.49), 200.0)
    level = pyramid.level(sight)
    (cell,) = pyramid.cover(level, sight)
    children, parent = pyramid.children(cell), pyramid.ancestor(cell, 1)
    assert list(pieces(pyramid, sight, {*children, parent}.__contains__)) == [(child, child) for child in children]
    assert list(pieces(pyramid, sight, {*children[1:], parent}.__contains__)) == [(parent, cell)]
    partly = list(pieces(pyramid, sight, set(children[1:]).__contains__))
    assert partly == [(None, children[0]), *((child, child) for child in children[1:])]
    assert list(pieces(pyramid, sight, lambda tile: False)) == [(None, cell)]


def test_large_images_and_large_screens_keep_what_is_in_view_within_its_share_of_memory():
    for shape in (*SHAPES, (3, 512, 512), (1, 16, 4096)):
        pyramid = Pyramid(shape)
        sight = Sight((-4.0, 4.0), (-2.25, 2.25), 480.0)  # 3840 x 2160 pixels
        n = len(pyramid.cover(pyramid.level(sight), sight)) * PICTURES
        assert n <= pyramid.most_pictures
        assert n <= 1600
        height, width = pyramid.kept_size
        assert (height, width) == shape[1:] or height * width == pytest.approx(128 * 128, rel=0.02)
        assert n * shape[0] * height * width <= 1 << 24
        around = len(ahead(pyramid, sight, lambda tile: False)) * PICTURES
        assert (n + around) * shape[0] * height * width < 3 << 24, "with all that is asked for less than is kept"
