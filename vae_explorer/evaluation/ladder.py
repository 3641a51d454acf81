"""The ladder of importance-weighted bounds of one image, L_1 <= L_2 <= ... <= log p(x) (Burda et al. 2016, thm. 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.evaluation.importance import images_at_once
from vae_explorer.evaluation.slices import Slices, codes_at_once
from vae_explorer.model.counter_noise import ImageNoise
from vae_explorer.objective.bounds import (
    effective_sample_size,
    grouped_bounds,
    iwae_bound,
    log_mean_exp_error,
    pareto_k_hat,
)
from vae_explorer.objective.log_weights import importance_log_weights
from vae_explorer.objective.reading import ModelReader

Array = NDArray[np.float32]

_STEPS = (1, 2, 5)


@dataclass(frozen=True, eq=False)
class Ladder:
    """Bounds L_k of one image by k, nats, all from one set of log-weights.

    k: (T,), ascending, the last is all of them. bounds[i]: the mean over the disjoint groups of k[i] weights;
    errors[i]: its standard error over the groups; the last, of one group, has the delta method's. ess, k_hat: of all
    weights, k_hat NaN where they are too few.
    """

    step: int
    index: int
    k: NDArray[np.int64]
    bounds: Array
    errors: Array
    ess: float
    k_hat: float
    log_px: float
    log_px_mc_se: float


def climb_slices(model: ModelReader, index: int, *, samples: int = 5000, seed: int = 0) -> Slices[Ladder]:
    """Climb from the ELBO, k = 1, to the estimate of log p(x) from `samples` codes of image `index`.

    Raises UsageError for an autoencoder and where so many samples do not fit in memory, DivergedError when a weight is
    not a number.
    """
    if samples < 1:
        raise UsageError(f"samples = {samples}: expected at least one draw of the image.")
    images_at_once(model, samples)
    indices = np.array([index], dtype=np.int64)
    x = model.pixels.take_seeded(indices, seed)
    noise = ImageNoise([index], samples=samples, latent_dim=model.model.noise_dim, seed=seed, device=x.device)
    parts: list[torch.Tensor] = []
    at_once = codes_at_once(model)
    for first in range(0, samples, at_once):
        part = noise.part(samples=slice(first, first + at_once))
        with torch.no_grad():
            parts.append(importance_log_weights(model.model, x, part).double())
        yield min(1.0, sum(map(len, parts)) / samples)
    weights = torch.cat(parts).cpu()
    if bool(weights.isnan().any()):
        raise DivergedError(f"The weights of step {model.step} give no finite log p(x); take an earlier checkpoint.")
    log_px, error = iwae_bound(weights), log_mean_exp_error(weights)
    k = _rungs(samples)
    rungs = [_rung(weights, size) for size in k[:-1]] + [(float(log_px), float(error))]
    return Ladder(
        step=model.step, index=index, k=np.array(k, dtype=np.int64),
        bounds=np.array([bound for bound, _ in rungs], dtype=np.float32),
        errors=np.array([error for _, error in rungs], dtype=np.float32),
        ess=float(effective_sample_size(weights)), k_hat=float(pareto_k_hat(weights)),
        log_px=float(log_px), log_px_mc_se=float(error),
    )  # fmt: skip


def _rungs(samples: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 ... as long as there are two groups of them, and `samples`."""
    decades = range(math.ceil(math.log10(samples)) + 1)
    return [k for k in (step * 10**decade for decade in decades for step in _STEPS) if 2 * k <= samples] + [samples]


def _rung(weights: torch.Tensor, k: int) -> tuple[float, float]:
    bounds = grouped_bounds(weights, k)
    return float(bounds.mean()), float(bounds.std() / math.sqrt(len(bounds)))
