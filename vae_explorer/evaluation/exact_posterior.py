"""The true posterior p(z|x) of one image with one or two latent dimensions, log p(x) and the gap, by quadrature.

log p(x) is integrated on the shared lattice, refined where the posterior has its mass, which may be far from q; the
ELBO by a rule in q's own coordinates. The gap is the difference of these two independent integrals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.errors import DivergedError
from vae_explorer.evaluation.cells import CellIntegral, Refinement, cell_centres, integrate_slices
from vae_explorer.evaluation.q_rule import expectation_slices
from vae_explorer.evaluation.rectified_part import rectified_part
from vae_explorer.evaluation.shared_grid import SharedGrid, check_quadrature, grid_slices
from vae_explorer.evaluation.slices import Slices, between, code_tensor, codes_at_once, rising
from vae_explorer.objective.blocks import blocked_log_likelihoods
from vae_explorer.objective.reading import ModelReader

__all__ = ["ExactPosterior", "SharedGrid", "grid_slices", "image_of", "inspect_slices", "posterior_slices"]

Array = NDArray[np.float32]
Float = NDArray[np.float64]

LIVE = Refinement(tolerance=2e-2, share=1e-2, most_codes=1024)
COARSE = Refinement(tolerance=2e-3, share=1e-3, most_codes=4096)
FINE = Refinement(tolerance=4.5e-4, share=1e-4, most_codes=40_000)
"""Of log p(x); what it leaves of twice that is for the ELBO, so that the gap, the difference, is within 5e-3 and 1e-3
nats, rounding and edge included."""
_DOUBLINGS = 3
"""How often the box of an image whose posterior reaches its edge is doubled, at most: to eight times its size."""
_MOST_SIDE = {1: (81, 321, 5121), 2: (29, 113, 225)}
"""Points along each dimension that E_q takes at most: live, coarse and fine, by the number of latent dimensions."""


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """The true posterior of one image beside q(z|x); nats.

    log_density: float32 (rows, cols), log p(z|x) on the cells of `extent` (x_low, x_high, y_low, y_high), x along the
    columns, row 0 at y_low; for latent_dim 1 a single row. energy: -log p(x, z) at the cells' centres. log_px_error,
    elbo_error: what each integral may be off by; error is their sum, which holds for the gap. gap = log_px - elbo, of
    two independent integrals. loc, scale: of q(z|x), (latent_dim,). mode: where the posterior is highest.
    """

    step: int
    index: int
    is_fine: bool
    log_density: Array
    energy: Array
    extent: tuple[float, float, float, float]
    loc: Array
    scale: Array
    log_px: float
    log_px_error: float
    elbo: float
    elbo_error: float
    mode: Array

    @property
    def gap(self) -> float:
        """KL[q(z|x) ‖ p(z|x)], which is never negative but for the error."""
        return self.log_px - self.elbo

    @property
    def error(self) -> float:
        """What log_px, elbo and gap may each be off by at most."""
        return self.log_px_error + self.elbo_error


def inspect_slices(
    model: ModelReader, grid: SharedGrid, index: int, *, is_fine: bool, is_live: bool = False
) -> Slices[ExactPosterior]:
    """Work out the exact posterior of image `index` from the shared grid of the same weights.

    Coarse: within 5e-3 nats for a first look; fine: 1e-3; live: as much as 1,700 codes say, in a fraction of the time,
    of weights that move on before anybody has read the figures. Where the weights do not let that be reached in bounded
    time, the error says so. Raises DivergedError when p(x, z) is not finite.
    """
    check_quadrature(model)
    x = image_of(model, index)
    return (yield from rising(_inspect(model, grid, x, index=index, is_fine=is_fine, is_live=is_live)))


def _inspect(
    model: ModelReader, grid: SharedGrid, x: Tensor, *, index: int, is_fine: bool, is_live: bool
) -> Slices[ExactPosterior]:
    log_joint = yield from between(grid.log_joint_slices(x.unsqueeze(0)), 0.0, 0.4)
    exact = posterior_slices(model, grid, x, log_joint=log_joint[0], index=index, is_fine=is_fine, is_live=is_live)
    return (yield from between(exact, 0.4, 1.0))


def image_of(model: ModelReader, index: int, *, seed: int = 0) -> Tensor:
    """Return the image as the model sees it, (C, H, W); `seed` is for dynamic binarisation."""
    return model.pixels.take_seeded(np.array([index], dtype=np.int64), seed)[0]


def posterior_slices(
    model: ModelReader,
    grid: SharedGrid,
    x: Tensor,
    *,
    log_joint: Float,
    index: int,
    is_fine: bool,
    is_live: bool = False,
) -> Slices[ExactPosterior]:
    """As `inspect_slices`, of an image x (C, H, W) whose log p(x, z) (n,) at the grid's centres is known already."""
    loc, scale = _posterior_of(model, x)
    if not (np.isfinite(log_joint).any() and np.isfinite(loc).all() and np.isfinite(scale).all()):
        raise DivergedError(f"The weights of step {model.step} give no finite log p(x, z); take an earlier checkpoint.")
    joint_at = joint_values(model, x)
    level = 2 if is_fine else 0 if is_live else 1
    refinement = (LIVE, COARSE, FINE)[level]
    # A mode could fall through the lattice where q is narrower than a cell; a wider one is seen without being split.
    seeds = loc[None] if (scale < grid.spacing).any() else loc[None][:0]
    integral = yield from between(
        integrate_slices(
            joint_at, log_joint, low=grid.low, high=grid.high, counts=grid.counts, seeds=seeds,
            refinement=refinement,
        ), 0.0, 0.3,
    )  # fmt: skip
    picture = _picture(integral.log_cells, grid)
    wider = _wider_slices(integral, joint_at, grid, seeds=loc[None], refinement=refinement)
    integral = yield from between(wider, 0.3, 0.5)
    log_px_error = integral.error + integral.edge_share + _rounding(integral.log_integral)
    left = max(2 * refinement.tolerance - log_px_error, refinement.tolerance / 2)
    expectation = _mean_joint_slices(
        model, x, joint_at, loc, scale, tolerance=left, most_side=_MOST_SIDE[len(loc)][level]
    )
    mean_joint, elbo_error = yield from between(expectation, 0.5, 1.0)
    return ExactPosterior(
        step=model.step, index=index, is_fine=is_fine,
        log_density=picture - np.float32(integral.log_integral), energy=_picture(-log_joint, grid),
        extent=_extent(grid), loc=loc.astype(np.float32), scale=scale.astype(np.float32),
        log_px=integral.log_integral, log_px_error=log_px_error,
        elbo=mean_joint + entropy(scale), elbo_error=elbo_error + _rounding(mean_joint),
        mode=integral.mode.astype(np.float32),
    )  # fmt: skip


def _wider_slices(
    integral: CellIntegral,
    joint_at: Callable[[Float], Slices[Float]],
    grid: SharedGrid,
    *,
    seeds: Float,
    refinement: Refinement,
) -> Slices[CellIntegral]:
    """Integrate over a box of twice the size while a posterior has mass at the edge, on a lattice of the image's own.

    The shared box holds what the codes of the images reach; where a decoder is young, or q far too near the prior, a
    true posterior may lie beyond all of that.
    """
    low, high = grid.low, grid.high
    for _ in range(_DOUBLINGS):
        if integral.edge_share <= refinement.tolerance / 2:
            break
        low, high = (3.0 * low - high) / 2.0, (3.0 * high - low) / 2.0
        values = yield from joint_at(cell_centres(low, high, grid.counts))
        integral = yield from integrate_slices(
            joint_at, values, low=low, high=high, counts=grid.counts, seeds=np.vstack((seeds, integral.mode)),
            refinement=refinement,
        )  # fmt: skip
    return integral


def _mean_joint_slices(
    model: ModelReader, x: Tensor, joint_at: Callable[[Float], Slices[Float]], loc: Float, scale: Float, *,
    tolerance: float, most_side: int,
) -> Slices[tuple[float, float]]:  # fmt: skip
    """E_q[log p(x, z)] and its error: what is known of it in closed form, and the integral of the rest."""
    known = rectified_part(model.model, x, loc, scale)

    def rest_at(codes: Float) -> Slices[Float]:
        values = yield from joint_at(codes)
        return values if known is None else values - known.at((codes - loc) / scale)

    mean, error = yield from expectation_slices(rest_at, loc, scale, tolerance=tolerance, most_side=most_side)
    return mean + (0.0 if known is None else known.expectation), error


def joint_values(model: ModelReader, x: Tensor) -> Callable[[Float], Slices[Float]]:
    """Return a function that works out log p(x, z), (n,), nats, at codes (n, latent_dim)."""

    def at(codes: Float) -> Slices[Float]:
        at_once = codes_at_once(model)
        parts = []
        for first in range(0, len(codes), at_once):
            parts.append(_log_joint(model, x, code_tensor(model, codes[first : first + at_once])))
            yield min(1.0, (first + at_once) / len(codes))
        return np.concatenate(parts)

    return at


def entropy(scale: Float) -> float:
    """Return the entropy of a diagonal Gaussian, nats, from its standard deviations (d,)."""
    return float(np.log(scale).sum()) + 0.5 * len(scale) * (1.0 + math.log(2.0 * math.pi))


def _rounding(nats: float) -> float:
    """What single precision, in which log p(x|z) is worked out, leaves unknown of a figure."""
    return float(np.finfo(np.float32).eps) * abs(nats)


@torch.no_grad()
def _log_joint(model: ModelReader, x: Tensor, codes: Tensor) -> Float:
    values = blocked_log_likelihoods(model.model, x.unsqueeze(0), codes.unsqueeze(1))[:, 0]
    values += model.model.prior().log_prob(codes)
    # Far out a decoder may overflow; no mass is there.
    return values.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf).cpu().numpy().astype(np.float64)


@torch.no_grad()
def _posterior_of(model: ModelReader, x: Tensor) -> tuple[Float, Float]:
    posterior = model.model.posterior(x.unsqueeze(0))
    return posterior.loc[0].cpu().numpy().astype(np.float64), posterior.scale[0].cpu().numpy().astype(np.float64)


def _picture(values: Float, grid: SharedGrid) -> Array:
    """The values (n,) of cells as (rows, cols): the first dimension along the columns."""
    picture: Array = values.reshape(grid.counts).T.reshape(-1, grid.counts[0]).astype(np.float32)
    return picture


def _extent(grid: SharedGrid) -> tuple[float, float, float, float]:
    x_low, x_high = float(grid.low[0]), float(grid.high[0])
    if len(grid.counts) == 1:
        return x_low, x_high, -0.5, 0.5
    return x_low, x_high, float(grid.low[1]), float(grid.high[1])
