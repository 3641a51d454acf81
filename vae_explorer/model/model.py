"""A model is three distributions: posterior q(z|x), prior p(z) and likelihood p(x|z)."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_explorer.config import ModelConfig, RunConfig
from vae_explorer.data.image_data import ImageRows
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import ConfigError
from vae_explorer.model.heads import build_head, decoder_channels, learnt_log_scale, log_scale_floor
from vae_explorer.model.latents import DiagonalNormal, Point, Posterior
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.networks import Shape, build_networks, initialise
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.priors import MixturePrior, Prior, StandardNormal, VampPrior

LOOKING_BYTES = 4
"""Memory a parameter where a model is only asked."""
TRAINING_BYTES = 16
"""Memory a parameter where a model is trained: itself, its gradient and Adam's two moments."""


class Model(nn.Module):
    """Encoder, decoder and head of a VAE or an autoencoder; `shape` is (C, H, W) of its images.

    kind: as in the configuration. noise_dim: standard normal numbers that a draw of all codes of an image takes.
    n_classes: classes that the model itself knows, none here. learnt_prior: parameters of a prior other than N(0, I).
    """

    def __init__(self, config: ModelConfig, shape: Shape, *, max_value: int, bytes_per_parameter: int) -> None:
        super().__init__()
        self.shape = shape
        self.kind = config.kind
        self.latent_dim = self.noise_dim = config.latent_dim
        self.n_classes = 0
        self.is_autoencoder = config.kind == "autoencoder"
        outputs = config.latent_dim * (1 if self.is_autoencoder else 2)
        # On the meta device nothing is drawn: the weights are drawn once, by the session's own generator.
        with torch.device("meta"):
            self.encoder, self.decoder = build_networks(
                config, shape, encoder_outputs=outputs, decoder_channels=decoder_channels(config, shape)
            )
            self.learnt_prior = None if self.is_autoencoder else _build_prior(config, shape)
        check_memory(self, bytes_per_parameter)
        self.to_empty(device="cpu")
        self._posterior_of = Point if self.is_autoencoder else DiagonalNormal.from_parameters
        self.head = build_head(config, shape, max_value=max_value)
        self._standard_normal = StandardNormal(config.latent_dim)

    def posterior(self, x: Tensor) -> Posterior:
        """Return q(z|x) for images (B, C, H, W) in [0, 1]."""
        return self._posterior_of(self.encoder(x))

    def prior(self) -> Prior:
        """Return p(z) with the weights of now; to be asked anew after an update.

        An autoencoder has none; what stands here for it is never read.
        """
        if isinstance(self.learnt_prior, VampPrior):
            return self.learnt_prior(self.encoder)
        if self.learnt_prior is not None:
            return self.learnt_prior()
        return self._standard_normal

    def likelihood(self, z: Tensor) -> Likelihood:
        """Return p(x|z) for codes (B, latent_dim)."""
        return cast(Likelihood, self.head(self.decoder(z)))

    @property
    def has_standard_prior(self) -> bool:
        """Whether p(z) is N(0, I), to which KL[q ‖ p] has a closed form."""
        return self.learnt_prior is None

    @property
    def learnt_log_scale(self) -> nn.Parameter | None:
        """The learnt log scale of the likelihood, one number or (C, H, W), or None."""
        return learnt_log_scale(self.head)

    @property
    def log_scale_floor(self) -> float:
        """Below which a learnt log scale is not let: log(1 / max_value) for a Gaussian."""
        return log_scale_floor(self.head)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


def _build_prior(config: ModelConfig, shape: Shape) -> MixturePrior | VampPrior | None:
    if config.prior == "mixture":
        return MixturePrior(components=config.components, latent_dim=config.latent_dim)
    if config.prior == "vampprior":
        return VampPrior(components=config.components, shape=shape)
    return None


def check_memory(model: nn.Module, bytes_per_parameter: int) -> None:
    """Raise ConfigError when a model on the meta device would take more than half of the free memory."""
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    needed, most = n_parameters * bytes_per_parameter, free_memory_bytes() // 2
    if needed > most:
        raise ConfigError(
            f"The model has {n_parameters:,} parameters, which take {needed / 2**30:,.2f} GiB; expected at most half "
            f"of the free memory ({most / 2**30:,.2f} GiB); lower model.hidden, model.channels or the images' size."
        )


def build_model(
    config: RunConfig,
    shape: Shape,
    max_value: int,
    *,
    n_classes: int = 0,
    examples: NDArray[np.uint8] | ImageRows | None = None,
    bytes_per_parameter: int = LOOKING_BYTES,
) -> Model:
    """Return a fresh model on the CPU, its weights a function of train.seed (and of `examples`) alone.

    n_classes: classes of the labels, for m2 and m1m2. examples: images to train on, uint8 (n, C, H, W), which the
    pseudo-images of a VampPrior start from. bytes_per_parameter: LOOKING_BYTES or TRAINING_BYTES. Raises ConfigError
    when the network does not fit images of `shape` (C, H, W), or would take more than half of the free memory; then
    nothing is allocated.
    """
    settings = config.model
    generator = seeded_generator(config.train.seed, Stream.WEIGHTS)
    if settings.kind in ("m2", "m1m2"):
        # Here, since that module needs this one.
        from vae_explorer.model.semi_supervised import build_semi_supervised

        model = cast(
            Model,
            build_semi_supervised(
                config, shape, max_value, n_classes=n_classes, bytes_per_parameter=bytes_per_parameter
            ),
        )
    else:
        model = Model(settings, shape, max_value=max_value, bytes_per_parameter=bytes_per_parameter)
    initialise(model, generator, how=settings.init, scale=settings.init_scale)
    _initialise_prior(model, generator, examples, max_value=max_value)
    return model


def _initialise_prior(
    model: Model, generator: torch.Generator, examples: NDArray[np.uint8] | ImageRows | None, *, max_value: int
) -> None:
    prior = getattr(model, "learnt_prior", None)
    if isinstance(prior, MixturePrior):
        prior.initialise(generator)
    elif isinstance(prior, VampPrior):
        prior.initialise(generator, examples, max_value=max_value)
