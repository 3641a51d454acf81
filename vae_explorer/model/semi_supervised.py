"""M2, a VAE whose code is a class and a style, and M2 stacked on the codes of a VAE, M1+M2 (Kingma et al. 2014)."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from vae_explorer.config import ModelConfig, RunConfig
from vae_explorer.model.class_conditional import ClassConditional, one_hot
from vae_explorer.model.heads import build_head, decoder_channels, learnt_log_scale, log_scale_floor
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.model import Model, check_memory
from vae_explorer.model.networks import Shape
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.priors import Prior, StandardNormal

PRIOR_SAMPLES = 256
"""Upper codes from which log p(z) of a stacked model's codes is estimated, where it is only looked at."""


def build_semi_supervised(
    config: RunConfig, shape: Shape, max_value: int, *, n_classes: int, bytes_per_parameter: int
) -> M2 | StackedM2:
    """Return an M2 or M1+M2 of images (C, H, W) whose layers have no values yet; ConfigError as `build_model`."""
    kind = StackedM2 if config.model.kind == "m1m2" else M2
    return kind(config.model, shape, max_value=max_value, n_classes=n_classes, bytes_per_parameter=bytes_per_parameter)


class M2(nn.Module):
    """q(y|x) q(z|x,y), p(x|y,z), p(y) uniform, p(z) = N(0, I): what it has of a `Model`, and its classes.

    parts: the three networks. Its code is z, which holds what the class does not, the style. Where one code is asked of
    an image, it is that under the most probable class.
    """

    kind = "m2"
    is_autoencoder = False
    has_standard_prior = True

    def __init__(
        self, config: ModelConfig, shape: Shape, *, max_value: int, n_classes: int, bytes_per_parameter: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.n_classes = n_classes
        self.latent_dim = self.style_dim = self.noise_dim = config.latent_dim
        self._decoded = (decoder_channels(config, shape), *shape[1:])
        with torch.device("meta"):
            self.parts = ClassConditional(
                config, n_classes=n_classes, inputs=math.prod(shape), outputs=math.prod(self._decoded),
                code_dim=config.latent_dim, event_dims=3, emission=self._images,
            )  # fmt: skip
        check_memory(self, bytes_per_parameter)
        self.to_empty(device="cpu")
        self.head = build_head(config, shape, max_value=max_value)
        self._prior = StandardNormal(config.latent_dim)

    def _images(self, raw: Tensor) -> Likelihood:
        return cast(Likelihood, self.head(raw.unflatten(-1, self._decoded)))

    def class_logits(self, x: Tensor) -> Tensor:
        """Return logits of q(y|x), (B, n_classes), for images (B, C, H, W) in [0, 1]."""
        return self.parts.class_logits(x)

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """Return q(z|x,y) at the most probable class of each image."""
        return self.posterior_given(x, self._most_probable(x))

    def posterior_given(self, x: Tensor, y: Tensor) -> DiagonalNormal:
        """Return q(z|x,y), (B, latent_dim), for classes y (B, n_classes), one-hot."""
        return self.parts.posterior(x, y)

    def prior(self) -> StandardNormal:
        """Return p(z)."""
        return self._prior

    def likelihood(self, z: Tensor, y: Tensor | None = None) -> Likelihood:
        """Return p(x|y,z) for codes (..., latent_dim) and classes (..., n_classes), one-hot; without classes p(x|z)."""
        if y is not None:
            return cast(Likelihood, self.parts.likelihood(z, y))
        return ClassMixture(cast(Likelihood, self.parts.likelihood_each(z.unsqueeze(-2))), self.n_classes)

    def styles(self, x: Tensor) -> Tensor:
        """Return the mean style of images, (B, style_dim): what `style_codes` takes."""
        return self.posterior(x).loc

    def style_codes(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return the codes of styles (n, style_dim) under classes (n,), whole numbers: here the styles themselves."""
        return z

    def _most_probable(self, x: Tensor) -> Tensor:
        return one_hot(self.class_logits(x).argmax(-1), self.n_classes)

    @property
    def learnt_log_scale(self) -> nn.Parameter | None:
        """As of a `Model`."""
        return learnt_log_scale(self.head)

    @property
    def log_scale_floor(self) -> float:
        """As of a `Model`."""
        return log_scale_floor(self.head)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


class StackedM2(Model):
    """M1+M2: a VAE, and on its codes z1 an M2 whose own codes z2 hold the style; p(z1|y,z2) is a diagonal normal.

    The VAE is trained alone first, with the prior N(0, I); then it stands still and `parts`, the M2, is trained on
    draws of q(z1|x). Its code, what is mapped and decoded, is z1, on which alone the image depends.
    """

    _stacked: Tensor

    def __init__(
        self, config: ModelConfig, shape: Shape, *, max_value: int, n_classes: int, bytes_per_parameter: int
    ) -> None:
        super().__init__(config, shape, max_value=max_value, bytes_per_parameter=bytes_per_parameter)
        self.n_classes = n_classes
        self.style_dim = config.style_dim
        self.noise_dim = config.latent_dim + config.style_dim
        with torch.device("meta"):
            self.parts = ClassConditional(
                config, n_classes=n_classes, inputs=config.latent_dim, outputs=2 * config.latent_dim,
                code_dim=config.style_dim, event_dims=1, emission=DiagonalNormal.from_parameters,
            )  # fmt: skip
        check_memory(self.parts, bytes_per_parameter)
        self.parts.to_empty(device="cpu")
        # A tensor, so that it is stored and copied with the weights that it tells of.
        self.register_buffer("_stacked", torch.zeros((), dtype=torch.float32))

    @property
    def is_stacked(self) -> bool:
        """Whether M2 has been trained at all, so that the prior of z1 is M2's; waits for the device."""
        return bool(self._stacked.item())

    def split_noise(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise of z1 (..., latent_dim) and of z2 (..., style_dim), of noise (..., noise_dim)."""
        return noise[..., : self.latent_dim], noise[..., self.latent_dim :]

    def stack(self) -> None:
        """Take M2 for the prior of z1 from now on."""
        self._stacked.fill_(1.0)

    @property
    def has_standard_prior(self) -> bool:
        """Whether p(z1) is still that of the VAE alone."""
        return not self.is_stacked

    def prior(self) -> Prior:
        """Return p(z1): N(0, I) while the VAE is trained, then that of M2."""
        return StackedPrior(self.parts) if self.is_stacked else super().prior()

    def likelihood(self, z: Tensor, y: Tensor | None = None) -> Likelihood:
        """Return p(x|z1), which is the same under every class: that acts through the code."""
        return super().likelihood(z)

    def class_logits(self, x: Tensor) -> Tensor:
        """Return logits of q(y|z1) at the mean code of images (B, C, H, W): (B, n_classes)."""
        return self.parts.class_logits(self.posterior(x).loc)

    def styles(self, x: Tensor) -> Tensor:
        """Return the mean style z2 of images, (B, style_dim), at their mean codes and most probable classes."""
        z1 = self.posterior(x).loc
        return self.parts.posterior(z1, one_hot(self.parts.class_logits(z1).argmax(-1), self.n_classes)).loc

    def style_codes(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return the mean codes z1 of styles z2 (n, style_dim) under classes (n,), whole numbers: (n, latent_dim)."""
        return cast(DiagonalNormal, self.parts.likelihood(z, one_hot(labels, self.n_classes))).loc


class ClassMixture:
    """p(x|z) = sum_y p(y) p(x|y,z), the classes summed out, p(y) uniform; `each` is p(x|y,z), (..., Y, C, H, W)."""

    __slots__ = ("each", "n_classes")

    def __init__(self, each: Likelihood, n_classes: int) -> None:
        self.each = each
        self.n_classes = n_classes

    @property
    def is_density(self) -> bool:
        """As of each class."""
        return self.each.is_density

    @property
    def mean(self) -> Tensor:
        """Mean image over all classes, (..., C, H, W)."""
        return self.each.mean.mean(-4)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x|z), (...,), nats per image."""
        return torch.logsumexp(self.each.log_prob(x.unsqueeze(-4)), dim=-1) - math.log(self.n_classes)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return a draw of images, (..., C, H, W): of a drawn class each."""
        drawn = self.each.sample(generator)  # (..., Y, C, H, W)
        chances = torch.full((self.n_classes,), 1.0 / self.n_classes, device=drawn.device)
        flat = drawn.flatten(0, -5)
        labels = torch.multinomial(chances, len(flat), replacement=True, generator=generator)
        return flat[torch.arange(len(flat), device=flat.device), labels].view(*drawn.shape[:-4], *drawn.shape[-3:])


class StackedPrior:
    """p(z1) = sum_y p(y) E p(z1|y,z2) under an M2: its draws are exact, its density is an estimate."""

    __slots__ = ("_parts",)

    def __init__(self, parts: ClassConditional) -> None:
        self._parts = parts

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws, (n, latent_dim): a class, a style, then a code of both."""
        parts, device = self._parts, generator.device
        labels = torch.randint(parts.n_classes, (n,), generator=generator, device=device)
        z2 = torch.randn(n, parts.code_dim, generator=generator, device=device)
        codes = cast(DiagonalNormal, parts.likelihood(z2, one_hot(labels, parts.n_classes)))
        return codes.rsample(torch.randn(codes.loc.shape, generator=generator, device=device))

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z1), (...,), for z1 (..., latent_dim): by PRIOR_SAMPLES importance weights, hence a little low.

        The draws are always the same, so that the same code has the same figure.
        """
        generator = seeded_generator(0, Stream.PRIOR)
        noise = torch.randn(PRIOR_SAMPLES, self._parts.code_dim, generator=generator).to(z.device)
        weights = torch.stack([log_marginal_weight(self._parts, z, draw.expand(*z.shape[:-1], -1)) for draw in noise])
        return torch.logsumexp(weights, 0) - math.log(PRIOR_SAMPLES)


def log_marginal_weight(parts: ClassConditional, observed: Tensor, noise: Tensor) -> Tensor:
    """Return log sum_y p(y) p(o|y,z_y) p(z_y) / q(z_y|o,y), (...,), nats, z_y drawn from noise (..., code_dim).

    Its exp is an unbiased estimate of p(o): every class is enumerated, with the same noise.
    """
    posterior = parts.posterior_each(observed)  # (..., Y, code_dim)
    z = posterior.rsample(noise.unsqueeze(-2))
    weight = parts.likelihood_each(z).log_prob(parts.before_classes(observed))  # (..., Y)
    weight = weight + StandardNormal(parts.code_dim).log_prob(z) - posterior.log_prob(z)
    return torch.logsumexp(weight, dim=-1) + parts.log_prior
