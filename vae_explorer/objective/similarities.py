"""What else could hold q(z|x) near N(0, I): reverse KL, Wasserstein-2, Renyi, and the total correlation of codes.

With any of the first three in the place of KL[q ‖ p] the loss is no longer a bound on log p(x).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.priors import HALF_LOG_2_PI


def reverse_kl(q: DiagonalNormal) -> Tensor:
    """Return KL[N(0, I) ‖ q] in nats, (B,): grows without end where q is narrow, so q covers the prior."""
    variance = q.scale.square()
    return (q.log_scale + (1.0 + q.loc.square()) / (2.0 * variance) - 0.5).sum(-1)


def wasserstein2_squared(q: DiagonalNormal) -> Tensor:
    """Return the squared 2-Wasserstein distance of q and N(0, I), (B,): |loc|^2 + |scale - 1|^2 (no nats)."""
    return (q.loc.square() + (q.scale - 1.0).square()).sum(-1)


def renyi(q: DiagonalNormal, alpha: float) -> Tensor:
    """Return the Renyi divergence D_alpha[q ‖ N(0, I)] in nats, (B,), for 0 < alpha < 1 (Gil et al. 2013, table 2).

    It tends to KL[q ‖ p] as alpha tends to 1.
    """
    mixed = alpha + (1.0 - alpha) * q.scale.square()
    per_dim = -q.log_scale + torch.log(mixed) / (2.0 * (1.0 - alpha)) + alpha * q.loc.square() / (2.0 * mixed)
    return per_dim.sum(-1)


def total_correlation(z: Tensor, q: DiagonalNormal, *, n_images: int) -> Tensor:
    """Return an estimate of KL[q(z) ‖ prod_j q(z_j)] in nats, a scalar, from one code z (B, latent_dim) an image.

    q(z) is the mean of all n_images posteriors (Chen et al. 2018, section 3.1), here of the batch's: an image's own
    counts once in n_images, each of the others stands for (n_images - 1) / (B - 1) images. So each density is
    unbiased, and codes without any correlation give 0. Their logarithms are biased, low for high-dimensional
    posteriors that do not overlap. Raises ValueError for a single image, which tells nothing of the others.
    """
    n = len(z)
    if n < 2:
        raise ValueError("total correlation needs the codes of two images at least, got one")
    # (B, B, latent_dim): log q(z_i|x_j) by dimension
    deviation = (z.unsqueeze(1) - q.loc) / q.scale
    log_q = -(0.5 * deviation.square() + q.log_scale + HALF_LOG_2_PI)
    log_share = torch.full((n, n), math.log((n_images - 1) / (n_images * (n - 1))), dtype=z.dtype, device=z.device)
    log_share.fill_diagonal_(-math.log(n_images))
    joint = torch.logsumexp(log_q.sum(-1) + log_share, dim=1)
    product = torch.logsumexp(log_q + log_share.unsqueeze(-1), dim=1).sum(-1)
    return (joint - product).mean()
