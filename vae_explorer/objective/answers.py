"""What a reader of a model answers with: figures, codes and terms of images, as NumPy arrays; nats per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SampledFigures:
    """q(z|x) of n images and figures from draws of it, nats per image.

    loc, scale: (n, latent_dim); scale is zero for an autoencoder. kl: (n,), the closed form where there is one, else
    the mean over the draws; by dimension (n, latent_dim), or None where the prior does not factorise. distortion: mean
    over the draws, (n,). elbo = -(distortion + kl). elbo_mc_se: its standard error by the draws, (n,), NaN for a single
    draw; kl_mc_se: that of the kl, None where the kl is exact. An autoencoder has NaN in elbo, kl and elbo_mc_se, None
    as kl_per_dim. Of M2 loc and scale are those of q(z|x,y) at the most probable class y, the figures those of the
    bound with y summed out.
    """

    indices: Indices
    loc: Array
    scale: Array
    kl_per_dim: Array | None
    elbo: Array
    kl: Array
    distortion: Array
    elbo_mc_se: Array
    kl_mc_se: Array | None


@dataclass(frozen=True)
class EncodedArrays(SampledFigures):
    """Figures of n images with their reconstructions (n, C, H, W): p(x|z) at the mean of q.

    class_probabilities: of M2, q(y|x), (n, n_classes); its reconstructions are those of the most probable class.
    """

    reconstructions: Array
    class_probabilities: Array | None = None


@dataclass(frozen=True)
class CodesArrays:
    """Codes of n images with one-sample figures, nats per image; kl_per_dim (latent_dim,) is the mean over them.

    predicted: of M2, the most probable class of each image, int64 (n,).
    """

    indices: Indices
    loc: Array
    scale: Array
    elbo: Array
    kl: Array
    distortion: Array
    kl_per_dim: Array | None
    predicted: Indices | None = None


@dataclass(frozen=True)
class TermsArrays:
    """The terms of the bound of one image, draw by draw, nats: what messages.TermsRead tells.

    log_likelihood, log_prior, log_posterior: (K,), of codes z (K, latent_dim) ~ q; for an autoencoder, which has
    neither prior nor posterior density, NaN in the last two. kl: closed form, with kl_per_dim (latent_dim,); None where
    there is none. Of M2 the codes are (y, z) ~ q(y|x) q(z|x,y), of which `z` holds z: both have their part in
    log_prior, log_posterior and kl.
    """

    index: int
    z: Array
    log_likelihood: Array
    log_prior: Array
    log_posterior: Array
    kl: float | None
    kl_per_dim: Array | None
    pixels: int
    latent_dim: int
