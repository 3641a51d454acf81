"""Questions to a model: decode codes, encode images. Asking changes nothing: no gradient, no shared generator."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.model.latents import Posterior
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.model import Model
from vae_explorer.model.noise import Stream, posterior_noise, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.elbo import elbo_terms
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.terms import Terms

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

DECODE_CHUNK = 64
"""Codes decoded at once, always: another number could round differently, and give other bytes."""
SAMPLES = 64
"""Codes an image that expectations over q(z|x) take, where nothing else is asked."""
_ENCODE_CHUNK = 1024


@dataclass(frozen=True)
class SampledFigures:
    """q(z|x) of n images and figures from draws of it, nats per image.

    loc, scale: (n, latent_dim); scale is zero for an autoencoder. kl: closed form, (n,), and by dimension, (n,
    latent_dim). distortion: mean over the draws, (n,). elbo = -(distortion + kl). elbo_mc_se: its standard error by the
    draws, (n,), NaN for a single draw. An autoencoder has NaN in elbo, kl and elbo_mc_se, None as kl_per_dim.
    """

    indices: Indices
    loc: Array
    scale: Array
    kl_per_dim: Array | None
    elbo: Array
    kl: Array
    distortion: Array
    elbo_mc_se: Array


@dataclass(frozen=True)
class EncodedArrays(SampledFigures):
    """Figures of n images with their reconstructions (n, C, H, W): p(x|z) at the mean of q."""

    reconstructions: Array


@dataclass(frozen=True)
class CodesArrays:
    """Codes of n images with one-sample figures, nats per image; kl_per_dim (latent_dim,) is the mean over them."""

    indices: Indices
    loc: Array
    scale: Array
    elbo: Array
    kl: Array
    distortion: Array
    kl_per_dim: Array | None


class ModelReader:
    """Answers questions about a model at one step, from images that lie on its device.

    step: updates that made the weights; run_name: of the run folder, where there is one. Every answer is made of
    NumPy arrays of its own. Randomness comes from the seeds that are passed, so that the same question to the same
    weights has the same answer.
    """

    def __init__(
        self, *, step: int, config: RunConfig, model: Model, pixels: Pixels, run_name: str | None = None
    ) -> None:
        self.step = step
        self.run_name = run_name
        self.config = config
        self.model = model
        self.pixels = pixels

    @property
    def latent_dim(self) -> int:
        """Numbers in a code."""
        return self.model.latent_dim

    @property
    def is_autoencoder(self) -> bool:
        """Whether codes are points: no prior, no KL, no bound."""
        return self.model.is_autoencoder

    @torch.no_grad()
    def decode(self, z: Array, *, draw_seed: int | None = None) -> Array:
        """Return the mean of p(x|z), or a draw of it by `draw_seed`, (n, C, H, W), of codes (n, latent_dim)."""
        images = np.empty((len(z), *self.model.shape), dtype=np.float32)
        generator = None if draw_seed is None else self._generator(draw_seed, Stream.DRAW)
        for first in range(0, len(z), DECODE_CHUNK):
            codes = torch.tensor(z[first : first + DECODE_CHUNK], dtype=torch.float32).to(self.pixels.device)
            images[first : first + DECODE_CHUNK] = _image(self.model.likelihood(codes), generator).cpu().numpy()
        return images

    def encode(
        self, indices: Indices, *, samples: int = SAMPLES, seed: int = 0, draw_seed: int | None = None
    ) -> EncodedArrays:
        """Return figures as `figures` does, and reconstructions: means of p(x|z), or draws of it by `draw_seed`."""
        figures = self.figures(indices, samples=samples, seed=seed)
        return EncodedArrays(**vars(figures), reconstructions=self.decode(figures.loc, draw_seed=draw_seed))

    def images(self, indices: Indices, *, seed: int = 0) -> Array:
        """Return images by index as the model sees them, (n, C, H, W); `seed` is for dynamic binarisation."""
        return self.pixels.take_seeded(indices, seed).cpu().numpy()

    @torch.no_grad()
    def codes(self, indices: Indices) -> CodesArrays:
        """Return the codes of images by index (n,), with one-sample figures, always by the same noise."""
        parts = [self._code_terms(part) for part in _chunks(indices, _ENCODE_CHUNK)]
        terms = [part for _, part in parts]
        distortion = _joined([part.distortion for part in terms])
        kl_per_dim = _joined_or_none([part.kl_per_dim for part in terms])
        kl = _kl(kl_per_dim, like=distortion)
        return CodesArrays(
            indices=np.array(indices, dtype=np.int64),
            loc=_joined([posterior.loc for posterior, _ in parts]),
            scale=_joined([posterior.scale for posterior, _ in parts]),
            elbo=-(distortion + kl), kl=kl, distortion=distortion,
            kl_per_dim=None if kl_per_dim is None else kl_per_dim.mean(axis=0),
        )  # fmt: skip

    @torch.no_grad()
    def figures(self, indices: Indices, *, samples: int = SAMPLES, seed: int = 0) -> SampledFigures:
        """Return q(z|x) and figures from `samples` draws of it, of images by index (n,).

        An image's noise depends on (seed, index) alone, not on the images that are asked with it.
        """
        draws = 1 if self.is_autoencoder else samples
        parts = [
            self._sample_chunk(part, samples=draws, seed=seed)
            for part in _chunks(indices, max(1, _ENCODE_CHUNK // draws))
        ]
        distortion = _joined([-log_likelihood.mean(0) for _, _, log_likelihood in parts])
        kl_per_dim = _joined_or_none([kl_per_dim for _, kl_per_dim, _ in parts])
        kl = _kl(kl_per_dim, like=distortion)
        return SampledFigures(
            indices=np.array(indices, dtype=np.int64),
            loc=_joined([posterior.loc for posterior, _, _ in parts]),
            scale=_joined([posterior.scale for posterior, _, _ in parts]),
            kl_per_dim=kl_per_dim, elbo=-(distortion + kl), kl=kl, distortion=distortion,
            elbo_mc_se=_joined([_standard_error(log_likelihood) for _, _, log_likelihood in parts]),
        )  # fmt: skip

    def _sample_chunk(self, indices: Indices, *, samples: int, seed: int) -> tuple[Posterior, Tensor | None, Tensor]:
        """Return posterior, kl_per_dim (B, latent_dim) and log p(x|z) (K, B), at most _ENCODE_CHUNK codes at once."""
        x = self.pixels.take_seeded(indices, seed)
        posterior = self.model.posterior(x)
        noise = posterior_noise(indices.tolist(), samples=samples, latent_dim=self.latent_dim, seed=seed)
        at_once = max(1, _ENCODE_CHUNK // len(indices))
        log_likelihood = torch.cat([
            log_likelihoods(self.model, x, posterior.rsample(part.to(x.device))) for part in noise.split(at_once)
        ])  # fmt: skip
        return posterior, posterior.kl_per_dim(self.model.prior()), log_likelihood

    def _code_terms(self, indices: Indices) -> tuple[Posterior, Terms]:
        x = self.pixels.take_seeded(indices, 0)
        generator = self._generator(int(indices[0]), Stream.CODES)
        noise = torch.empty(len(indices), self.latent_dim, device=x.device).normal_(generator=generator)
        return self.model.posterior(x), elbo_terms(self.model, x, noise)

    def _generator(self, seed: int, stream: Stream) -> torch.Generator:
        return seeded_generator(seed, stream, device=self.pixels.device)


class FrozenModel(ModelReader):
    """A reader of its own copy of the weights, which nobody changes: it may be asked from any thread."""

    @classmethod
    def of(cls, reader: ModelReader) -> Self:
        """Copy the weights of another reader; the images, which never change, are shared."""
        model = copy.deepcopy(reader.model).requires_grad_(False)
        return cls(step=reader.step, config=reader.config, model=model, pixels=reader.pixels, run_name=reader.run_name)

    def frozen(self) -> Self:
        """Return itself: it stands still already."""
        return self


def _image(likelihood: Likelihood, generator: torch.Generator | None) -> Tensor:
    return likelihood.mean if generator is None else likelihood.sample(generator)


def _chunks(indices: Indices, size: int) -> list[Indices]:
    return [indices[first : first + size] for first in range(0, len(indices), size)]


def _joined(parts: list[Tensor]) -> Array:
    return np.concatenate([part.cpu().numpy() for part in parts])


def _joined_or_none(parts: list[Tensor | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return _joined(known) if known else None


def _kl(kl_per_dim: Array | None, *, like: Array) -> Array:
    return np.full_like(like, np.nan) if kl_per_dim is None else kl_per_dim.sum(axis=1)


def _standard_error(samples: Tensor) -> Tensor:
    """Standard error (B,) of the mean over K of (K, B); NaN for K = 1."""
    if len(samples) == 1:
        return torch.full_like(samples[0], torch.nan)
    return samples.std(0) / len(samples) ** 0.5
