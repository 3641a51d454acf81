"""The records of an objective: what goes in, one record of per-image figures, and the means that come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Live:
    """What may change while it trains, as scalars on the device, so that a change touches no code path.

    beta: weight of the KL, its warm-up included. free_bits: nats of each dimension's mean KL that cost nothing.
    """

    beta: Tensor
    free_bits: Tensor


class Peers(Protocol):
    """Those who hold the other images of a batch that several processes share; all must call alike."""

    def mean(self, own: Tensor) -> Tensor:
        """Return the mean over the whole batch of what is a mean over the own images."""

    def rows(self, own: Tensor) -> Tensor:
        """Return what the whole batch has, for the rows (B, ...) of the own images."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images x (B, C, H, W) in [0, 1], and what else an objective asks for.

    labels: int64 (n,), n <= B, the classes of the first n images, or None. prior_z: draws of the prior (B, latent_dim)
    for the objectives that compare codes with them (`Objective.needs_prior_codes`), or None. peers: who holds the rest
    of a shared batch, where a quantity of the whole is asked for; prior_z is that of the whole batch then.
    """

    x: Tensor
    labels: Tensor | None = None
    prior_z: Tensor | None = None
    peers: Peers | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Per-image figures of a batch, nats per image.

    log_likelihood: log p(x|z) of each of K codes, (K, B). kl: KL[q(z|x) ‖ p(z)], (B,): the closed form wherever there
    is one, else the mean over the K codes; None for an autoencoder. kl_per_dim: (B, latent_dim), None where the prior
    does not factorise. log_weight: log p(x|z) + log p(z) - log q(z|x), (K, B), where it was asked for or is the only
    way to the KL. z: the codes, (K, B, latent_dim), where there are such. is_kl_exact: whether the kl is a closed form.
    """

    log_likelihood: Tensor
    kl: Tensor | None
    kl_per_dim: Tensor | None = None
    log_weight: Tensor | None = None
    z: Tensor | None = None
    is_kl_exact: bool = True

    @property
    def distortion(self) -> Tensor:
        """-E_q log p(x|z), (B,): the mean over the K codes."""
        return -mean_of_samples(self.log_likelihood)

    @property
    def elbo(self) -> Tensor | None:
        """-(distortion + kl), (B,): the bound, at beta = 1 whatever is minimised."""
        return None if self.kl is None else -(self.distortion + self.kl)

    @property
    def elbo_draws(self) -> Tensor:
        """What each code says of the elbo, (K, B), but for a constant of the image: their spread is its error."""
        return self.log_likelihood if self.is_kl_exact or self.log_weight is None else self.log_weight


SCALARS = (
    "kl", "bound", "mmd", "total_correlation", "similarity", "classification_loss", "classification_error",
)  # fmt: skip
"""Fields of `TermMeans` that only some objectives have, in the order in which they are packed."""


@dataclass(frozen=True, slots=True)
class TermMeans:
    """Means over the images of a batch, scalars on the device; `loss` is what is minimised.

    kl_per_dim: (latent_dim,), or None. kl: None for an autoencoder. bound: the importance-weighted bound of K codes.
    similarity: what stands for the KL. surrogate: what is differentiated in place of the loss where its gradient is
    not the loss's own; its value means nothing and is never shown. The rest as in a metric record; None where there
    is none.
    """

    loss: Tensor
    distortion: Tensor
    kl: Tensor | None = None
    kl_per_dim: Tensor | None = None
    bound: Tensor | None = None
    mmd: Tensor | None = None
    total_correlation: Tensor | None = None
    similarity: Tensor | None = None
    classification_loss: Tensor | None = None
    classification_error: Tensor | None = None
    surrogate: Tensor | None = None

    def packed(self, packing: Packing) -> Tensor:
        """Return (packing.width,) as loss, distortion, the named scalars, kl_per_dim, without a gradient."""
        head = torch.stack([self.loss, self.distortion, *(getattr(self, name) for name in packing.names)]).detach()
        return head if self.kl_per_dim is None else torch.cat((head, self.kl_per_dim.detach()))


@dataclass(frozen=True, slots=True)
class Packing:
    """The order of an objective's figures in one row of numbers: loss, distortion, `names`, then kl_per_dim.

    names: of SCALARS, those that the objective has; the kl only where it is not the sum of kl_per_dim. latent_dim: 0
    where there is no kl_per_dim.
    """

    names: tuple[str, ...] = ()
    latent_dim: int = 0

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return 2 + len(self.names) + self.latent_dim


def mean_of_samples(values: Tensor) -> Tensor:
    """Return the mean over K of (K, ...), (...,); of one sample without a sum."""
    return values[0] if len(values) == 1 else values.mean(0)


def standard_error(values: Tensor) -> Tensor:
    """Return the standard error (B,) of the mean over K of (K, B); NaN for K = 1."""
    if len(values) == 1:
        return torch.full_like(values[0], torch.nan)
    return values.std(0) / len(values) ** 0.5


def joined_samples(parts: Sequence[Terms]) -> Terms:
    """Return the terms of all codes together, of parts that have the same images and different codes."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    log_likelihood = torch.cat([part.log_likelihood for part in parts])
    log_weight = None
    if first.log_weight is not None:
        log_weight = torch.cat([part.log_weight for part in parts if part.log_weight is not None])
    kl = first.kl
    if log_weight is not None and not first.is_kl_exact:
        kl = mean_of_samples(log_likelihood - log_weight)
    return Terms(log_likelihood, kl, kl_per_dim=first.kl_per_dim, log_weight=log_weight, is_kl_exact=first.is_kl_exact)
