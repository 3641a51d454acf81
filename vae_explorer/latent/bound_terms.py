"""Both readings of one image's ELBO, its importance-weighted bound, and how far each is off by its K draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure in nats and its standard error by the draws: 0 where it is exact, None where one draw cannot tell."""

    value: float
    error: float | None


@dataclass(frozen=True)
class BoundTerms:
    """The terms of one image's bound from K codes of q(z|x), nats (Kingma & Welling 2014, eqs. 2 and 3).

    log_likelihood, log_prior, log_posterior: (K,) as drawn. kl: the closed form, None where there is none.
    """

    log_likelihood: Floats
    log_prior: Floats
    log_posterior: Floats
    kl: float | None

    @staticmethod
    def of(
        log_likelihood: ArrayLike, log_prior: ArrayLike, *, log_posterior: ArrayLike, kl: float | None
    ) -> BoundTerms:
        """Build from anything like arrays (K,)."""
        likelihood, prior, posterior = (
            np.asarray(values, dtype=np.float64) for values in (log_likelihood, log_prior, log_posterior)
        )
        return BoundTerms(likelihood, prior, posterior, kl)

    @property
    def samples(self) -> int:
        """K, how many codes were drawn."""
        return len(self.log_likelihood)

    @property
    def log_weight(self) -> Floats:
        """log p(x|z) + log p(z) - log q(z|x), (K,)."""
        return self.log_likelihood + self.log_prior - self.log_posterior

    @property
    def expected_log_likelihood(self) -> Estimate:
        """E_q log p(x|z), minus the distortion."""
        return mean_of(self.log_likelihood)

    @property
    def sampled_kl(self) -> Estimate:
        """E_q[log q(z|x) - log p(z)]; may be below 0."""
        return mean_of(self.log_posterior - self.log_prior)

    @property
    def best_kl(self) -> Estimate:
        """The closed form where there is one, else the sampled one."""
        return self.sampled_kl if self.kl is None else Estimate(self.kl, 0.0)

    @property
    def closed(self) -> Estimate | None:
        """First reading: E_q log p(x|z) - KL in closed form; None where that has none."""
        return None if self.kl is None else mean_of(self.log_likelihood - self.kl)

    @property
    def sampled(self) -> Estimate:
        """Second reading: E_q[log p(x, z) - log q(z|x)], the mean of the log-weights."""
        return mean_of(self.log_weight)

    @property
    def elbo(self) -> Estimate:
        """The first reading where there is one, else the second."""
        return self.closed or self.sampled

    @property
    def difference(self) -> Estimate | None:
        """Second reading minus first, on the same draws: 0 in expectation, its error that of the sampled KL."""
        return None if self.kl is None else mean_of(self.log_prior - self.log_posterior + self.kl)

    @property
    def iwae(self) -> Estimate:
        """The importance-weighted bound of all K draws (Burda et al. 2016, eq. 8), its error by the delta method."""
        bound = log_mean_exp(self.log_weight)
        if self.samples < 2:
            return Estimate(bound, None)
        relative = np.exp(self.log_weight - bound)
        return Estimate(bound, float(relative.std(ddof=1) / math.sqrt(self.samples)))

    @property
    def effective_samples(self) -> float:
        """1 / sum of squared normalised weights, from 1 to K."""
        weights = self.normalised_weights
        return float(1.0 / np.square(weights).sum())

    @property
    def normalised_weights(self) -> Floats:
        """Importance weights that sum to 1, (K,)."""
        weights = np.exp(self.log_weight - self.log_weight.max())
        normalised: Floats = weights / weights.sum()
        return normalised


def mean_of(values: Floats) -> Estimate:
    """Return the mean of draws (K,) with its standard error."""
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return Estimate(float(values.mean()), error)


def log_mean_exp(values: Floats) -> float:
    """Return log (1/K) sum_k exp(values_k) without running over."""
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).mean()))


def running_mean(values: Floats) -> Floats:
    """Return the mean of the first 1, 2, ... K values, (K,)."""
    means: Floats = np.cumsum(values) / np.arange(1, len(values) + 1)
    return means


def running_log_mean_exp(values: Floats) -> Floats:
    """Return the log mean exp of the first 1, 2, ... K values, (K,)."""
    sums: Floats = np.logaddexp.accumulate(values) - np.log(np.arange(1, len(values) + 1))
    return sums
