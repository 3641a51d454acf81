"""Both readings of one image's bound, draw by draw: log p(x|z), log p(z) and log q(z|x) (Kingma & Welling 2014, eq. 2).

Under M2 the latent variable is (y, z): log p(y) and log q(y|x) belong to its prior and its posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from vae_explorer.model.class_conditional import one_hot
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import Model
from vae_explorer.model.priors import StandardNormal
from vae_explorer.model.semi_supervised import M2
from vae_explorer.objective.semi_supervised import log_class


@dataclass(frozen=True, slots=True)
class DrawnTerms:
    """K codes of one image and the terms of its bound, nats.

    z: (K, latent_dim). log_likelihood, log_prior, log_posterior: (K,), the last two NaN for an autoencoder. kl: closed
    form, with kl_per_dim (latent_dim,) where it is a sum over the dimensions alone; None where there is none.
    """

    z: Tensor
    log_likelihood: Tensor
    log_prior: Tensor
    log_posterior: Tensor
    kl: Tensor | None
    kl_per_dim: Tensor | None


@torch.no_grad()
def drawn_terms(model: Model, x: Tensor, noise: Tensor, generator: torch.Generator) -> DrawnTerms:
    """Return the terms of one image x (1, C, H, W) for K codes made of `noise` (K, latent_dim).

    generator: draws the classes of M2, whose exp(log_likelihood + log_prior - log_posterior) then is unbiased for p(x)
    as that of every other model is.
    """
    if isinstance(model, M2):
        return _terms_of_classes(model, x, noise, generator)
    posterior, prior = model.posterior(x), model.prior()
    z = posterior.rsample(noise)
    log_likelihood = model.likelihood(z).log_prob(x)
    if model.is_autoencoder:
        nothing = torch.full_like(log_likelihood, torch.nan)
        return DrawnTerms(z, log_likelihood, nothing, nothing, None, None)
    kl_per_dim = posterior.kl_per_dim(prior)
    return DrawnTerms(
        z, log_likelihood, prior.log_prob(z), posterior.log_prob(z),
        kl=None if kl_per_dim is None else kl_per_dim.sum(), kl_per_dim=None if kl_per_dim is None else kl_per_dim[0],
    )  # fmt: skip


def _terms_of_classes(model: M2, x: Tensor, noise: Tensor, generator: torch.Generator) -> DrawnTerms:
    parts, prior = model.parts, StandardNormal(model.latent_dim)
    log_chance = log_class(parts, x)[0]  # (Y,)
    labels = torch.multinomial(log_chance.exp(), len(noise), replacement=True, generator=generator)
    each = parts.posterior_each(x)  # (1, Y, latent_dim)
    drawn = DiagonalNormal(each.loc[0, labels], each.log_scale[0, labels])
    z = drawn.rsample(noise)
    kl_of_z = cast(Tensor, each.kl_per_dim(prior))[0].sum(-1)  # (Y,)
    return DrawnTerms(
        z, model.likelihood(z, one_hot(labels, model.n_classes)).log_prob(x),
        log_prior=prior.log_prob(z) + parts.log_prior, log_posterior=drawn.log_prob(z) + log_chance[labels],
        kl=(log_chance.exp() * (kl_of_z + log_chance - parts.log_prior)).sum(), kl_per_dim=None,
    )  # fmt: skip
