"""Questions to a model: decode codes, encode images. Asking changes nothing: no gradient, no shared generator."""

from __future__ import annotations

import math
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.errors import UsageError
from vae_explorer.model.class_conditional import one_hot
from vae_explorer.model.copying import copied_module
from vae_explorer.model.counter_noise import ImageNoise
from vae_explorer.model.latents import Posterior
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.model import Model
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.model.semi_supervised import M2, StackedM2
from vae_explorer.objective.answers import Array, CodesArrays, EncodedArrays, Indices, SampledFigures, TermsArrays
from vae_explorer.objective.drawn_terms import drawn_terms
from vae_explorer.objective.elbo import image_terms
from vae_explorer.objective.terms import Terms, joined_samples, standard_error

DECODE_CHUNK = 64
"""Codes decoded at once, always: another number could round differently, and give other bytes."""
SAMPLES = 64
"""Codes an image that expectations over q(z|x) take, where nothing else is asked."""
_ENCODE_CHUNK = 1024


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

    @property
    def n_classes(self) -> int:
        """Classes that the model itself knows (M2), else 0."""
        return self.model.n_classes

    @property
    def style_dim(self) -> int:
        """Numbers in a style, what the class leaves to say, of a model that knows classes."""
        return self._of_classes.style_dim

    # ---- codes to images ----------------------------------------------------------------------------------------

    def decode(self, z: Array, *, draw_seed: int | None = None, label: int | Indices | None = None) -> Array:
        """Return the mean of p(x|z), or a draw of it by `draw_seed`, (n, C, H, W), of codes (n, latent_dim).

        label: of M2, the class to decode, one for all codes or one each (n,); None takes the mean over p(y), for a draw
        a drawn class. Raises UsageError for a class that the model does not know.
        """
        if label is None:
            return self._decode(z, None, draw_seed=draw_seed)
        labels = np.broadcast_to(label, len(z)).copy()
        unknown = labels[(labels < 0) | (labels >= self.n_classes)]
        if len(unknown):
            known = f"classes 0 to {self.n_classes - 1}" if self.n_classes else "no classes"
            raise UsageError(f"Class {unknown[0]} cannot be decoded: the model knows {known}; leave the class out.")
        return self._decode(z, labels, draw_seed=draw_seed)

    @torch.no_grad()
    def prior_codes(self, n: int, *, seed: int = 0) -> Array:
        """Return n draws of p(z), (n, latent_dim); UsageError for an autoencoder, which has no prior."""
        if self.is_autoencoder:
            raise UsageError("An autoencoder has no prior to draw codes from; draw from its images' codes.")
        return self.model.prior().sample(n, self._generator(seed, Stream.PRIOR, 1)).cpu().numpy()

    @torch.no_grad()
    def aggregate_codes(self, n: int, *, seed: int = 0, indices: Indices | None = None) -> Array:
        """Return n draws, (n, latent_dim), of the aggregate posterior: the mean of q(z|x) over images.

        indices: those images, None: all. Each draw takes an image at random, then a code of it.
        """
        of = np.arange(len(self.pixels)) if indices is None else np.asarray(indices)
        generator = self._generator(seed, Stream.PRIOR, 2)
        chosen = of[torch.randint(len(of), (n,), generator=generator, device=generator.device).cpu().numpy()]
        codes = np.empty((n, self.latent_dim), dtype=np.float32)
        for first in range(0, n, _ENCODE_CHUNK):
            part = slice(first, first + _ENCODE_CHUNK)
            posterior = self.model.posterior(self.pixels.take_seeded(chosen[part], seed))
            noise = torch.empty(posterior.loc.shape, device=generator.device).normal_(generator=generator)
            codes[part] = posterior.rsample(noise).cpu().numpy()
        return codes

    # ---- images to codes ----------------------------------------------------------------------------------------

    def encode(
        self, indices: Indices, *, samples: int = SAMPLES, seed: int = 0, draw_seed: int | None = None
    ) -> EncodedArrays:
        """Return figures as `figures` does, and reconstructions: means of p(x|z), or draws of it by `draw_seed`."""
        figures = self.figures(indices, samples=samples, seed=seed)
        if self.n_classes == 0:
            return EncodedArrays(**vars(figures), reconstructions=self.decode(figures.loc, draw_seed=draw_seed))
        chances = self.class_probabilities(indices, seed=seed)
        images = self._decode(figures.loc, chances.argmax(1), draw_seed=draw_seed)
        return EncodedArrays(**vars(figures), reconstructions=images, class_probabilities=chances)

    def images(self, indices: Indices, *, seed: int = 0) -> Array:
        """Return images by index as the model sees them, (n, C, H, W); `seed` is for dynamic binarisation."""
        return self.pixels.take_seeded(indices, seed).cpu().numpy()

    @torch.no_grad()
    def class_probabilities(self, indices: Indices, *, seed: int = 0) -> Array:
        """Return q(y|x) of images by index, (n, n_classes), of a model that knows classes."""
        parts = [self._class_logits(part, seed).softmax(-1) for part in _chunks(indices, _ENCODE_CHUNK)]
        return _joined(parts)

    @torch.no_grad()
    def styles(self, indices: Indices, *, seed: int = 0) -> Array:
        """Return the mean style of images by index, (n, style_dim), of a model that knows classes."""
        return self._of_classes.styles(self.pixels.take_seeded(indices, seed)).cpu().numpy()

    @torch.no_grad()
    def style_codes(self, styles: Array, labels: Indices) -> Array:
        """Return the codes (n, latent_dim) that styles (n, style_dim) have under classes (n,)."""
        z, y = torch.tensor(styles), torch.tensor(labels)
        return self._of_classes.style_codes(z.to(self.pixels.device), y.to(self.pixels.device)).cpu().numpy()

    @torch.no_grad()
    def codes(self, indices: Indices) -> CodesArrays:
        """Return the codes of images by index (n,), with one-sample figures, always by the same noise."""
        chunks = _chunks(indices, _ENCODE_CHUNK)
        parts = [self._code_terms(part) for part in chunks]
        terms = [part for _, part in parts]
        distortion = _joined([part.distortion for part in terms])
        kl_per_dim = _joined_or_none([part.kl_per_dim for part in terms])
        kl = _joined_or_nan([part.kl for part in terms], like=distortion)
        predicted = None
        if self.n_classes:
            predicted = np.concatenate([self._class_logits(part, 0).argmax(-1).cpu().numpy() for part in chunks])
        return CodesArrays(
            indices=np.array(indices, dtype=np.int64),
            loc=_joined([posterior.loc for posterior, _ in parts]),
            scale=_joined([posterior.scale for posterior, _ in parts]),
            elbo=-(distortion + kl), kl=kl, distortion=distortion,
            kl_per_dim=None if kl_per_dim is None else kl_per_dim.mean(axis=0), predicted=predicted,
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
        terms = [part for _, part in parts]
        distortion = _joined([part.distortion for part in terms])
        kl = _joined_or_nan([part.kl for part in terms], like=distortion)
        return SampledFigures(
            indices=np.array(indices, dtype=np.int64),
            loc=_joined([posterior.loc for posterior, _ in parts]),
            scale=_joined([posterior.scale for posterior, _ in parts]),
            kl_per_dim=_joined_or_none([part.kl_per_dim for part in terms]),
            elbo=-(distortion + kl), kl=kl, distortion=distortion,
            elbo_mc_se=_joined([standard_error(part.elbo_draws) for part in terms]),
            kl_mc_se=_joined_or_none([_kl_error(part) for part in terms]),
        )  # fmt: skip

    @torch.no_grad()
    def terms(self, index: int, *, samples: int = SAMPLES, seed: int = 0) -> TermsArrays:
        """Return every term of the bound of one image by index, for each of `samples` codes."""
        x = self.pixels.take_seeded(np.array([index]), seed)
        noise = ImageNoise([index], samples=samples, latent_dim=self.latent_dim, seed=seed, device=x.device).part()
        drawn = drawn_terms(self.model, x, noise[:, 0], self._generator(seed, Stream.CODES, index))
        return TermsArrays(
            index=index, z=drawn.z.cpu().numpy(), log_likelihood=drawn.log_likelihood.cpu().numpy(),
            log_prior=drawn.log_prior.cpu().numpy(), log_posterior=drawn.log_posterior.cpu().numpy(),
            kl=None if drawn.kl is None else float(drawn.kl),
            kl_per_dim=None if drawn.kl_per_dim is None else drawn.kl_per_dim.cpu().numpy(),
            pixels=math.prod(self.model.shape), latent_dim=self.latent_dim,
        )  # fmt: skip

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _sample_chunk(self, indices: Indices, *, samples: int, seed: int) -> tuple[Posterior, Terms]:
        """Return posterior and terms, at most _ENCODE_CHUNK codes at once."""
        x = self.pixels.take_seeded(indices, seed)
        posterior = self.model.posterior(x)
        noise = ImageNoise(
            indices.tolist(), samples=samples, latent_dim=self.model.noise_dim, seed=seed, device=x.device
        ).part()
        at_once = max(1, _ENCODE_CHUNK // len(indices))
        parts = [image_terms(self.model, x, part, posterior=posterior) for part in noise.split(at_once)]
        return posterior, joined_samples(parts)

    def _code_terms(self, indices: Indices) -> tuple[Posterior, Terms]:
        x = self.pixels.take_seeded(indices, 0)
        generator = self._generator(int(indices[0]), Stream.CODES)
        noise = torch.empty(1, len(indices), self.model.noise_dim, device=x.device).normal_(generator=generator)
        posterior = self.model.posterior(x)
        return posterior, image_terms(self.model, x, noise, posterior=posterior)

    def _class_logits(self, indices: Indices, seed: int) -> Tensor:
        return self._of_classes.class_logits(self.pixels.take_seeded(indices, seed))

    @property
    def _of_classes(self) -> M2 | StackedM2:
        return cast(M2 | StackedM2, self.model)

    @torch.no_grad()
    def _decode(self, z: Array, labels: Indices | None, *, draw_seed: int | None) -> Array:
        """Decode codes (n, latent_dim), each under its class (n,) where there are classes."""
        images = np.empty((len(z), *self.model.shape), dtype=np.float32)
        generator = None if draw_seed is None else self._generator(draw_seed, Stream.DRAW)
        for first in range(0, len(z), DECODE_CHUNK):
            part = slice(first, first + DECODE_CHUNK)
            codes = torch.tensor(z[part], dtype=torch.float32).to(self.pixels.device)
            likelihood = self._likelihood(codes, None if labels is None else torch.as_tensor(labels[part]))
            images[part] = _image(likelihood, generator).cpu().numpy()
        return images

    def _likelihood(self, z: Tensor, labels: Tensor | None) -> Likelihood:
        """p(x|z) of codes (n, latent_dim); of a model that knows classes p(x|y,z), where these are given, (n,)."""
        if labels is None:
            return self.model.likelihood(z)
        knowing = cast(M2 | StackedM2, self.model)
        return knowing.likelihood(z, one_hot(labels.to(z.device), self.n_classes))

    def _generator(self, *seeds: int) -> torch.Generator:
        return seeded_generator(*seeds, device=self.pixels.device)


class FrozenModel(ModelReader):
    """A reader of its own copy of the weights, which nobody changes: it may be asked from any thread."""

    @classmethod
    def of(cls, reader: ModelReader) -> Self:
        """Copy the weights of another reader; the images, which never change, are shared."""
        model = copied_module(reader.model)
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


def _joined_or_nan(parts: list[Tensor | None], *, like: Array) -> Array:
    joined = _joined_or_none(parts)
    return np.full_like(like, np.nan) if joined is None else joined


def _kl_error(terms: Terms) -> Tensor | None:
    """Standard error (B,) of a sampled kl; None for one in closed form."""
    if terms.is_kl_exact or terms.log_weight is None:
        return None
    return standard_error(terms.log_likelihood - terms.log_weight)
