"""What the codes of a whole split say of a model: active units, and how far codes tell their images apart.

With q(z) the mean of q(z|x) over the images, kl = mutual information + KL[q(z) ‖ p(z)] (Hoffman & Johnson 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.evaluation.slices import Slices
from vae_explorer.latent.collapse import ACTIVE_VARIANCE
from vae_explorer.latent.statistics import spread_indices
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.priors import HALF_LOG_2_PI

Float = NDArray[np.float64]

MOST_POSTERIORS = 100_000
"""Posteriors that q(z) is the mean of, at most: spread evenly over more images than that."""
DRAWS = 4096
"""Codes from q(z); of fewer posteriors each gives the same number of them."""
_NUMBERS = 1 << 19
"""Densities worked out at once: some milliseconds' work."""


@dataclass(frozen=True)
class MutualInformation:
    """How much a code tells of which image it is of, I(x; z), nats, at most log n_images; n_images: in q(z)."""

    value: float
    mc_se: float
    n_images: int


def variance_of_means(loc: Float) -> Float:
    """Return the variance over images of the posterior mean, (latent_dim,), of loc (n, latent_dim)."""
    variances: Float = loc.var(axis=0)
    return variances


def active_units(loc: Float) -> int:
    """Return how many latent dimensions are used: variance of the posterior mean > 0.01 (Burda et al. 2016)."""
    return int((variance_of_means(loc) > ACTIVE_VARIANCE).sum())


def mutual_information_slices(loc: Float, scale: Float, *, seed: int) -> Slices[MutualInformation]:
    """Estimate I(x; z) = E log q(z|x) - log q(z), of diagonal Gaussians loc, scale (n, latent_dim) of n images.

    Each of DRAWS codes comes from one of the posteriors, these spread evenly over the images. As q(z) >= q(z|x) / n,
    no draw is above log n. In double precision: narrow posteriors need it.
    """
    chosen = spread_indices(len(loc), MOST_POSTERIORS)
    loc, scale = loc[chosen], scale[chosen]
    means, deviations = torch.from_numpy(loc), torch.from_numpy(scale)
    sources = torch.from_numpy(spread_indices(len(loc), DRAWS))
    sources = sources.repeat(max(1, DRAWS // len(sources)))
    noise = torch.randn(len(sources), loc.shape[1], generator=seeded_generator(seed, Stream.CODES, 1)).double()
    mixture = _Mixture(means, deviations)
    parts = []
    at_once = max(1, _NUMBERS // len(loc))
    for first in range(0, len(sources), at_once):
        part = slice(first, first + at_once)
        parts.append(mixture.information(sources[part], noise[part]))
        yield min(1.0, (first + at_once) / len(sources))
    information = torch.cat(parts)
    return MutualInformation(
        value=float(information.mean()), mc_se=float(information.std() / math.sqrt(len(information))), n_images=len(loc)
    )


class _Mixture:
    """The mean of n diagonal Gaussians, asked for by matrix products: -|z - loc|² / 2 scale² as z² a + z b + c."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        precision = scale.square().reciprocal()
        self._loc, self._scale = loc, scale
        self._factors = torch.cat((-0.5 * precision, precision * loc), dim=1).T.contiguous()  # (2 d, n)
        self._constants = (-0.5 * precision * loc.square() - scale.log() - HALF_LOG_2_PI).sum(1)

    def information(self, sources: Tensor, noise: Tensor) -> Tensor:
        """Return log q(z|x) - log q(z), (m,), of codes z drawn from the posteriors `sources` with noise (m, d)."""
        z = self._loc[sources] + self._scale[sources] * noise
        log_each = torch.cat((z.square(), z), dim=1) @ self._factors + self._constants  # (m, n)
        own = -(0.5 * noise.square() + self._scale[sources].log() + HALF_LOG_2_PI).sum(1)
        # The products cancel where a posterior is very narrow; of its own code its density is known to every digit.
        log_each[torch.arange(len(own)), sources] = own
        return own - (torch.logsumexp(log_each, dim=1) - math.log(len(self._loc)))
