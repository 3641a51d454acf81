"""The lattice that the exact posteriors of all images share: a box of codes in 1-D or 2-D, decoded once a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.lattice_likelihood import LatticeLikelihood, lattice_slices
from vae_explorer.evaluation.slices import Slices, between, code_tensor, codes_at_once
from vae_explorer.latent.statistics import spread_indices
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.objective.reading import ModelReader

Float = NDArray[np.float64]

SIDE = 201
"""Cells a side that the figures of an image start from."""
CELLS_OF_A_LINE = 10
"""With one latent dimension the lattice has this many times `side` cells, which is still far fewer than side²."""
LOOKED_AT = 2000
"""Images, spread evenly over all, whose codes the box holds."""
MANY_SAMPLES = 1000
"""Codes an image from which on log p(x) by importance sampling is no first look any more."""
_PRIOR_DRAWS = 10_000
_PRIOR_AT_ONCE = 8192
"""Codes whose log p(z) is asked for in one slice: a prior of many components takes its time too."""
_MARGIN = 0.15
"""Share of the prior draws' extent that the box goes further: 3.9 standard deviations become 5."""
_REACH = 4.0
"""Standard deviations of q(z|x) around its mean that the box holds."""
_MARGIN_OF_CODES = 0.1
"""Share of what these reach that the box goes further: the true posterior of an image may lie far beyond its q."""


@dataclass(frozen=True, eq=False)
class SharedGrid:
    """Cells of equal size that fill a box of codes; the values belong to their centres.

    low, high: (latent_dim,), the box. counts: cells along each dimension. log_prior: (n,), nats, at the centres,
    the last dimension changing fastest.
    """

    step: int
    low: Float
    high: Float
    counts: tuple[int, ...]
    log_prior: Float
    likelihood: LatticeLikelihood

    @property
    def spacing(self) -> Float:
        """Size of a cell along each dimension."""
        return (self.high - self.low) / np.array(self.counts)

    @property
    def is_streamed(self) -> bool:
        """Whether every question decodes the lattice anew: then ask for many images at once."""
        return self.likelihood.is_streamed

    def log_joint_slices(self, x: Tensor) -> Slices[Float]:
        """Work out log p(x, z), (B, n), nats, of images x (B, C, H, W) at the centres."""
        values = yield from self.likelihood.slices(x)
        return values + self.log_prior


def check_quadrature(model: ModelReader) -> None:
    """Raise UsageError, with the nearest thing that works, where there is no integral over codes on a lattice."""
    reason = quadrature_obstacle(model)
    if reason is not None:
        raise UsageError(reason)


def quadrature_obstacle(model: ModelReader, *, samples: int = 0) -> str | None:
    """Return why log p(x) is not integrated on a lattice, one sentence with the way out; None where it is.

    samples: codes an image that importance sampling has taken already; where they are many, they need no advice.
    """
    kind = model.config.model.kind
    command = "" if samples >= MANY_SAMPLES else " (vae-explorer evaluate --samples 5000)"
    if model.is_autoencoder:
        return (
            "model.kind = 'autoencoder': it has no prior, hence no exact posterior and no log p(x); train a vae on the "
            "same data."
        )
    if kind in LABELLED:
        return (
            f"model.kind = {kind!r}: its exact posterior is over classes and codes together, which is not integrated "
            f"here; importance sampling works, with the classes summed out{command}."
        )
    if model.latent_dim > 2:
        return (
            f"model.latent_dim = {model.latent_dim}: the exact posterior is integrated in 1 and 2 dimensions only; "
            f"importance sampling works in any{command}."
        )
    return None


def grid_slices(model: ModelReader, *, side: int = SIDE, looked_at: int = LOOKED_AT) -> Slices[SharedGrid]:
    """Decode the lattice of a model with one or two latent dimensions, `side` cells along each of two.

    The box holds what the prior draws and the codes of up to `looked_at` images reach. A smaller side is decoded
    sooner, for a first look while the weights still move. Raises UsageError as `check_quadrature`, DivergedError when
    codes are not finite.
    """
    check_quadrature(model)
    low, high = yield from between(_box_slices(model, looked_at), 0.0, 0.1)
    counts = (side, side) if model.latent_dim == 2 else (side * CELLS_OF_A_LINE,)
    centres = [
        start + (end - start) / count * (np.arange(count) + 0.5)
        for start, end, count in zip(low, high, counts, strict=True)
    ]
    codes = code_tensor(model, np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1).reshape(-1, len(counts)))
    log_prior = yield from between(_log_prior_slices(model, codes), 0.1, 0.2)
    likelihood = yield from between(lattice_slices(model, codes), 0.2, 1.0)
    return SharedGrid(
        step=model.step, low=low, high=high, counts=counts, log_prior=log_prior, likelihood=likelihood
    )  # fmt: skip


def _box_slices(model: ModelReader, looked_at: int) -> Slices[tuple[Float, Float]]:
    drawn = _prior_draws(model)
    low, high = np.full(model.latent_dim, np.inf), np.full(model.latent_dim, -np.inf)
    seen = spread_indices(len(model.pixels), looked_at)
    at_once = codes_at_once(model)
    for first in range(0, len(seen), at_once):
        loc, scale = _codes(model, seen[first : first + at_once])
        # A q that is wider than the prior says no more about where codes are than the prior does.
        reach = _REACH * np.minimum(scale, drawn.std(0))
        low, high = np.minimum(low, (loc - reach).min(0)), np.maximum(high, (loc + reach).max(0))
        yield min(1.0, (first + at_once) / len(seen))
    low, high = _widened(low, high, _MARGIN_OF_CODES)
    prior_low, prior_high = _widened(drawn.min(0), drawn.max(0), _MARGIN)
    low, high = np.minimum(low, prior_low), np.maximum(high, prior_high)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise DivergedError(
            f"The weights of step {model.step} give codes that are not finite; take an earlier checkpoint."
        )
    return low, high


def _widened(low: Float, high: Float, share: float) -> tuple[Float, Float]:
    return low - share * (high - low), high + share * (high - low)


def _log_prior_slices(model: ModelReader, codes: Tensor) -> Slices[Float]:
    parts = []
    for part in codes.split(_PRIOR_AT_ONCE):
        parts.append(_log_prior(model, part))
        yield sum(map(len, parts)) / len(codes)
    return np.concatenate(parts)


@torch.no_grad()
def _log_prior(model: ModelReader, codes: Tensor) -> Float:
    log_prior: Float = model.model.prior().log_prob(codes).cpu().numpy().astype(np.float64)
    return log_prior


@torch.no_grad()
def _prior_draws(model: ModelReader) -> Float:
    generator = seeded_generator(0, Stream.PRIOR, device=model.pixels.device)
    draws: Float = model.model.prior().sample(_PRIOR_DRAWS, generator).cpu().numpy().astype(np.float64)
    return draws


@torch.no_grad()
def _codes(model: ModelReader, indices: NDArray[np.int64]) -> tuple[Float, Float]:
    posterior = model.model.posterior(model.pixels.take_seeded(indices, 0))
    return posterior.loc.cpu().numpy().astype(np.float64), posterior.scale.cpu().numpy().astype(np.float64)
