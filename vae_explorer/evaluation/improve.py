"""The two parts of the gap of an image: what a better diagonal Gaussian would win, and what none can (Cremer 2018).

q's mean and deviations are optimised for the one image, from where the encoder put them, against a fixed quadrature
rule (latent_dim 1 and 2) or fixed draws; what that wins is the amortisation gap, the rest to log p(x) the family gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.ascent import climb_slices
from vae_explorer.evaluation.exact_posterior import ExactPosterior, SharedGrid, image_of, inspect_slices
from vae_explorer.evaluation.q_rule import round_points
from vae_explorer.evaluation.shared_grid import grid_slices
from vae_explorer.evaluation.slices import Slices, between, codes_at_once, rising
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.priors import HALF_LOG_2_PI
from vae_explorer.objective.blocks import blocked_log_likelihoods
from vae_explorer.objective.reading import ModelReader

Array = NDArray[np.float32]

CLIMB_SIDES, CLIMB_REACH = {1: 29, 2: 15}, 4.2
"""Points along each dimension that q is optimised against: on smooth functions they are exact to 1e-3 already."""
FIGURE_SIDES = {1: 321, 2: 41}
"""Those that the bounds told are worked out with."""
CLIMB_DRAWS, FIGURE_DRAWS = 128, 1024
"""Fixed draws with more latent dimensions; other ones for the figures, as q fits those that it is optimised against."""


@dataclass(frozen=True, eq=False)
class ImprovedPosterior:
    """q's way from the encoder's to its best: loc, scale (T, latent_dim), elbo (T,), nats, rising.

    amortisation_gap = elbo[-1] - elbo[0], by one rule or one set of draws; family_gap = log p(x) - elbo[-1], None
    where log p(x) is not known exactly.
    """

    step: int
    index: int
    loc: Array
    scale: Array
    elbo: Array
    amortisation_gap: float
    family_gap: float | None


def improve_slices(
    model: ModelReader, index: int, *, grid: SharedGrid | None = None, seed: int = 0
) -> Slices[ImprovedPosterior]:
    """Find the best diagonal Gaussian for image `index`.

    grid: the shared grid of the same weights, where it is at hand; with one or two latent dimensions it is decoded
    otherwise. There q also starts from the true posterior's mode, which may lie far from the encoder's q; where that
    ends higher, the way goes on there. Raises UsageError where there is no such q, DivergedError for weights that
    give no finite bound.
    """
    check_improvable(model)
    return (yield from rising(_improve(model, index, grid, seed)))


def amortisation_slices(
    model: ModelReader, x: Tensor, modes: Array | None, *, seed: int = 0
) -> Slices[NDArray[np.float64]]:
    """Work out the amortisation gaps (B,), nats, of images x (B, C, H, W); modes: of their posteriors, where known."""
    check_improvable(model)
    climb_rule, figure_rule = _rules(model, seed)
    together = max(1, codes_at_once(model) // len(climb_rule.points))
    gaps = []
    for first in range(0, len(x), together):
        part = slice(first, first + together)
        ways = yield from between(
            _ways(model, x[part], None if modes is None else modes[part], climb_rule),
            first / len(x), min(1.0, (first + together) / len(x)),
        )  # fmt: skip
        begun = _bounds(model, x[part], ways[0, 0], figure_rule)
        best = begun
        for way in ways.unbind(1):  # from q, and from the mode
            best = torch.maximum(best, _bounds(model, x[part], way[-1], figure_rule))
        gaps.append((best - begun).cpu().numpy().astype(np.float64))
    return np.concatenate(gaps)


def check_improvable(model: ModelReader) -> None:
    """Raise UsageError where an image has no single diagonal Gaussian that could be better."""
    if model.is_autoencoder:
        raise UsageError(
            "model.kind = 'autoencoder': its code is a point, there is no q(z|x) to improve; train a vae on the same "
            "data."
        )
    if model.config.model.kind in LABELLED:
        raise UsageError(
            f"model.kind = {model.config.model.kind!r}: its q is over classes and codes together, which is not "
            "improved here; the ladder of importance-weighted bounds tells how loose it is."
        )


@dataclass(frozen=True, eq=False)
class _Rule:
    """Points (k, latent_dim) of a standard normal and their weights (k,)."""

    points: Tensor
    weights: Tensor


def _rules(model: ModelReader, seed: int) -> tuple[_Rule, _Rule]:
    """What q is optimised against, and what its bound is told by."""
    dims, device = model.latent_dim, model.pixels.device
    if dims <= 2:
        lattices = round_points(CLIMB_SIDES[dims], dims, reach=CLIMB_REACH), round_points(FIGURE_SIDES[dims], dims)
        rules = [_Rule(*(torch.as_tensor(a, dtype=torch.float32).to(device) for a in lattice)) for lattice in lattices]
        return rules[0], rules[1]
    return _drawn(CLIMB_DRAWS, dims, (seed, 2), device), _drawn(FIGURE_DRAWS, dims, (seed, 3), device)


def _drawn(n: int, dims: int, seeds: tuple[int, int], device: torch.device) -> _Rule:
    """n standard normal draws, half of them the others mirrored, so that what is linear has no error."""
    half = torch.randn(n // 2, dims, generator=seeded_generator(seeds[0], Stream.POSTERIOR, seeds[1]))
    return _Rule(torch.cat((half, -half)).to(device), torch.full((n,), 1.0 / n, device=device))


def _improve(model: ModelReader, index: int, grid: SharedGrid | None, seed: int) -> Slices[ImprovedPosterior]:
    x = image_of(model, index).unsqueeze(0)
    exact: ExactPosterior | None = None
    if model.latent_dim <= 2:
        grid = grid or (yield from between(grid_slices(model), 0.0, 0.5))
        exact = yield from between(inspect_slices(model, grid, index, is_fine=True), 0.5, 0.7)
    climb_rule, figure_rule = _rules(model, seed)
    modes = None if exact is None else exact.mode[None]
    ways = yield from between(_ways(model, x, modes, climb_rule), 0.7, 0.8)
    kept, bounds = yield from between(_rising_way(model, x, ways, figure_rule), 0.8, 1.0)
    loc, log_scale = torch.stack(kept).chunk(2, dim=-1)
    return ImprovedPosterior(
        step=model.step, index=index, loc=loc.cpu().numpy(), scale=log_scale.exp().cpu().numpy(),
        elbo=np.array(bounds, dtype=np.float32), amortisation_gap=bounds[-1] - bounds[0],
        family_gap=None if exact is None else exact.log_px - bounds[-1],
    )  # fmt: skip


def _rising_way(model: ModelReader, x: Tensor, ways: Tensor, rule: _Rule) -> Slices[tuple[list[Tensor], list[float]]]:
    """The points of the way from q, then of that from the mode, where they are higher than all before; their bounds."""
    kept: list[Tensor] = []
    bounds: list[float] = []
    points = [point for way in ways.unbind(1) for point in torch.unique_consecutive(way[:, 0], dim=0)]
    for number, point in enumerate(points):
        bound = float(_bounds(model, x, point[None], rule))
        if not kept and not np.isfinite(bound):
            raise DivergedError(f"The weights of step {model.step} give no finite bound; take an earlier checkpoint.")
        if not kept or bound > bounds[-1]:
            kept.append(point)
            bounds.append(bound)
        yield (number + 1) / len(points)
    return kept, bounds


def _ways(model: ModelReader, x: Tensor, modes: Array | None, rule: _Rule) -> Slices[Tensor]:
    """Climb for each of B images from q and from the posterior's mode, if known.

    Returns (T, S, B, 2 latent_dim): loc and log scale on the way from each of S starts.
    """
    with torch.no_grad():
        posterior = model.model.posterior(x)
        first = torch.cat((posterior.loc, posterior.scale.log()), dim=1)
    starts = [first]
    if modes is not None:
        starts.append(torch.cat((torch.as_tensor(modes).to(first), posterior.scale.log()), dim=1))
    begun = torch.cat(starts)  # (S B, 2 d)
    images = x.repeat(len(starts), 1, 1, 1)
    unit = torch.cat((posterior.scale, torch.ones_like(posterior.scale)), dim=1).repeat(len(starts), 1)

    def bound(points: Tensor, rows: Tensor) -> Tensor:
        return _bound(model, images[rows], begun[rows] + unit[rows] * points, rule)

    path = yield from climb_slices(bound, torch.zeros_like(begun))
    return (begun + unit * path).unflatten(1, (len(starts), len(x)))


def _bound(model: ModelReader, x: Tensor, q: Tensor, rule: _Rule) -> Tensor:
    """Return the ELBO (B,) of images x with loc and log scale q (B, 2 latent_dim) by a rule."""
    return _mean_joint(model, x, q, rule) + _entropy(q)


@torch.no_grad()
def _bounds(model: ModelReader, x: Tensor, q: Tensor, rule: _Rule) -> Tensor:
    """As `_bound`, for a rule of many points and without a gradient."""
    loc, log_scale = q.chunk(2, dim=1)
    z = loc + log_scale.exp() * rule.points[:, None]  # (k, B, d)
    log_joint = blocked_log_likelihoods(model.model, x, z) + model.model.prior().log_prob(z)
    return rule.weights @ log_joint + _entropy(q)


def _mean_joint(model: ModelReader, x: Tensor, q: Tensor, rule: _Rule) -> Tensor:
    """Return the weighted sum of log p(x, z) over the rule's points, (B,)."""
    loc, log_scale = q.chunk(2, dim=1)
    z = loc[:, None] + log_scale.exp()[:, None] * rule.points  # (B, k, d)
    images = x[:, None].expand(*z.shape[:2], *x.shape[1:]).flatten(0, 1)
    log_likelihood = model.model.likelihood(z.flatten(0, 1)).log_prob(images).view(z.shape[:2])
    return ((log_likelihood + model.model.prior().log_prob(z)) * rule.weights).sum(1)


def _entropy(q: Tensor) -> Tensor:
    return (q.chunk(2, dim=1)[1] + HALF_LOG_2_PI + 0.5).sum(1)
