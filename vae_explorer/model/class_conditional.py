"""The three networks of M2 over what is observed: q(y|o), q(z|o,y) and p(o|y,z) (Kingma et al. 2014, section 2.1).

What is observed, o, is an image for M2 alone and a code of the VAE below where M2 is stacked on one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from vae_explorer.config import ModelConfig
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.networks import ACTIVATIONS, dense

Emission = Callable[[Tensor], Likelihood | DiagonalNormal]
"""Reads what the decoder gives, (..., outputs), as p(o|y,z)."""


class ClassNetwork(nn.Module):
    """A fully connected network of (a, y), y a class as a one-hot row.

    Its first layer, W (a, y) + b, is worked as W_a a + W_y y + b, so that a is multiplied once for all classes.
    """

    def __init__(self, widths: list[int], n_classes: int, activation: type[nn.Module]) -> None:
        super().__init__()
        inputs, first, *others = widths
        self._inputs = inputs
        self.first = nn.Linear(inputs + n_classes, first)
        self.rest = nn.Sequential(*([activation(), *dense([first, *others], activation)] if others else []))

    def forward(self, a: Tensor, y: Tensor) -> Tensor:
        """Return (..., outputs) for a (..., inputs) under classes y (..., n_classes)."""
        of_a, of_y = self._columns()
        return self.rest(F.linear(a, of_a, self.first.bias) + F.linear(y, of_y))

    def each(self, a: Tensor) -> Tensor:
        """Return (..., n_classes, outputs), row y under class y, for a (..., n_classes, inputs) or (..., 1, inputs)."""
        of_a, of_y = self._columns()
        return self.rest(F.linear(a, of_a, self.first.bias) + of_y.t())

    def _columns(self) -> tuple[Tensor, Tensor]:
        return self.first.weight[:, : self._inputs], self.first.weight[:, self._inputs :]


class ClassConditional(nn.Module):
    """q(y|o), q(z|o,y), p(o|y,z) and p(y) = 1 / n_classes, for o (..., *event) of `event_dims` dimensions an event.

    `each` in a name: under every class at once, the classes on a dimension of their own, the last before the event.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        n_classes: int,
        inputs: int,
        outputs: int,
        code_dim: int,
        event_dims: int,
        emission: Emission,
    ) -> None:
        """inputs: numbers in an event; outputs: numbers that `emission` reads; code_dim: numbers in z."""
        super().__init__()
        activation, hidden = ACTIVATIONS[config.activation], list(config.hidden)
        self.n_classes, self.code_dim = n_classes, code_dim
        self.log_prior = -math.log(n_classes)
        self._event_dims = event_dims
        self._emission = emission
        self.classifier = nn.Sequential(*dense([inputs, *hidden, n_classes], activation))
        self.encoder = ClassNetwork([inputs, *hidden, 2 * code_dim], n_classes, activation)
        self.decoder = ClassNetwork([code_dim, *reversed(hidden), outputs], n_classes, activation)

    def class_logits(self, observed: Tensor) -> Tensor:
        """Return logits of q(y|o), (..., n_classes)."""
        return self.classifier(observed.flatten(-self._event_dims))

    def posterior(self, observed: Tensor, y: Tensor) -> DiagonalNormal:
        """Return q(z|o,y), (..., code_dim), for classes y (..., n_classes), one-hot."""
        return DiagonalNormal.from_parameters(self.encoder(observed.flatten(-self._event_dims), y))

    def posterior_each(self, observed: Tensor) -> DiagonalNormal:
        """Return q(z|o,y) of every class, (..., n_classes, code_dim)."""
        return DiagonalNormal.from_parameters(self.encoder.each(observed.flatten(-self._event_dims).unsqueeze(-2)))

    def likelihood(self, z: Tensor, y: Tensor) -> Likelihood | DiagonalNormal:
        """Return p(o|y,z) for z (..., code_dim) and classes y (..., n_classes), one-hot."""
        return self._emission(self.decoder(z, y))

    def likelihood_each(self, z: Tensor) -> Likelihood | DiagonalNormal:
        """Return p(o|y,z) of every class, for z (..., n_classes, code_dim), or (..., 1, code_dim)."""
        return self._emission(self.decoder.each(z))

    @property
    def image_axis(self) -> int:
        """The dimension of what is observed that tells images apart, counted from the last."""
        return -self._event_dims - 1

    def before_classes(self, observed: Tensor) -> Tensor:
        """Return o as (..., 1, *event), to be compared with `likelihood_each`."""
        return observed.unsqueeze(self.image_axis)


def one_hot(labels: Tensor, n_classes: int) -> Tensor:
    """Return float32 (..., n_classes) for whole numbers (...,)."""
    return F.one_hot(labels.long(), n_classes).to(torch.float32)
