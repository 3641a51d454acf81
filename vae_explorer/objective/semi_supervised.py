"""The bounds of M2 and M1+M2: L(x, y) with the label, U(x) with the classes summed out (Kingma et al. 2014, eqs. 6, 7).

The bound of a labelled image is of log p(x, y), and its kl holds KL[y ‖ p(y)] = log n_classes; that of an unlabelled
one is of log p(x), and its kl is sum_y q(y|x) KL[q(z|x,y) ‖ p(z)] + KL[q(y|x) ‖ p(y)]. Nats per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from vae_explorer.model.class_conditional import ClassConditional
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model
from vae_explorer.model.priors import StandardNormal
from vae_explorer.model.semi_supervised import M2, StackedM2, log_marginal_weight
from vae_explorer.objective.elbo import one_latent_terms
from vae_explorer.objective.log_weights import log_likelihoods, log_weights
from vae_explorer.objective.terms import Terms, mean_of_samples

_AT_ONCE = 8192
"""Codes decoded at once, every class of every draw: more would only take memory."""


# ---- bounds ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClassBound:
    """A bound under M2 of each of B things observed, nats.

    log_likelihood: of K draws, (K, B), the mean over the classes. kl_per_dim: of z, (..., B, code_dim). class_kl: of y,
    (..., B). Where what is observed is itself K draws, the last two have a row for each.
    """

    log_likelihood: Tensor
    kl_per_dim: Tensor
    class_kl: Tensor

    @property
    def kl(self) -> Tensor:
        """KL of z and y together, (..., B)."""
        return self.kl_per_dim.sum(-1) + self.class_kl


def labelled_bound(parts: ClassConditional, observed: Tensor, y: Tensor, noise: Tensor) -> ClassBound:
    """Return -L(o, y), the bound of log p(o, y), for o (..., *event), one-hot y, noise (K, B, code_dim)."""
    posterior = parts.posterior(observed, y)
    likelihood = parts.likelihood(posterior.rsample(noise), y)
    return ClassBound(
        log_likelihood=likelihood.log_prob(observed),
        kl_per_dim=_kl_per_dim(parts, posterior),
        class_kl=torch.full(posterior.loc.shape[:-1], -parts.log_prior, device=noise.device),
    )


def unlabelled_bound(parts: ClassConditional, observed: Tensor, log_class: Tensor, noise: Tensor) -> ClassBound:
    """Return -U(o), the bound of log p(o) with every class enumerated, for noise (K, B, code_dim).

    log_class: log q(y|o), (..., B, n_classes). A draw's noise is the same under all classes.
    """
    chance = log_class.exp()
    posterior = parts.posterior_each(observed)  # (..., B, Y, code_dim)
    compared = parts.before_classes(observed)
    log_likelihood = parts.likelihood_each(posterior.rsample(noise.unsqueeze(-2))).log_prob(compared)  # (K, B, Y)
    return ClassBound(
        log_likelihood=(chance * log_likelihood).sum(-1),
        kl_per_dim=(chance.unsqueeze(-1) * _kl_per_dim(parts, posterior)).sum(-2),
        class_kl=(chance * (log_class - parts.log_prior)).sum(-1),
    )


def _kl_per_dim(parts: ClassConditional, posterior: DiagonalNormal) -> Tensor:
    return cast(Tensor, posterior.kl_per_dim(StandardNormal(parts.code_dim)))


# ---- single images, as if without a label ---------------------------------------------------------------------------


def unlabelled_terms(model: Model, x: Tensor, noise: Tensor) -> Terms:
    """Return the terms of U(x) of images x (B, C, H, W), for noise (K, B, model.noise_dim).

    M1+M2: those of E_q[log p(x|z1) - log q(z1|x) - U(z1)], whose kl is log q(z1|x) + U(z1); before M2 is trained those
    of the VAE alone.
    """
    if isinstance(model, M2):
        return _class_terms(model.parts, x, _in_parts(model, noise))
    stacked = cast(StackedM2, model)
    if not stacked.is_stacked:
        return one_latent_terms(model, x, stacked.split_noise(noise)[0])
    return _stacked_terms(stacked, x, _in_parts(model, noise))


def _class_terms(parts: ClassConditional, x: Tensor, noise: tuple[Tensor, ...]) -> Terms:
    log_chance = log_class(parts, x)
    bounds = [unlabelled_bound(parts, x, log_chance, part) for part in noise]
    log_likelihood = torch.cat([bound.log_likelihood for bound in bounds])
    return Terms(log_likelihood, kl=bounds[0].kl, kl_per_dim=bounds[0].kl_per_dim)


def _stacked_terms(model: StackedM2, x: Tensor, noise: tuple[Tensor, ...]) -> Terms:
    posterior = model.posterior(x)
    codes, likelihoods, kl_draws = [], [], []
    for lower, upper in map(model.split_noise, noise):
        z = posterior.rsample(lower)
        bound = unlabelled_bound(model.parts, z, log_class(model.parts, z), upper)
        codes.append(z)
        likelihoods.append(log_likelihoods(model, x, z))
        kl_draws.append(posterior.log_prob(z) - bound.log_likelihood + bound.kl)  # (K, B)
    log_likelihood, kl = torch.cat(likelihoods), torch.cat(kl_draws)
    return Terms(
        log_likelihood, kl=mean_of_samples(kl), log_weight=log_likelihood - kl, z=torch.cat(codes), is_kl_exact=False
    )


def semi_supervised_log_weights(model: Model, x: Tensor, noise: Tensor) -> Tensor:
    """Return log-weights (K, B), nats, whose exponential is unbiased for p(x): every class is enumerated in each."""
    return torch.cat([_log_weights(model, x, part) for part in _in_parts(model, noise)])


def _log_weights(model: Model, x: Tensor, noise: Tensor) -> Tensor:
    if isinstance(model, M2):
        return log_marginal_weight(model.parts, x, noise)
    stacked = cast(StackedM2, model)
    lower, upper = stacked.split_noise(noise)
    posterior = model.posterior(x)
    z = posterior.rsample(lower)
    if not stacked.is_stacked:
        return log_weights(model, x, posterior, z)
    return log_likelihoods(model, x, z) + log_marginal_weight(stacked.parts, z, upper) - posterior.log_prob(z)


def _in_parts(model: Model, noise: Tensor) -> tuple[Tensor, ...]:
    return noise.split(max(1, _AT_ONCE // (noise.shape[1] * model.n_classes)))


def log_class(parts: ClassConditional, observed: Tensor) -> Tensor:
    """Return log q(y|o), (..., n_classes), for o (..., *event)."""
    return F.log_softmax(parts.class_logits(observed), dim=-1)
