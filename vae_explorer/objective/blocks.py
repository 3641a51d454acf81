"""log p(x|z) of many codes in blocks that stay in the processor's cache: the (K, B, pixels) tensor never exists.

A decoder's last product and the sum over pixels are worked block by block, so that what is between them is read and
written in cache, and memory does not grow with K. Bernoulli pixels are reduced in place by
log p = (x - 1/2) l - |l| / 2 + log sigmoid(|l|), l the logits: each pixel's terms cancel before anything is summed, and
the sigmoids of some pixels are multiplied before a logarithm is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import cast

import torch
from torch import Tensor, nn

from vae_explorer.model.heads import BernoulliHead
from vae_explorer.model.kernels import kernels_where_possible
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.model import Model
from vae_explorer.objective.patches import patch_of

BLOCK_NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 23}
"""Numbers of a block's decoded pixels, at most, but for a single code: 1 MiB; 32 MiB where kernels are fed, which a
large GPU's cache holds."""
_FACTORS = 112
"""Sigmoids multiplied at once, each between 1/2 and 1: 2 ** -112 is still a normal number in single precision."""


@torch.no_grad()
def blocked_log_likelihoods(model: Model, x: Tensor, z: Tensor) -> Tensor:
    """Return log p(x|z) in nats, (K, B), for images x (B, C, H, W) and codes z (K, B, latent_dim), without a gradient.

    Single precision; differs from `Likelihood.log_prob` by the order of its sums alone, some 1e-6 of the value.
    """
    most = block_codes(model)
    work, decoded = _worker(model, z, codes=min(most, z.shape[0] * z.shape[1]))
    values = z.new_empty(z.shape[:2])
    for rows, columns in _blocks(*z.shape[:2], most=most):
        values[rows, columns] = work(x[columns], decoded[rows, columns])
    return values


def block_codes(model: Model) -> int:
    """Return how many codes are decoded at once."""
    pixels = torch.Size(model.shape).numel()
    return max(1, BLOCK_NUMBERS["cuda" if model.device.type == "cuda" else "cpu"] // pixels)


def _blocks(samples: int, images: int, *, most: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of at most `most` codes that cover (samples, images): all codes of as many images as fit, else of one."""
    deep = min(samples, most)
    wide = max(1, most // deep)
    for column in range(0, images, wide):
        for row in range(0, samples, deep):
            yield slice(row, row + deep), slice(column, column + wide)


_Work = Callable[[Tensor, Tensor], Tensor]
"""From images x (b, C, H, W) and what stands for the codes of one block, (k, b, ..), to log p(x|z), (k, b)."""


def _worker(model: Model, z: Tensor, *, codes: int) -> tuple[_Work, Tensor]:
    """What works blocks of up to so many codes of z (K, B, latent_dim), and what it takes for them, (K, B, ..)."""
    if model.device.type == "cuda":
        return partial(_kernels(), model), z
    if not (isinstance(model.head, BernoulliHead) and _ends_in_a_product(model.decoder)):
        return partial(_block, model), z
    patch = patch_of(model.decoder, z.flatten(0, 1))
    if patch is not None:
        return _Buffered(nn.Identity(), patch.weight, patch.bias, codes), patch.features.unflatten(0, z.shape[:2])
    decoder = cast(nn.Sequential, model.decoder)
    last = cast(nn.Linear, decoder[-2])
    return _Buffered(decoder[:-2], last.weight, last.bias, codes), z


def _block(model: Model, x: Tensor, z: Tensor) -> Tensor:
    raw = cast(Tensor, model.decoder(z.flatten(0, 1))).unflatten(0, z.shape[:2])
    if isinstance(model.head, BernoulliHead):
        return _bernoulli(raw.flatten(2), x.flatten(1))
    return cast(Likelihood, model.head(raw)).log_prob(x)


def _ends_in_a_product(decoder: nn.Module) -> bool:
    return isinstance(decoder, nn.Sequential) and isinstance(decoder[-2], nn.Linear)


class _Buffered:
    """As `_block` for decoders that end in a product: all blocks are worked in the same two pieces of memory."""

    def __init__(self, before: nn.Module, weight: Tensor, bias: Tensor, codes: int) -> None:
        """before: what comes before the product."""
        self._before, self._weight, self._bias = before, weight, bias
        self._logits, self._size = weight.new_empty(2, codes, len(bias))

    def __call__(self, x: Tensor, z: Tensor) -> Tensor:
        codes = z.flatten(0, 1)
        logits, size = self._logits[: len(codes)], self._size[: len(codes)]
        torch.addmm(self._bias, self._before(codes), self._weight.T, out=logits)
        return _bernoulli(logits.unflatten(0, z.shape[:2]), x.flatten(1), size.unflatten(0, z.shape[:2]))


def _bernoulli(logits: Tensor, x: Tensor, size: Tensor | None = None) -> Tensor:
    """Sum over pixels, (k, b), of logits (k, b, D), which are written over; x (b, D). size: as large, to work in."""
    size = torch.abs(logits, out=size)
    cancelled = logits.mul_(x - 0.5).add_(size, alpha=-0.5).sum(-1)
    return cancelled + _log_product(size.sigmoid_())


def _log_product(factors: Tensor) -> Tensor:
    """Sum of logarithms over the last dimension, of factors from 1/2 to 1."""
    whole = factors.shape[-1] // _FACTORS * _FACTORS
    products = factors[..., :whole].unflatten(-1, (whole // _FACTORS, _FACTORS)).prod(-1)
    return products.log().sum(-1) + factors[..., whole:].prod(-1).log()


@cache
def _kernels() -> Callable[[Model, Tensor, Tensor], Tensor]:
    """Of `_block` on a GPU, so that the last product is all that is written between."""
    return kernels_where_possible(_block)
