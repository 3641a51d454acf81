"""Order and range of latent dimensions; tiles as one picture."""

import numpy as np
import pytest

from vae_explorer.errors import UsageError
from vae_explorer.latent.mosaic import mosaic, picture_scale, to_uint8
from vae_explorer.latent.statistics import code_range, order_by_kl, place_of, spread_indices


def test_dimensions_are_ordered_from_most_to_least_used():
    assert order_by_kl([0.1, 3.0, np.nan, 0.1, 2.0]).tolist() == [1, 4, 0, 3, 2]


@pytest.mark.parametrize(
    ("n", "most", "chosen"), [(0, 5, []), (3, 0, []), (3, 9, [0, 1, 2]), (9, 3, [0, 4, 8]), (10, 4, [0, 3, 6, 9])]
)
def test_some_of_many_places_are_spread_evenly_from_first_to_last(n, most, chosen):
    assert spread_indices(n, most).tolist() == chosen


def test_the_range_is_that_of_the_finite_codes():
    low, high = code_range([[0.0, -2.0], [1.0, 5.0], [np.nan, 100.0]])
    assert low.tolist() == [0.0, -2.0]
    assert high.tolist() == [1.0, 5.0]


def test_the_range_reaches_as_far_as_is_asked_and_is_never_empty():
    low, high = code_range([[4.0, 0.5], [4.0, -0.5]], at_least=3.0)
    assert low.tolist() == [-3.0, -3.0]
    assert high.tolist() == [4.0, 3.0]
    low, high = code_range([[4.0], [4.0]])
    assert (low.item(), high.item()) == (3.5, 4.5)
    low, high = code_range(np.zeros((0, 2)))
    assert (high > low).all()


def test_values_are_rounded_and_clipped():
    given = np.array([0.0, 0.5 / 255, 0.5001 / 255, 0.5, 1.0, 1.7, -3.0, np.nan, np.inf])
    assert to_uint8(given).tolist() == [0, 0, 1, 128, 255, 255, 0, 0, 255]


@pytest.mark.parametrize(("height", "width", "expected"), [(8, 8, 4), (28, 28, 1), (27, 60, 2), (64, 64, 1)])
def test_small_images_are_scaled_to_at_least_28_pixels(height, width, expected):
    assert picture_scale(height, width) == expected
    assert picture_scale(height, width, 3) == 3


def test_every_tile_lies_where_it_belongs():
    tiles = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1, 1) / 5 * np.ones((1, 1, 1, 2, 4), dtype=np.float32)
    picture = mosaic(tiles, scale=3, gap=2, ground=(10, 20, 30))
    assert picture.shape == (2 * 8 + 2, 3 * 14 + 2, 3)
    for row in range(2):
        for col in range(3):
            tile = picture[2 + row * 8 : 8 + row * 8, 2 + col * 14 : 14 + col * 14]
            assert (tile == (row * 3 + col) * 51).all()
    assert (picture[:2] == [10, 20, 30]).all()
    assert (picture[:, -2:] == [10, 20, 30]).all()
    assert (picture[8:10] == [10, 20, 30]).all()


def test_pixels_are_repeated_not_smoothed_and_colours_stay():
    tile = np.zeros((1, 1, 3, 2, 2), dtype=np.float32)
    tile[0, 0, 0, 0, 0] = 1.0
    picture = mosaic(tile, scale=5, gap=0)
    assert picture.shape == (10, 10, 3)
    assert (picture[:5, :5] == [255, 0, 0]).all()
    assert picture.sum() == 25 * 255


def test_a_tile_of_nan_is_left_empty():
    tiles = np.zeros((1, 2, 1, 4, 4))
    tiles[0, 1] = np.nan
    picture = mosaic(tiles, gap=0, ground=200)
    assert (picture[:, :4] == 0).all()
    assert (picture[:, 4:] == 200).all()


def test_a_picture_of_a_slipped_hand_is_refused_before_it_takes_memory():
    tiles = np.broadcast_to(np.float32(0), (200, 200, 1, 128, 128))
    with pytest.raises(UsageError, match=r"fewer rows and columns or a smaller scale"):
        mosaic(tiles, scale=64)


@pytest.mark.parametrize(("value", "place"), [(2, 0), (5, 1), (9, 2), (1, None), (6, None), (10, None)])
def test_a_value_is_found_among_rising_ones(value, place):
    assert place_of(value, np.array([2, 5, 9])) == place
    assert place_of(value, np.array([], dtype=np.int64)) is None
