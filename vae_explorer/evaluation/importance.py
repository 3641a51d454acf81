"""The bound and log p(x) of images from K codes each, by importance sampling (Burda et al. 2016, eq. 8).

Codes are decoded some at a time and forgotten; of all K of an image only the log-weights are kept, for the effective
sample size and the tail of the weights. So K is bounded by what K numbers an image take, not by their decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import UsageError
from vae_explorer.evaluation.slices import Slices, codes_at_once
from vae_explorer.model.latents import Posterior
from vae_explorer.model.noise import posterior_noise
from vae_explorer.objective.bounds import effective_sample_size, iwae_bound, log_mean_exp_error, pareto_k_hat
from vae_explorer.objective.elbo import image_terms
from vae_explorer.objective.log_weights import importance_log_weights
from vae_explorer.objective.reading import ModelReader
from vae_explorer.objective.terms import Terms, joined_samples, standard_error

Indices = NDArray[np.int64]
Float = NDArray[np.float64]

_MOST_IMAGES = 64
_GROUP_BYTES = 64 * 2**20
_BYTES_A_WEIGHT = 64
"""A log-weight, its log-likelihood, and the sorted copies in double precision that k-hat takes."""


@dataclass(frozen=True, eq=False)
class ImageFigures:
    """Figures of n images, nats per image, in double precision; of an autoencoder only loc and distortion are there.

    loc, scale, kl_per_dim: (n, latent_dim). *_mc_se: standard errors by the draws, NaN for one draw; kl_mc_se: None
    where the kl is a closed form. log_px: the estimate of log p(x) from K codes; ess, k_hat: of its weights. predicted:
    the most probable class, where the model knows classes.
    """

    indices: Indices
    loc: Float
    scale: Float
    distortion: Float
    elbo_mc_se: Float
    kl: Float | None = None
    kl_mc_se: Float | None = None
    kl_per_dim: Float | None = None
    log_px: Float | None = None
    log_px_mc_se: Float | None = None
    ess: Float | None = None
    k_hat: Float | None = None
    predicted: Indices | None = None

    @property
    def elbo(self) -> Float | None:
        """-(distortion + kl), (n,)."""
        return None if self.kl is None else -(self.distortion + self.kl)


def joined_figures(parts: Sequence[ImageFigures]) -> ImageFigures:
    """Return the figures of all images of the parts, which are of one model."""
    columns: dict[str, Any] = {}
    for name, first in vars(parts[0]).items():
        columns[name] = None if first is None else np.concatenate([getattr(part, name) for part in parts])
    return ImageFigures(**columns)


def images_at_once(model: ModelReader, samples: int) -> int:
    """Return how many images' codes are drawn together.

    Raises UsageError where `samples` codes of a single image would take more than a quarter of the free memory.
    """
    bytes_a_code = 8 * model.model.noise_dim + _BYTES_A_WEIGHT
    most = free_memory_bytes() // 4 // bytes_a_code
    if samples > most:
        raise UsageError(
            f"{samples:,} samples of an image do not fit in memory, expected at most {most:,} here; take fewer: the "
            "error of log p(x) falls with their square root only."
        )
    return max(1, min(_MOST_IMAGES, _GROUP_BYTES // (samples * bytes_a_code)))


def figures_slices(model: ModelReader, indices: Indices, *, samples: int, seed: int) -> Slices[ImageFigures]:
    """Work out the figures of up to `images_at_once` images from `samples` codes of each.

    An image's codes depend on (seed, index) alone, and are those of `ModelReader.figures`. An autoencoder has one code.
    """
    draws = 1 if model.is_autoencoder else samples
    noise = posterior_noise(indices.tolist(), samples=draws, latent_dim=model.model.noise_dim, seed=seed)
    at_once = codes_at_once(model)
    together = max(1, at_once // draws)
    parts = []
    for first in range(0, len(indices), together):
        part = slice(first, first + together)
        x = model.pixels.take_seeded(indices[part], seed)
        question = _Question(model, x)
        pieces = noise[:, part].split(max(1, at_once // len(x)))
        for number, piece in enumerate(pieces):
            question.draw(piece.to(x.device))
            yield min(1.0, (first + len(x) * (number + 1) / len(pieces)) / len(indices))
        parts.append(question.figures(indices[part]))
    return joined_figures(parts)


class _Question:
    """Some images, and what their codes so far have said."""

    @torch.no_grad()
    def __init__(self, model: ModelReader, x: Tensor) -> None:
        self._model, self._x = model, x
        self._posterior: Posterior = model.model.posterior(x)
        self._terms: list[Terms] = []
        self._log_weights: list[Tensor] = []

    @torch.no_grad()
    def draw(self, noise: Tensor) -> None:
        model = self._model.model
        terms = image_terms(model, self._x, noise, posterior=self._posterior)
        if model.kind in LABELLED:
            # The terms of M2 are those of its bound, which holds q(y|x); these weights sum the classes out.
            self._log_weights.append(importance_log_weights(model, self._x, noise))
        elif terms.log_weight is not None:
            self._log_weights.append(terms.log_weight)
        self._terms.append(terms)

    @torch.no_grad()
    def figures(self, indices: Indices) -> ImageFigures:
        terms = joined_samples(self._terms)
        figures: dict[str, Tensor | None] = {
            "loc": self._posterior.loc, "scale": self._posterior.scale, "distortion": terms.distortion,
            "elbo_mc_se": standard_error(terms.elbo_draws), "kl": terms.kl, "kl_per_dim": terms.kl_per_dim,
        }  # fmt: skip
        if not terms.is_kl_exact and terms.log_weight is not None:
            figures["kl_mc_se"] = standard_error(terms.log_likelihood - terms.log_weight)
        if self._log_weights:
            weights = torch.cat(self._log_weights)
            figures |= {
                "log_px": iwae_bound(weights), "log_px_mc_se": log_mean_exp_error(weights),
                "ess": effective_sample_size(weights), "k_hat": pareto_k_hat(weights),
            }  # fmt: skip
        arrays = {
            name: None if value is None else value.cpu().numpy().astype(np.float64) for name, value in figures.items()
        }
        predicted = None
        if self._model.n_classes:
            predicted = self._model.class_probabilities(indices).argmax(1)
        return ImageFigures(indices=indices, predicted=predicted, **arrays)  # type: ignore[arg-type]
