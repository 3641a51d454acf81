"""log p(x|z) of one image at all codes of a lattice: decoded once where memory allows, then a matrix product an image.

Bernoulli, continuous Bernoulli and Gaussian (its scale the same for every code) are exponential families in x:
log p(x|z) = (x - c) . eta(z) + log p(c|z) + h(x) with any image c, so that neither decoder nor pixels are gone through
again for an image. With c the mean image of the lattice the terms are small: with c = 0 those of bright pixels with
little noise are 10⁵ nats and more, and cancel, which single precision does not bear. Where eta = W h + b is a decoder's
last product, h is kept, which is smaller, and (x - c) . eta = h . W' (x - c) + b . (x - c).
"""

from __future__ import annotations

import math
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.evaluation.slices import Slices, codes_at_once
from vae_explorer.model.heads import BernoulliHead, ContinuousBernoulliHead
from vae_explorer.model.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood
from vae_explorer.objective.reading import ModelReader

Float = NDArray[np.float64]

MOST_BYTES = 256 * 2**20
"""Memory of a decoded lattice; a larger one is decoded anew for each question."""
_ROWS = 8192
"""Codes that one matrix product takes, so that a slice stays short."""
_ORIGIN_CODES = 512
"""Codes, spread evenly over the lattice, whose mean image the others are told from."""


class LatticeLikelihood(Protocol):
    """log p(x|z) for all codes of a lattice."""

    @property
    def is_streamed(self) -> bool:
        """Whether every question decodes the lattice anew, so that many images should be asked for at once."""

    def slices(self, x: Tensor) -> Slices[Float]:
        """Work out log p(x|z), (B, n), nats, of images x (B, C, H, W)."""


def lattice_slices(model: ModelReader, codes: Tensor) -> Slices[LatticeLikelihood]:
    """Decode a lattice of codes (n, latent_dim), at most MOST_BYTES or a quarter of the free memory of it."""
    first = _likelihood(model, codes[:1])
    last = _last_product(model)
    a_code = math.prod(model.model.shape) * _numbers_a_pixel(first) if last is None else last.in_features
    numbers = len(codes) * a_code
    if 4 * numbers > min(MOST_BYTES, free_memory_bytes() // 4):
        return _StreamedLattice(model, codes)
    if _eta(first, first.mean[0]) is not None:
        return (yield from _natural_slices(model, codes))
    parts = []
    for part, share in _parts(model, codes):
        parts.append(_likelihood(model, part))
        yield share
    return _StoredLattice(parts)


class _NaturalLattice:
    is_streamed = False

    def __init__(
        self, origin: Tensor, eta: Tensor, log_origin: Tensor, *, precision: Tensor | None, last: nn.Linear | None
    ) -> None:
        """eta: (n, D), or what the `last` layer makes it from."""
        self._origin, self._eta, self._log_origin = origin, eta, log_origin
        self._precision, self._last = precision, last

    def slices(self, x: Tensor) -> Slices[Float]:
        away = (x - self._origin).flatten(1)  # (B, D)
        seen, constant = away, away.new_zeros(len(x))
        if self._last is not None:
            seen, constant = away @ self._last.weight, away @ self._last.bias
        values = np.empty((len(x), len(self._eta)))
        for first in range(0, len(self._eta), _ROWS):
            rows = slice(first, first + _ROWS)
            products = torch.mm(self._eta[rows], seen.T) + constant
            values[:, rows] = (products + self._log_origin[rows, None]).T.cpu().numpy()
            yield min(1.0, (first + _ROWS) / len(self._eta))
        if self._precision is not None:
            values -= 0.5 * (away.square() * self._precision).double().sum(1, keepdim=True).cpu().numpy()
        return values


class _StoredLattice:
    is_streamed = False

    def __init__(self, parts: list[Likelihood]) -> None:
        self._parts = parts

    def slices(self, x: Tensor) -> Slices[Float]:
        values = []
        for number, part in enumerate(self._parts):
            values.append(_log_probs(part, x))
            yield (number + 1) / len(self._parts)
        return np.concatenate(values, axis=1)


class _StreamedLattice:
    is_streamed = True

    def __init__(self, model: ModelReader, codes: Tensor) -> None:
        self._model, self._codes = model, codes

    def slices(self, x: Tensor) -> Slices[Float]:
        values = []
        for part, share in _parts(self._model, self._codes):
            values.append(_log_probs(_likelihood(self._model, part), x))
            yield share
        return np.concatenate(values, axis=1)


def _natural_slices(model: ModelReader, codes: Tensor) -> Slices[LatticeLikelihood]:
    last = _last_product(model)
    width = math.prod(model.model.shape) if last is None else last.in_features
    eta, log_origin = codes.new_empty(len(codes), width), codes.new_empty(len(codes))
    origin = _mean_image(model, codes)
    precision: Tensor | None = None
    first = 0
    for part, share in _parts(model, codes):
        likelihood = _likelihood(model, part)
        natural = _before_last(model, part) if last is not None else _eta(likelihood, origin)
        assert natural is not None
        eta[first : first + len(part)] = natural.flatten(1)
        log_origin[first : first + len(part)] = _log_prob(likelihood, origin)
        precision = _precision(likelihood)
        first += len(part)
        yield share
    return _NaturalLattice(origin, eta, log_origin, precision=precision, last=last)


def _last_product(model: ModelReader) -> nn.Linear | None:
    """The layer whose outcome is eta, where less goes into it than comes out."""
    if not isinstance(model.model.head, BernoulliHead | ContinuousBernoulliHead):
        return None
    decoder = model.model.decoder
    last = decoder[-2] if isinstance(decoder, nn.Sequential) else None
    return last if isinstance(last, nn.Linear) and last.in_features < last.out_features else None


@torch.no_grad()
def _before_last(model: ModelReader, codes: Tensor) -> Tensor:
    before = cast(nn.Sequential, model.model.decoder)[:-2](codes)
    return cast(Tensor, before)


def _mean_image(model: ModelReader, codes: Tensor) -> Tensor:
    """The mean image (C, H, W) of some of the codes; where a decoder overflows, its pixels are left out."""
    apart = max(1, len(codes) // min(_ORIGIN_CODES, codes_at_once(model)))
    return _likelihood(model, codes[::apart]).mean.nan_to_num(0.0, 0.0, 0.0).mean(0)


def _parts(model: ModelReader, codes: Tensor) -> list[tuple[Tensor, float]]:
    """The codes in parts that are decoded at once, each with the share that is done after it."""
    at_once = codes_at_once(model)
    return [(part, min(1.0, (number + 1) * at_once / len(codes))) for number, part in enumerate(codes.split(at_once))]


@torch.no_grad()
def _likelihood(model: ModelReader, codes: Tensor) -> Likelihood:
    return model.model.likelihood(codes)


@torch.no_grad()
def _log_prob(likelihood: Likelihood, x: Tensor) -> Tensor:
    return likelihood.log_prob(x)


def _log_probs(likelihood: Likelihood, x: Tensor) -> Float:
    """log p(x|z), (B, n): image after image, as all at once would take B times the memory."""
    return torch.stack([_log_prob(likelihood, image) for image in x]).cpu().numpy().astype(np.float64)


@torch.no_grad()
def _eta(likelihood: Likelihood, origin: Tensor) -> Tensor | None:
    """The natural parameter (n, C, H, W), of the image less the origin's; None where there is none."""
    match likelihood:
        case Bernoulli() | ContinuousBernoulli():
            return likelihood.logits
        case Gaussian() if likelihood.log_scale.dim() < likelihood.loc.dim():
            return (likelihood.loc - origin) * torch.exp(-2.0 * likelihood.log_scale)
    return None


@torch.no_grad()
def _precision(likelihood: Likelihood) -> Tensor | None:
    """Of a Gaussian, 1 / variance, a scalar or (D,): h(x) = -(x - c)² / 2 times that; of the others None, as h is 0."""
    if not isinstance(likelihood, Gaussian):
        return None
    precision = torch.exp(-2.0 * likelihood.log_scale)
    return precision if precision.dim() == 0 else precision.flatten()


def _numbers_a_pixel(likelihood: Likelihood) -> int:
    """Two where the decoder gives a scale for each pixel of each code too."""
    log_scale = getattr(likelihood, "log_scale", None)
    return 2 if log_scale is not None and log_scale.dim() == 4 else 1
