"""Maximum mean discrepancy between codes and prior: the similarity term of InfoVAE and of Wasserstein autoencoders."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["rbf", "imq"]


def typical_scale(latent_dim: int) -> float:
    """Return sqrt(2 latent_dim), the root mean square distance of two codes of N(0, I): the scale where none is set."""
    return math.sqrt(2.0 * latent_dim)


def kernel_matrix(a: Tensor, b: Tensor, *, kernel: Kernel, scale: float) -> Tensor:
    """Return k(a_i, b_j), (n, m), of points (n, d) and (m, d).

    rbf: exp(-r^2 / (2 scale^2)) (Zhao et al. 2019); imq: scale^2 / (scale^2 + r^2) (Tolstikhin et al. 2018, section
    4).
    """
    squares = (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1)  # exact, where |a|^2 + |b|^2 - 2ab would round to < 0
    if kernel == "rbf":
        return torch.exp(-squares / (2.0 * scale * scale))
    return scale * scale / (scale * scale + squares)


def mmd_squared(z: Tensor, prior_z: Tensor, *, kernel: Kernel, scale: float) -> Tensor:
    """Return the unbiased estimate of MMD^2 between the laws of z (n, d) and prior_z (m, d), a scalar without a unit.

    Unbiased, so it may be a little below 0 where the two agree (Gretton et al. 2012, eq. 3). Raises ValueError for
    fewer than two points of either.
    """
    n, m = len(z), len(prior_z)
    if min(n, m) < 2:
        raise ValueError(f"MMD needs two points of each kind, got {n} codes and {m} draws of the prior")
    within = _mean_of_pairs(kernel_matrix(z, z, kernel=kernel, scale=scale))
    within_prior = _mean_of_pairs(kernel_matrix(prior_z, prior_z, kernel=kernel, scale=scale))
    return within + within_prior - 2.0 * kernel_matrix(z, prior_z, kernel=kernel, scale=scale).mean()


def _mean_of_pairs(matrix: Tensor) -> Tensor:
    """Mean of k(z_i, z_j) over i != j; k(z, z) is 1 for both kernels."""
    n = len(matrix)
    return (matrix.sum() - n) / (n * (n - 1))
