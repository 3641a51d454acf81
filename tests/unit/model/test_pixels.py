"""Images as a model sees them: scaled, and binarised in each of the ways."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from vae_explorer.errors import DataError
from vae_explorer.model.noise import derived_seed, posterior_noise
from vae_explorer.model.pixels import Pixels

EVERY = torch.arange(300)


def pixels(data, config, binarize="none", **values):
    return Pixels(data, config.with_values({"data.binarize": binarize, **values}), torch.device("cpu"))


def take(source, seed=0):
    return source.take(EVERY, torch.Generator().manual_seed(seed)).numpy()


def test_grey_images_are_divided_by_their_largest_value(digits_data, tiny_config):
    found = take(pixels(digits_data, tiny_config))
    np.testing.assert_array_equal(found, digits_data.images[:300].astype(np.float32) / np.float32(16))
    assert found.max() == 1


def test_threshold_is_one_above_one_half(digits_data, tiny_config):
    source = pixels(digits_data, tiny_config, "threshold")
    np.testing.assert_array_equal(take(source), digits_data.images[:300] > 8)
    assert source.is_binarised


@pytest.mark.parametrize("binarize", ["none", "threshold", "static", "dynamic"])
def test_only_grey_images_left_grey_are_not_binary(digits_data, tiny_config, binarize):
    assert pixels(digits_data, tiny_config, binarize).is_binary() == (binarize != "none")


def test_one_grey_pixel_at_the_end_is_found(digits_data, tiny_config):
    images = np.tile((digits_data.images > 8).astype(np.uint8) * np.uint8(16), (3, 1, 1, 1))
    binary = replace(digits_data, images=images.copy(), labels=None)
    assert pixels(binary, tiny_config).is_binary()
    images[-1, 0, 7, 7] = 3
    assert not pixels(replace(binary, images=images), tiny_config).is_binary()


def test_static_is_drawn_once_by_the_data_seed(digits_data, tiny_config):
    first, again = (pixels(digits_data, tiny_config, "static") for _ in range(2))
    other = pixels(digits_data, tiny_config, "static", **{"data.seed": 1})
    np.testing.assert_array_equal(take(first, 0), take(first, 1))
    np.testing.assert_array_equal(take(first), take(again))
    assert (take(first) != take(other)).any()


def test_dynamic_is_drawn_anew_from_the_callers_generator(digits_data, tiny_config):
    source = pixels(digits_data, tiny_config, "dynamic")
    np.testing.assert_array_equal(take(source, 0), take(source, 0))
    assert (take(source, 0) != take(source, 1)).any()


@pytest.mark.parametrize("binarize", ["static", "dynamic"])
def test_a_pixel_is_one_with_its_grey_value_as_probability(digits_data, tiny_config, binarize):
    drawn, grey = take(pixels(digits_data, tiny_config, binarize)), take(pixels(digits_data, tiny_config))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    error = np.sqrt((grey * (1 - grey)).sum()) / grey.size
    assert abs(drawn.mean() - grey.mean()) < 4 * error
    assert (drawn[grey == 0] == 0).all()
    assert (drawn[grey == 1] == 1).all()


def test_a_gaussian_sees_grey_values_whatever_is_set(digits_data, tiny_config):
    source = pixels(digits_data, tiny_config, "static", **{"model.likelihood": "gaussian"})
    assert not source.is_binarised
    assert take(source).max() == 1
    assert len(np.unique(take(source))) == 17


def test_a_seeded_dynamic_draw_depends_on_the_image_alone(digits_data, tiny_config):
    source = pixels(digits_data, tiny_config, "dynamic")
    together = source.take_seeded(np.arange(20), 7)
    alone = source.take_seeded(np.array([13]), 7)
    assert torch.equal(together[13:14], alone)
    assert not torch.equal(source.take_seeded(np.array([13]), 8), alone)


def test_seeds_depend_on_every_part_and_on_their_order():
    seeds = {derived_seed(*parts) for parts in [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 1), (2**31 - 1, 3)]}
    assert len(seeds) == 7
    assert len({derived_seed(0, number) & 0xFFFFFFFF for number in range(2000)}) == 2000


def test_posterior_noise_of_an_image_does_not_depend_on_its_company():
    together = posterior_noise([4, 9, 2], samples=5, latent_dim=3, seed=1)
    assert torch.equal(together[:, 1:2], posterior_noise([9], samples=5, latent_dim=3, seed=1))


def test_the_cpu_takes_the_images_of_the_data_set_and_no_copy(digits_data, tiny_config):
    source = pixels(digits_data, tiny_config)
    assert source.images.data_ptr() == digits_data.images.ctypes.data
    assert not digits_data.images.flags.writeable


@pytest.mark.parametrize("binarize", ["none", "threshold", "static", "dynamic"])
def test_images_in_a_mapped_file_give_what_those_in_memory_give(digits_data, tiny_config, binarize, tmp_path):
    np.save(tmp_path / "a.npy", digits_data.images.transpose(0, 2, 3, 1).repeat(3, axis=3))
    found = np.load(tmp_path / "a.npy", mmap_mode="r")
    mapped = replace(digits_data, images=np.asarray(found).transpose(0, 3, 1, 2), labels=None)
    copied = replace(mapped, images=np.ascontiguousarray(mapped.images))
    assert mapped.is_mapped
    assert mapped.digest == copied.digest
    np.testing.assert_array_equal(*(take(pixels(data, tiny_config, binarize)) for data in (mapped, copied)))


def test_images_that_do_not_fit_on_the_device_are_gathered_on_the_host(digits_data, tiny_config, monkeypatch):
    resident = pixels(digits_data, tiny_config)
    monkeypatch.setattr("vae_explorer.model.pixels._fits", lambda images, device: False)
    source = pixels(digits_data, tiny_config)
    assert resident.is_resident
    assert not source.is_resident
    rows = torch.tensor([5, 3, 1700, 3])
    taken = source.take(rows, torch.Generator())
    assert torch.equal(taken, resident.take(rows, torch.Generator()))
    source.take(rows[:2] + 1, torch.Generator())
    assert torch.equal(taken, resident.take(rows, torch.Generator()))
    np.testing.assert_array_equal(take(source), take(resident))
    assert torch.equal(source.take_seeded(np.array([7, 9]), 0), resident.take_seeded(np.array([7, 9]), 0))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody cut a file that is mapped")
def test_a_file_that_was_cut_is_told_before_it_is_read(digits_data, tiny_config, tmp_path):
    np.save(tmp_path / "a.npy", digits_data.images)
    mapped = replace(digits_data, images=np.asarray(np.load(tmp_path / "a.npy", mmap_mode="r")))
    with open(tmp_path / "a.npy", "rb+") as file:
        file.truncate(200)
    with pytest.raises(DataError, match="was cut to 200 bytes while it was open"):
        pixels(mapped, tiny_config)
