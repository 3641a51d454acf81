"""Posterior collapse in words: which latent dimensions carry nothing, since when, and what to try.

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
_NAMED = 8
"""Dimensions that a sentence names, at most."""

Float = NDArray[np.float64]
Cure = Literal["warmup", "free_bits", "beta"]


@dataclass(frozen=True)
class CollapseVerdict:
    """What a history of kl_per_dim says.

    off: the dimensions that are off. since: for each of them the first step from which its KL stayed below OFF_KL, 0
    where it never was above, None where the history does not show it. is_early: too few records to say anything.
    cures: what to try, the mildest first. sentences: the verdict, then what it means and what to do.
    """

    n_dims: int
    off: tuple[int, ...]
    since: tuple[int | None, ...]
    is_early: bool
    cures: tuple[Cure, ...]
    sentences: tuple[str, ...]

    @property
    def is_collapsed(self) -> bool:
        """Whether nothing of an image is left in its code."""
        return 0 < self.n_dims == len(self.off)


def collapse_verdict(steps: ArrayLike, kl_per_dim: ArrayLike, variances: ArrayLike | None = None) -> CollapseVerdict:
    """Judge a model by its history.

    steps: (T,), ascending. kl_per_dim: (T, latent_dim), nats, of those steps; both may be empty where a prior gives no
    KL of each dimension. variances: (latent_dim,), of the posterior mean over images, as it is now, where it is known.
    """
    steps_, kl = np.asarray(steps, dtype=np.int64), np.asarray(kl_per_dim, dtype=np.float64)
    spread = None if variances is None else np.asarray(variances, dtype=np.float64)
    if spread is None and len(steps_) < LEAST_RECORDS:
        n_dims = kl.shape[1] if kl.ndim == 2 else 0
        return CollapseVerdict(n_dims, (), (), True, (), ("It is too early to say which dimensions are used.",))
    n_dims = kl.shape[1] if spread is None else len(spread)
    is_off = kl[-1] < OFF_KL if spread is None else spread <= ACTIVE_VARIANCE
    off = tuple(int(dim) for dim in np.flatnonzero(is_off))
    if len(off) and 0 < len(steps_) < LEAST_RECORDS:
        return CollapseVerdict(n_dims, (), (), True, (), ("It is too early to say which dimensions are used.",))
    since = tuple(_off_since(steps_, kl, dim) for dim in off)
    cures: tuple[Cure, ...] = ("warmup", "free_bits", "beta") if len(off) > n_dims / 2 else ()
    sentences = tuple(_sentences(n_dims, off, since, kl, spread))
    return CollapseVerdict(n_dims, off, since, False, cures, sentences)


def _off_since(steps: NDArray[np.int64], kl: Float, dim: int) -> int | None:
    if not len(steps) or kl[-1, dim] >= OFF_KL:
        return None
    on = np.flatnonzero(kl[:, dim] >= OFF_KL)
    return int(steps[on[-1] + 1]) if len(on) else 0


def _sentences(
    n_dims: int, off: tuple[int, ...], since: tuple[int | None, ...], kl: Float, spread: Float | None
) -> list[str]:
    if not off:
        return [f"No dimension is off.{_least_used(kl, spread)}"]
    when = _when(off, since)
    if len(off) == n_dims:
        all_of_them = "The only dimension is off" if n_dims == 1 else f"All {n_dims} dimensions are off"
        return [
            f"Collapsed: {all_of_them[0].lower()}{all_of_them[1:]}{when}.",
            "q(z|x) is the same for every image, so its code says nothing of it and the decoder draws one average.",
            _advice("Going on from these weights"),
        ]
    used = n_dims - len(off)
    first = f"{len(off)} of {n_dims} dimensions {'is' if len(off) == 1 else 'are'} off: {_grouped(off, since)}."
    if len(off) <= n_dims / 2:
        return [first, f"The other {used} carry what there is to say; unused ones cost nothing."]
    return [first, f"Only {used} of {n_dims} {'carries' if used == 1 else 'carry'} anything.", _advice("To use more")]


def _advice(purpose: str) -> str:
    return (
        f"{purpose}, try a warm-up of beta first, then free bits (some tenths of a nat for each dimension), then a "
        "lower beta."
    )


def _least_used(kl: Float, spread: Float | None) -> str:
    if kl.ndim == 2 and len(kl):
        dim = int(kl[-1].argmin())
        return f" The least used, z{dim}, costs {kl[-1, dim]:.3g} nats."
    if spread is not None and len(spread):
        dim = int(spread.argmin())
        return f" The mean of the least used, z{dim}, varies over images by {spread[dim]:.3g}."
    return ""


def _when(off: tuple[int, ...], since: tuple[int | None, ...]) -> str:
    """' since step 1,200' where all that is known agrees on it, else the groups after a colon."""
    if len(set(since)) == 1:
        return _since_words(since[0])
    return f": {_grouped(off, since)}"


def _grouped(off: tuple[int, ...], since: tuple[int | None, ...]) -> str:
    """'z1, z4 since step 300; z7 from the beginning', those that went off last first."""
    groups = sorted(set(since), key=lambda step: -1 if step is None else step, reverse=True)
    return "; ".join(
        _names([dim for dim, step in zip(off, since, strict=True) if step == group]) + _since_words(group)
        for group in groups
    )


def _since_words(step: int | None) -> str:
    if step is None:
        return ""
    return " from the beginning" if step == 0 else f" since step {step:,}"


def _names(dims: list[int]) -> str:
    named = ", ".join(f"z{dim}" for dim in dims[:_NAMED])
    return named if len(dims) <= _NAMED else f"{named} and {len(dims) - _NAMED} more"
