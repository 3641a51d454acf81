"""Seeds of independent random streams, each a pure function of whole numbers, and generators made from them."""

from __future__ import annotations

from enum import IntEnum

import torch

_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Stream(IntEnum):
    """What a random stream is for; two streams of one seed never share their numbers."""

    WEIGHTS = 1
    TRAINING = 2
    BATCHES = 3
    HELD_OUT = 4
    BINARISE = 5
    POSTERIOR = 6
    CODES = 7
    DRAW = 8
    PRIOR = 9


def derived_seed(*parts: int) -> int:
    """Return a 63-bit seed that depends on every part and on their order (SplitMix64, Steele et al. 2014)."""
    state = 0
    for part in parts:
        state = (state ^ (part & _MASK)) + 0x9E37_79B9_7F4A_7C15 & _MASK
        state = (state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D0_49BB_1331_11EB & _MASK
        state ^= state >> 31
    return state >> 1


def seeded_generator(*parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator on `device`, seeded by `derived_seed(*parts)`; the global generator is not touched."""
    return torch.Generator(device).manual_seed(derived_seed(*parts))


def posterior_noise(image_indices: list[int], *, samples: int, latent_dim: int, seed: int) -> torch.Tensor:
    """Return standard normal noise (samples, B, latent_dim) on the CPU.

    Each image has a stream of its own, so its figures do not depend on the images it is evaluated with.
    """
    generator = torch.Generator()
    noise = torch.empty(len(image_indices), samples, latent_dim)
    for row, index in zip(noise, image_indices, strict=True):
        row.normal_(generator=generator.manual_seed(derived_seed(seed, Stream.POSTERIOR, index)))
    return noise.transpose(0, 1).contiguous()
