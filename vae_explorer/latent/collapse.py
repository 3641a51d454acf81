"""Posterior collapse: which latent dimensions carry nothing, since when, and what to try.

A dimension is off where the mean of q(z|x) does not vary over images (Burda et al. 2016, section 5.3: variance at most
0.01), or, where that is not known, where its KL is next to nothing. This is not how loose the bound is: with q = p(z)
and a decoder that ignores z the bound is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

ACTIVE_VARIANCE = 0.01
"""A dimension whose posterior mean varies over images by more than this is an active unit."""
OFF_KL = 0.01
"""Nats; below this q(z|x) is the prior for all that an image can tell."""
LEAST_RECORDS = 5
"""Before so many records every dimension starts at next to nothing, and nothing can be said."""

Float = NDArray[np.float64]
Cure = Literal["warmup", "free_bits", "beta"]
Finding = Literal["early", "used", "some_off", "most_off", "collapsed"]
"""Too early to say; all used; up to half off, which costs nothing; more than half off; all of them."""


@dataclass(frozen=True)
class LeastUsed:
    """The dimension that says least: its newest KL in nats (is_kl), or the variance of its mean over images."""

    dim: int
    value: float
    is_kl: bool


@dataclass(frozen=True)
class CollapseVerdict:
    """What a history of kl_per_dim says; `collapse_words` has it in sentences.

    off: the dimensions that are off. since: for each of them the first step from which its KL stayed below OFF_KL, 0
    where it never was above, None where the history does not show it. cures: what to try, the mildest first.
    least_used: where none is off and there is something to tell it by.
    """

    finding: Finding
    n_dims: int
    off: tuple[int, ...] = ()
    since: tuple[int | None, ...] = ()
    cures: tuple[Cure, ...] = ()
    least_used: LeastUsed | None = None


def collapse_verdict(steps: ArrayLike, kl_per_dim: ArrayLike, variances: ArrayLike | None = None) -> CollapseVerdict:
    """Judge a model by its history.

    steps: (T,), ascending. kl_per_dim: (T, latent_dim), nats, of those steps; both may be empty where a prior gives no
    KL of each dimension. variances: (latent_dim,), of the posterior mean over images, as it is now, where it is known.
    """
    steps_, kl = np.asarray(steps, dtype=np.int64), np.asarray(kl_per_dim, dtype=np.float64)
    spread = None if variances is None else np.asarray(variances, dtype=np.float64)
    n_dims = len(spread) if spread is not None else kl.shape[1] if kl.ndim == 2 else 0
    if spread is None and len(steps_) < LEAST_RECORDS:
        return CollapseVerdict("early", n_dims)
    is_off = kl[-1] < OFF_KL if spread is None else spread <= ACTIVE_VARIANCE
    off = tuple(int(dim) for dim in np.flatnonzero(is_off))
    if not off:
        return CollapseVerdict("used", n_dims, least_used=_least_used(kl, spread))
    if 0 < len(steps_) < LEAST_RECORDS:
        return CollapseVerdict("early", n_dims)
    since = tuple(_off_since(steps_, kl, dim) for dim in off)
    if len(off) <= n_dims / 2:
        return CollapseVerdict("some_off", n_dims, off, since)
    finding: Finding = "collapsed" if len(off) == n_dims else "most_off"
    return CollapseVerdict(finding, n_dims, off, since, ("warmup", "free_bits", "beta"))


def _off_since(steps: NDArray[np.int64], kl: Float, dim: int) -> int | None:
    if not len(steps) or kl[-1, dim] >= OFF_KL:
        return None
    on = np.flatnonzero(kl[:, dim] >= OFF_KL)
    return int(steps[on[-1] + 1]) if len(on) else 0


def _least_used(kl: Float, spread: Float | None) -> LeastUsed | None:
    if kl.ndim == 2 and len(kl):
        dim = int(kl[-1].argmin())
        return LeastUsed(dim, float(kl[-1, dim]), True)
    if spread is not None and len(spread):
        dim = int(spread.argmin())
        return LeastUsed(dim, float(spread[dim]), False)
    return None
