"""Noise worked out from counters: each number is a function of (seed, image, sample, dimension), wherever it is asked.

Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3, section 3.3) turns a counter of four
words of 32 bits into four random ones; those are made normal by pairs (Box & Muller 1958). Words are kept in int64,
whose products wrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from vae_explorer.model.kernels import kernels_where_possible
from vae_explorer.model.noise import Stream, derived_seed, posterior_noise

_WORD = 0xFFFF_FFFF
_FACTORS = (0xD251_1F53, 0xCD9E_8D57)
_WEYL = (0x9E37_79B9, 0xBB67_AE85)
_ROUNDS = 10
_UNIT = 2.0**-32

_COMPILED_CODES = 1 << 22
"""Codes of one question from which on it is worth some seconds, once, to have kernels made for their noise."""

Four = tuple[Tensor, Tensor, Tensor, Tensor]
Normals = Callable[[Tensor, Tensor, Tensor, Tensor], Four]
EVERY = slice(None)


class ImageNoise:
    """Standard normal noise of images, which depends on the seed and on each image's index, not on its company.

    On a CPU each image has a generator of its own. A CUDA device works the noise out by itself where it is asked for:
    other numbers, with the same promise, and nothing that is copied there.
    """

    def __init__(
        self, indices: list[int], *, samples: int, latent_dim: int, seed: int, device: torch.device | str
    ) -> None:
        self._device, self._samples, self._latent_dim = torch.device(device), samples, latent_dim
        self._drawn: Tensor | None = None
        if not has_counters(self._device):
            self._drawn = posterior_noise(indices, samples=samples, latent_dim=latent_dim, seed=seed)
            return
        self._images = torch.tensor(indices, dtype=torch.int64).to(self._device)
        self._keys = round_keys(derived_seed(seed, Stream.POSTERIOR)).to(self._device)
        is_large = self._device.type == "cuda" and len(indices) * samples >= _COMPILED_CODES
        self._normals = _kernels() if is_large else normals

    def part(self, images: slice = EVERY, samples: slice = EVERY) -> Tensor:
        """Return the noise of some of the images, (k, b, latent_dim) on the device; all, where none are named."""
        if self._drawn is not None:
            return self._drawn[samples, images].to(self._device)
        asked = range(*samples.indices(self._samples))
        return counter_noise(
            self._images[images], self._keys, first=asked.start, samples=len(asked), latent_dim=self._latent_dim,
            work=self._normals,
        )  # fmt: skip


def has_counters(device: torch.device) -> bool:
    """Whether noise is worked out from counters there."""
    return device.type == "cuda"


def normals(sample: Tensor, quarter: Tensor, image: Tensor, keys: Tensor) -> Four:
    """Return four normal numbers, (K, B, Q) each, for counters that are broadcast: (K, 1, 1), (Q,), (B, 1)."""
    first, second, third, fourth = philox((sample, quarter, image & _WORD, image >> 32), keys)
    return (*_pair(first, second), *_pair(third, fourth))


def counter_noise(
    images: Tensor, keys: Tensor, *, first: int, samples: int, latent_dim: int, work: Normals = normals
) -> Tensor:
    """Return standard normal noise (samples, B, latent_dim), float32, of the samples from number `first` on.

    images: indices, int64 (B,), with keys of `round_keys` on the device on which it is worked out. work: `normals`, or
    kernels for it.
    """
    sample = torch.arange(first, first + samples, device=images.device).view(-1, 1, 1)
    quarter = torch.arange(-(-latent_dim // 4), device=images.device)
    # Put side by side here: a compiler would work all four out for each of them.
    return torch.stack(work(sample, quarter, images.view(-1, 1), keys), dim=-1).flatten(2)[..., :latent_dim]


@cache
def _kernels() -> Normals:
    return kernels_where_possible(normals)


def _pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent normal numbers from two words; at most 6.8 in size, beyond which lies one in 1e11."""
    radius = ((first.float() + 0.5) * _UNIT).log().mul(-2.0).clamp(min=0.0).sqrt()
    angle = second.float() * (2.0 * math.pi * _UNIT)
    return radius * angle.cos(), radius * angle.sin()


def round_keys(key: int) -> Tensor:
    """Return the keys of all rounds, int64 (10, 2), for a key of 64 bits."""
    words = key & _WORD, key >> 32 & _WORD
    return torch.tensor(
        [[word + number * weyl & _WORD for word, weyl in zip(words, _WEYL, strict=True)] for number in range(_ROUNDS)]
    )


def philox(counter: Four, keys: Tensor) -> Four:
    """Return four words of 32 random bits, int64, for four words that count, and keys of `round_keys`."""
    first, second, third, fourth = counter
    for key in keys.unbind():
        one, other = first * _FACTORS[0], third * _FACTORS[1]
        # Words are cut out where they are multiplied next; a shift fills with the sign, which is cut off there too.
        first, third = (other >> 32 ^ second ^ key[0]) & _WORD, (one >> 32 ^ fourth ^ key[1]) & _WORD
        second, fourth = other, one
    return first, second & _WORD, third, fourth & _WORD
