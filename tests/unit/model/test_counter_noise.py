"""Noise from counters: the published words of Philox, normal numbers, and a promise that no company breaks."""

import pytest
import torch
from scipy import stats

from vae_explorer.model import counter_noise as module
from vae_explorer.model.counter_noise import ImageNoise, counter_noise, philox, round_keys
from vae_explorer.model.noise import posterior_noise

SEED = 0x0123_4567_89AB_CDEF


@pytest.fixture
def counters(monkeypatch):
    """As on a CUDA device."""
    monkeypatch.setattr(module, "has_counters", lambda device: True)


def noise(images, *, samples=200, latent_dim=6, first=0, seed=SEED):
    indices = torch.tensor(images, dtype=torch.int64)
    return counter_noise(indices, round_keys(seed), first=first, samples=samples, latent_dim=latent_dim)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, 0xFFFFFFFF_FFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), 0x299F31D0_A4093822,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)  # fmt: skip
def test_words_are_those_that_its_authors_publish(counter, key, expected):
    words = philox(tuple(torch.tensor(word) for word in counter), round_keys(key))
    assert tuple(int(word) for word in words) == expected


@pytest.mark.parametrize("latent_dim", [1, 2, 7, 20])
def test_numbers_are_standard_normal(latent_dim):
    values = noise(range(50), samples=4000 // latent_dim, latent_dim=latent_dim).double()
    n = values.numel()
    assert abs(values.mean()) < 4 / n**0.5
    assert abs(values.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs(values.pow(3).mean()) < 4 * (15 / n) ** 0.5
    assert abs(values.pow(4).mean() - 3) < 4 * (96 / n) ** 0.5
    assert stats.kstest(values.flatten().numpy(), "norm").pvalue > 1e-3
    assert values.unique().numel() > 0.99 * n


@pytest.mark.parametrize("axis", ["sample", "image", "dimension"])
def test_neighbours_have_nothing_in_common(axis):
    values = noise(range(200), samples=200, latent_dim=8).double()
    dim = ("sample", "image", "dimension").index(axis)
    size = values.shape[dim]
    one, next_one = values.narrow(dim, 0, size - 1), values.narrow(dim, 1, size - 1)
    for left, right in ((one, next_one), (one.square() - 1, next_one.square() - 1), (one.abs(), next_one.sign())):
        centred = (left - left.mean()) * (right - right.mean())
        correlation = centred.mean() / (left.std() * right.std())
        assert abs(correlation) < 4.5 / one.numel() ** 0.5


def test_seeds_and_images_have_noise_of_their_own():
    first, other = noise([0, 1, 2**40]), noise([0, 1, 2**40], seed=SEED + 1)
    rows = torch.cat((first, other), dim=1).transpose(0, 1).flatten(1)  # (6, numbers)
    away = torch.corrcoef(rows) - torch.eye(6)
    assert away.abs().max() < 4.5 / rows.shape[1] ** 0.5


def test_company_and_pieces_change_no_bit():
    together = noise([4, 9, 2], samples=50, latent_dim=5)
    assert torch.equal(together[:, 1:2], noise([9], samples=50, latent_dim=5))
    assert torch.equal(together[30:], noise([4, 9, 2], first=30, samples=20, latent_dim=5))
    assert torch.equal(together[..., :3], noise([4, 9, 2], samples=50, latent_dim=3))


def test_the_largest_and_the_smallest_word_are_finite_numbers():
    words = torch.tensor([0, 1, 2**31, 2**32 - 1])
    pairs = torch.cartesian_prod(words, words)
    values = torch.stack(module._pair(pairs[:, 0], pairs[:, 1]))
    assert values.isfinite().all()
    assert values.abs().max() < 6.9


def test_on_a_cpu_each_image_has_the_stream_that_it_always_had():
    held = ImageNoise([4, 9, 2], samples=7, latent_dim=3, seed=1, device="cpu")
    expected = posterior_noise([4, 9, 2], samples=7, latent_dim=3, seed=1)
    assert torch.equal(held.part(), expected)
    assert torch.equal(held.part(slice(1, 3), slice(2, 5)), expected[2:5, 1:3])


@pytest.mark.usefixtures("counters")
def test_parts_are_parts_of_the_whole():
    held = ImageNoise([4, 9, 2], samples=7, latent_dim=3, seed=1, device="cpu")
    assert held.part().shape == (7, 3, 3)
    assert torch.equal(held.part(slice(1, 9), slice(2, 5)), held.part()[2:5, 1:9])
    assert torch.equal(held.part(samples=slice(5, 100)), held.part()[5:])
