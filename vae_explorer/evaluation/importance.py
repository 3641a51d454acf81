"""The bound and log p(x) of images from K codes each, by importance sampling (Burda et al. 2016, eq. 8).

Codes are decoded in blocks that stay in the cache (`objective.blocks`) and forgotten; of all K of an image only the
noise and the log-weights are kept, for the effective sample size and the tail of the weights. So K is bounded by what
these numbers take, not by their decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config_rules import LABELLED
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import UsageError
from vae_explorer.evaluation.slices import Slices, between, codes_at_once
from vae_explorer.model.counter_noise import ImageNoise
from vae_explorer.model.fence import SliceFence
from vae_explorer.model.latents import Posterior
from vae_explorer.objective.blocks import blocked_log_likelihoods
from vae_explorer.objective.bounds import effective_sample_size, iwae_bound, log_mean_exp_error, pareto_k_hat
from vae_explorer.objective.elbo import image_terms
from vae_explorer.objective.log_weights import importance_log_weights
from vae_explorer.objective.reading import ModelReader
from vae_explorer.objective.terms import Terms, joined_samples, mean_of_samples, standard_error

Indices = NDArray[np.int64]
Float = NDArray[np.float64]

_MOST_IMAGES = {"cpu": 64, "cuda": 1024}
_GROUP_BYTES = {"cpu": 64 * 2**20, "cuda": 2 * 2**30}
"""Of images whose codes are drawn together: their figures are many small steps, which a GPU does for all in the time of
one."""
_BLOCKS_A_SLICE = 8
"""Blocks that a GPU is given in one slice: beside them its other work, which is many small kernels, counts little."""
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
    most = _free_bytes(model.pixels.device) // 4 // bytes_a_code
    if samples > most:
        raise UsageError(
            f"{samples:,} samples of an image do not fit in memory, expected at most {most:,} here; take fewer: the "
            "error of log p(x) falls with their square root only."
        )
    kind = "cuda" if model.pixels.device.type == "cuda" else "cpu"
    group_bytes = min(_GROUP_BYTES[kind], most * bytes_a_code)
    return max(1, min(_MOST_IMAGES[kind], group_bytes // (samples * bytes_a_code)))


def _free_bytes(device: torch.device) -> int:
    """Memory that can still be used where the codes lie; on a CUDA device with what torch keeps there and does not
    use."""
    if device.type != "cuda":
        return free_memory_bytes()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def figures_slices(model: ModelReader, indices: Indices, *, samples: int, seed: int) -> Slices[ImageFigures]:
    """Work out the figures of up to `images_at_once` images from `samples` codes of each.

    An image's codes depend on (seed, index) and the kind of device alone, and are those of `ModelReader.figures`. An
    autoencoder has one code.
    """
    draws = 1 if model.is_autoencoder else samples
    device = model.pixels.device
    at_once = codes_at_once(model) * (_BLOCKS_A_SLICE if device.type == "cuda" else 1)
    together = max(1, at_once // draws)
    # Of all images at once, as their pixels: what is copied to a device waits until all before it is done.
    x = model.pixels.take_seeded(indices, seed)
    noise = ImageNoise(indices.tolist(), samples=draws, latent_dim=model.model.noise_dim, seed=seed, device=device)
    fence = SliceFence.on(str(device))
    parts = []
    for first in range(0, len(indices), together):
        images = slice(first, first + together)
        rows = max(1, at_once // len(x[images]))
        drawn = (noise.part(images, slice(row, row + rows)) for row in range(0, draws, rows))
        answer = _answer_slices(model, x[images], drawn, -(-draws // rows), fence=fence)
        share = first / len(indices)
        parts.append((yield from between(answer, share, min(1.0, share + together / len(indices)))))
    return _figures(model, indices, parts, seed=seed)


@dataclass(frozen=True, eq=False)
class _Answer:
    """What K codes of b images have said; log_weights (K, b): None of an autoencoder."""

    posterior: Posterior
    terms: Terms
    log_weights: Tensor | None


def _answer_slices(
    model: ModelReader, x: Tensor, noise: Iterable[Tensor], n_pieces: int, *, fence: SliceFence
) -> Slices[_Answer]:
    """Draw the codes of images x (b, C, H, W), those of one piece of noise (k, b, noise_dim) in a slice."""
    posterior = _posterior(model, x)
    terms, weights = [], []
    for number, piece in enumerate(noise):
        drawn, log_weights = _draw(model, x, posterior, piece)
        terms.append(drawn)
        if log_weights is not None:
            weights.append(log_weights)
        fence.pass_slice()
        yield (number + 1) / n_pieces
    return _Answer(posterior, joined_samples(terms), torch.cat(weights) if weights else None)


@torch.no_grad()
def _posterior(model: ModelReader, x: Tensor) -> Posterior:
    return model.model.posterior(x)


@torch.no_grad()
def _draw(model: ModelReader, x: Tensor, posterior: Posterior, noise: Tensor) -> tuple[Terms, Tensor | None]:
    if model.model.kind in LABELLED:
        # The terms of M2 are those of its bound, which holds q(y|x); these weights sum the classes out.
        terms = image_terms(model.model, x, noise, posterior=posterior)
        return terms, importance_log_weights(model.model, x, noise)
    terms = _terms(model, x, posterior, posterior.rsample(noise))
    return terms, terms.log_weight


def _terms(model: ModelReader, x: Tensor, posterior: Posterior, z: Tensor) -> Terms:
    """As `one_latent_terms`, of codes z (K, B, latent_dim) that are decoded in blocks."""
    log_likelihood = blocked_log_likelihoods(model.model, x, z)
    if model.is_autoencoder:
        return Terms(log_likelihood, kl=None)
    prior = model.model.prior()
    log_ratio = posterior.log_prob(z) - prior.log_prob(z)
    kl_per_dim = posterior.kl_per_dim(prior)
    return Terms(
        log_likelihood, kl=mean_of_samples(log_ratio) if kl_per_dim is None else kl_per_dim.sum(-1),
        kl_per_dim=kl_per_dim, log_weight=log_likelihood - log_ratio, is_kl_exact=kl_per_dim is not None,
    )  # fmt: skip


@torch.no_grad()
def _figures(model: ModelReader, indices: Indices, parts: Sequence[_Answer], *, seed: int) -> ImageFigures:
    """Reduce over the codes, of all images at once: these are many small steps."""
    terms = [part.terms for part in parts]
    tensors: dict[str, Tensor | None] = {
        "loc": torch.cat([part.posterior.loc for part in parts]),
        "scale": torch.cat([part.posterior.scale for part in parts]),
        "distortion": torch.cat([one.distortion for one in terms]),
        "elbo_mc_se": standard_error(torch.cat([one.elbo_draws for one in terms], dim=1)),
        "kl": _joined([one.kl for one in terms]), "kl_per_dim": _joined([one.kl_per_dim for one in terms]),
    }  # fmt: skip
    draws = [one.log_likelihood - one.log_weight for one in terms if one.log_weight is not None]
    if draws and not terms[0].is_kl_exact:
        tensors["kl_mc_se"] = standard_error(torch.cat(draws, dim=1))
    log_weights = [part.log_weights for part in parts if part.log_weights is not None]
    if log_weights:
        weights = torch.cat(log_weights, dim=1)
        tensors |= {
            "log_px": iwae_bound(weights), "log_px_mc_se": log_mean_exp_error(weights),
            "ess": effective_sample_size(weights), "k_hat": pareto_k_hat(weights),
        }  # fmt: skip
    arrays = {
        name: None if value is None else value.cpu().numpy().astype(np.float64) for name, value in tensors.items()
    }
    predicted = model.class_probabilities(indices, seed=seed).argmax(1) if model.n_classes else None
    return ImageFigures(indices=indices, predicted=predicted, **arrays)  # type: ignore[arg-type]


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None
