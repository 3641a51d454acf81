"""A Gaussian prior over weights, whose cost makes training maximum a posteriori (Kingma & Welling 2014, section 5)."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from vae_explorer.config import RunConfig

_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class WeightPrior:
    """N(0, s²) over weights and biases of all layers; not over learnt scales, priors or pseudo-images."""

    def __init__(self, deviation: float, *, n_images: int) -> None:
        self._factor = 1.0 / (2.0 * deviation**2 * n_images)

    @classmethod
    def of(cls, config: RunConfig, *, n_images: int) -> Self | None:
        """Return the prior that objective.weight_prior asks for, or None; n_images: that are trained on."""
        deviation = config.objective.weight_prior
        return None if deviation is None else cls(deviation, n_images=n_images)

    def cost(self, model: nn.Module) -> Tensor:
        """Return |w|² / (2 s² N), a scalar, nats per image: -log p(w) but for its constant, shared among the images."""
        squares = [
            parameter.square().sum()
            for layer in model.modules()
            if isinstance(layer, _LAYERS)
            for parameter in layer.parameters(recurse=False)
        ]
        return torch.stack(squares).sum() * self._factor
