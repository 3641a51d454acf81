"""Models whose answers are known: a linear one with a Gaussian likelihood, and small ones trained on the digits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats
import torch

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.model.model import build_model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.training.session import TrainingSession

SIDE, N, SCALE = 4, 24, 0.3


@dataclass(frozen=True)
class Linear:
    """p(x|z) = N(W z + b, scale²) and q(z|x) = N(A x + a, s²): every figure of it has a closed form."""

    model: FrozenModel
    data: ImageData
    x: np.ndarray  # (N, D), float64
    weights: np.ndarray  # (D, d)
    bias: np.ndarray
    scale: float = SCALE

    @property
    def log_px(self) -> np.ndarray:
        """log p(x) of every image, (N,)."""
        covariance = self.weights @ self.weights.T + self.scale**2 * np.eye(len(self.weights))
        return scipy.stats.multivariate_normal(self.bias, covariance).logpdf(self.x)

    @property
    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Means (N, d) and the covariance (d, d) of p(z|x)."""
        covariance = np.linalg.inv(np.eye(self.weights.shape[1]) + self.weights.T @ self.weights / self.scale**2)
        return (self.x - self.bias) @ self.weights @ covariance / self.scale**2, covariance

    def gap(self, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """KL[q ‖ p(z|x)] of Gaussians loc, scale (N, d), (N,)."""
        mean, covariance = self.posterior
        precision, away = np.linalg.inv(covariance), loc - mean
        trace = (np.diag(precision) * scale**2).sum(1)
        square = np.einsum("ni,ij,nj->n", away, precision, away)
        return 0.5 * (trace + square - loc.shape[1] + np.linalg.slogdet(covariance)[1] - 2 * np.log(scale).sum(1))


def linear(latent_dim: int, *, correlated: bool = True, seed: int = 0) -> Linear:
    """A linear model with drawn weights; correlated: whether the true posterior's dimensions are, unlike those of q."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 17, (N, 1, SIDE, SIDE), dtype=np.uint8)
    every = np.arange(N)
    data = ImageData(images, 16, Splits(every[:4], every[4:8], every[8:]), Provenance("array", "noise"))
    config = RunConfig().with_values({
        "model.hidden": [], "model.latent_dim": latent_dim, "model.likelihood": "gaussian", "model.variance": "fixed",
        "model.scale": SCALE, "model.output": "identity", "train.device": "cpu",
    })  # fmt: skip
    model = build_model(config, data.shape, 16).requires_grad_(False)
    weights = generator.normal(0, 0.25, (SIDE**2, latent_dim))
    if not correlated:
        weights = np.linalg.qr(weights)[0]
    decoder, encoder = model.decoder[0], model.encoder[1]
    decoder.weight.copy_(torch.tensor(weights))
    decoder.bias.fill_(0.5)
    encoder.weight.copy_(0.1 * torch.randn(encoder.weight.shape, generator=torch.Generator().manual_seed(seed)))
    encoder.weight[latent_dim:] = 0
    encoder.bias[latent_dim:] = -1.0
    frozen = FrozenModel(step=7, config=config, model=model, pixels=Pixels(data, config, torch.device("cpu")))
    used = decoder.weight.numpy().astype(np.float64)
    return Linear(frozen, data, images.reshape(N, -1) / 16.0, used, np.full(SIDE**2, 0.5))


def bright(latent_dim: int, *, scale: float, seed: int = 0) -> Linear:
    """A linear model of 28 x 28 images of a bright background, with small noise and posteriors that are not narrow."""
    generator = np.random.default_rng(seed)
    weights = 2 * scale * np.linalg.qr(generator.normal(size=(784, latent_dim)))[0]
    x = 0.9 + generator.normal(size=(N, latent_dim)) @ weights.T + scale * generator.normal(size=(N, 784))
    images = np.clip(np.round(255 * x), 0, 255).astype(np.uint8)
    every = np.arange(N)
    data = ImageData(
        images.reshape(N, 1, 28, 28), 255, Splits(every[:4], every[4:8], every[8:]), Provenance("array", "noise")
    )
    config = RunConfig().with_values({
        "model.hidden": [], "model.latent_dim": latent_dim, "model.likelihood": "gaussian", "model.variance": "fixed",
        "model.scale": scale, "model.output": "identity", "train.device": "cpu",
    })  # fmt: skip
    model = build_model(config, data.shape, 255).requires_grad_(False)
    decoder, encoder = model.decoder[0], model.encoder[1]
    decoder.weight.copy_(torch.tensor(weights))
    decoder.bias.fill_(0.9)
    encoder.weight.zero_()
    encoder.bias[latent_dim:] = -1.0
    frozen = FrozenModel(step=7, config=config, model=model, pixels=Pixels(data, config, torch.device("cpu")))
    used, bias = decoder.weight.numpy().astype(np.float64), decoder.bias.numpy().astype(np.float64)
    return Linear(frozen, data, frozen.images(every).reshape(N, -1).astype(np.float64), used, bias, scale)


def mirrored() -> tuple[FrozenModel, ImageData]:
    """p(x|z) = N(1/2 + |z| w, scale²), z one number: every true posterior has two like modes, and q covers one."""
    w, code = np.full(SIDE**2, 0.3), 1.4
    images = np.round(16 * np.clip(0.5 + code * w, 0, 1)).astype(np.uint8).reshape(1, 1, SIDE, SIDE).repeat(N, 0)
    every = np.arange(N)
    data = ImageData(images, 16, Splits(every[:4], every[4:8], every[8:]), Provenance("array", "noise"))
    config = RunConfig().with_values({
        "model.hidden": [2], "model.latent_dim": 1, "model.likelihood": "gaussian", "model.variance": "fixed",
        "model.scale": SCALE, "model.output": "identity", "train.device": "cpu",
    })  # fmt: skip
    model = build_model(config, data.shape, 16).requires_grad_(False)
    for layer in (model.encoder[1], model.encoder[3], model.decoder[0]):
        layer.weight.zero_()
        layer.bias.zero_()
    model.decoder[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
    model.decoder[2].weight.copy_(torch.tensor(w).unsqueeze(1).expand(-1, 2))
    model.decoder[2].bias.fill_(0.5)
    precision = 1 + w @ w / SCALE**2
    mean = (images[0].reshape(-1) / 16 - 0.5) @ w / SCALE**2 / precision
    model.encoder[3].bias.copy_(torch.tensor([mean, 0.1 - 0.5 * math.log(precision)]))
    return FrozenModel(step=7, config=config, model=model, pixels=Pixels(data, config, torch.device("cpu"))), data


def trained(config: RunConfig, data: ImageData, *, steps: int = 20, **values: object) -> FrozenModel:
    """Train for some steps with settings changed, 'model__latent_dim=3' for model.latent_dim."""
    session = TrainingSession.new(config.with_values({key.replace("__", "."): v for key, v in values.items()}), data)
    for _ in range(steps):
        session.advance()
    return session.frozen()
