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
from vae_explorer.evaluation.slices import Slices, between, code_tensor
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
_PRIOR_DRAWS = 10_000
_MARGIN = 0.15
"""Share of the prior draws' extent that the box goes further: 3.9 standard deviations become 5."""
_REACH = 4.0
"""Standard deviations of q(z|x) around its mean that the box holds."""


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


def quadrature_obstacle(model: ModelReader) -> str | None:
    """Return why log p(x) is not integrated on a lattice, one sentence with the way out; None where it is."""
    kind = model.config.model.kind
    if model.is_autoencoder:
        return (
            "model.kind = 'autoencoder': it has no prior, hence no exact posterior and no log p(x); train a vae on the "
            "same data."
        )
    if kind in LABELLED:
        return (
            f"model.kind = {kind!r}: its exact posterior is over classes and codes together, which is not integrated "
            "here; importance sampling works, with the classes summed out (vae-explorer evaluate --samples 5000)."
        )
    if model.latent_dim > 2:
        return (
            f"model.latent_dim = {model.latent_dim}: the exact posterior is integrated in 1 and 2 dimensions only; "
            "importance sampling works in any (vae-explorer evaluate --samples 5000)."
        )
    return None


def grid_slices(model: ModelReader, *, side: int = SIDE) -> Slices[SharedGrid]:
    """Decode the lattice of a model with one or two latent dimensions, `side` cells along each of two.

    The box holds what the prior draws and the codes of up to LOOKED_AT images reach. A smaller side is decoded sooner,
    for a first look while the weights still move. Raises UsageError as `check_quadrature`, DivergedError when codes
    are not finite.
    """
    check_quadrature(model)
    low, high = _box(model)
    yield 0.1
    counts = (side, side) if model.latent_dim == 2 else (side * CELLS_OF_A_LINE,)
    centres = [
        start + (end - start) / count * (np.arange(count) + 0.5)
        for start, end, count in zip(low, high, counts, strict=True)
    ]
    codes = code_tensor(model, np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1).reshape(-1, len(counts)))
    with torch.no_grad():
        log_prior = model.model.prior().log_prob(codes).cpu().numpy().astype(np.float64)
    likelihood = yield from between(lattice_slices(model, codes), 0.1, 1.0)
    return SharedGrid(
        step=model.step, low=low, high=high, counts=counts, log_prior=log_prior, likelihood=likelihood
    )  # fmt: skip


@torch.no_grad()
def _box(model: ModelReader) -> tuple[Float, Float]:
    generator = seeded_generator(0, Stream.PRIOR, device=model.pixels.device)
    drawn = model.model.prior().sample(_PRIOR_DRAWS, generator).cpu().numpy().astype(np.float64)
    low, high = drawn.min(0), drawn.max(0)
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    seen = spread_indices(len(model.pixels), LOOKED_AT)
    posterior = model.model.posterior(model.pixels.take_seeded(seen, 0))
    loc = posterior.loc.cpu().numpy().astype(np.float64)
    # A q that is wider than the prior says no more about where codes are than the prior does.
    reach = _REACH * np.minimum(posterior.scale.cpu().numpy().astype(np.float64), drawn.std(0))
    low, high = np.minimum(low, (loc - reach).min(0)), np.maximum(high, (loc + reach).max(0))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise DivergedError(
            f"The weights of step {model.step} give codes that are not finite; take an earlier checkpoint."
        )
    return low, high
