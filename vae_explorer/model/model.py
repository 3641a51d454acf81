"""A model is three distributions: posterior q(z|x), prior p(z) and likelihood p(x|z)."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from vae_explorer.config import ModelConfig, RunConfig
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import ConfigError
from vae_explorer.model.latents import DiagonalNormal, Point, Posterior, StandardNormal
from vae_explorer.model.likelihoods import Bernoulli, Gaussian, Likelihood
from vae_explorer.model.networks import Shape, build_networks, initialise
from vae_explorer.model.noise import Stream, seeded_generator

INITIAL_SCALE = 0.25
"""Where a learnt scale starts: about the standard deviation of grey pixels around their mean image."""

LOOKING_BYTES = 4
"""Memory a parameter where a model is only asked."""
TRAINING_BYTES = 16
"""Memory a parameter where a model is trained: itself, its gradient and Adam's two moments."""


class BernoulliHead(nn.Module):
    """Reads a decoder's output as logits."""

    def forward(self, raw: Tensor) -> Bernoulli:
        """Return p(x|z) for raw (..., C, H, W)."""
        return Bernoulli(raw)


class GaussianHead(nn.Module):
    """Reads a decoder's output as means, kept in (0, 1) by a sigmoid (Kingma & Welling 2014, section 5).

    `log_scale` is one number for all pixels, a parameter where the variance is learnt. A learnt scale has the floor
    1 / max_value: the density of constant pixels would run off without one.
    """

    log_scale: Tensor

    def __init__(self, scale: float, *, is_learnt: bool, floor: float) -> None:
        super().__init__()
        self.log_floor = math.log(floor)
        log_scale = torch.tensor(math.log(scale), dtype=torch.float32)
        if is_learnt:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=False)

    def forward(self, raw: Tensor) -> Gaussian:
        """Return p(x|z) for raw (..., C, H, W)."""
        return Gaussian(torch.sigmoid(raw), self.log_scale)


class Model(nn.Module):
    """Encoder, decoder and head of a VAE or an autoencoder; `shape` is (C, H, W) of its images."""

    def __init__(self, config: ModelConfig, shape: Shape, *, max_value: int, bytes_per_parameter: int) -> None:
        super().__init__()
        self.shape = shape
        self.latent_dim = config.latent_dim
        self.is_autoencoder = config.kind == "autoencoder"
        outputs = config.latent_dim * (1 if self.is_autoencoder else 2)
        # On the meta device nothing is drawn: the weights are drawn once, by the session's own generator.
        with torch.device("meta"):
            self.encoder, self.decoder = build_networks(config, shape, encoder_outputs=outputs)
        _check_memory(self, bytes_per_parameter)
        self.to_empty(device="cpu")
        self._posterior_of = Point if self.is_autoencoder else DiagonalNormal.from_parameters
        self.head = _build_head(config, floor=1.0 / max_value)
        self._prior = StandardNormal()

    def posterior(self, x: Tensor) -> Posterior:
        """Return q(z|x) for images (B, C, H, W) in [0, 1]."""
        return self._posterior_of(self.encoder(x))

    def prior(self) -> StandardNormal:
        """Return p(z). An autoencoder has none; what stands here for it is never read."""
        return self._prior

    def likelihood(self, z: Tensor) -> Likelihood:
        """Return p(x|z) for codes (B, latent_dim)."""
        return cast(Likelihood, self.head(self.decoder(z)))

    @property
    def learnt_log_scale(self) -> nn.Parameter | None:
        """The one learnt log standard deviation of a Gaussian likelihood, or None."""
        scale = getattr(self.head, "log_scale", None)
        return scale if isinstance(scale, nn.Parameter) else None

    @property
    def log_scale_floor(self) -> float:
        """log(1 / max_value), below which a learnt log scale is not let."""
        return cast(float, getattr(self.head, "log_floor", -math.inf))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


def _build_head(config: ModelConfig, *, floor: float) -> nn.Module:
    if config.likelihood == "bernoulli":
        return BernoulliHead()
    if config.variance == "learnt":
        return GaussianHead(max(INITIAL_SCALE, floor), is_learnt=True, floor=floor)
    return GaussianHead(1.0 if config.variance == "unit" else config.scale, is_learnt=False, floor=floor)


def _check_memory(model: nn.Module, bytes_per_parameter: int) -> None:
    """Raise ConfigError when a model on the meta device would take more than half of the free memory."""
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    needed, most = n_parameters * bytes_per_parameter, free_memory_bytes() // 2
    if needed > most:
        raise ConfigError(
            f"The model has {n_parameters:,} parameters, which take {needed / 2**30:,.2f} GiB; expected at most half "
            f"of the free memory ({most / 2**30:,.2f} GiB); lower model.hidden, model.channels or the images' size."
        )


def build_model(config: RunConfig, shape: Shape, max_value: int, *, bytes_per_parameter: int = LOOKING_BYTES) -> Model:
    """Return a fresh model on the CPU, its weights a function of train.seed alone.

    bytes_per_parameter: LOOKING_BYTES or TRAINING_BYTES. Raises ConfigError when the network does not fit images of
    `shape` (C, H, W), or would take more than half of the free memory; then nothing is allocated.
    """
    model = Model(config.model, shape, max_value=max_value, bytes_per_parameter=bytes_per_parameter)
    initialise(model, seeded_generator(config.train.seed, Stream.WEIGHTS))
    return model
