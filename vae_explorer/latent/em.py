"""EM step by step, for the latent variable model that one can solve (Dempster, Laird & Rubin 1977).

The E step makes Jensen's bound touch the log-likelihood, the M step lifts both (Neal & Hinton 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from vae_explorer.errors import UsageError
from vae_explorer.latent.mixture import (
    Covariance,
    Float,
    Mixture,
    checked_for,
    checked_points,
    log_joint,
    log_prob,
    log_sum_exp,
)

Action = Literal["start", "e", "m", "fit"]

STANDS = 1e-9
"""Nats a point that a round must win at least for `fit` to go on."""
EMPTY_MASS = 1e-100
"""A component with less responsibility than this has no mean worth the name: it stays where it is."""
LEAST_WEIGHT = float(np.finfo(np.float64).tiny)
"""Weight of a component without any point: it changes no likelihood, and its logarithm is finite."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Where EM stands: a mixture, the responsibilities (n, K) that were used or found last, and both curves.

    log_likelihood: mean of log p(x), nats a point; bound: Jensen's bound with `responsibilities` under `mixture`, equal
    to it right after an E step. iterations: rounds that `fit` has done.
    """

    mixture: Mixture
    responsibilities: Float
    log_likelihood: float
    bound: float
    iterations: int = 0


def start(
    points: ArrayLike, components: int, *, covariance: Covariance = "full", floor: float = 1e-6, seed: int = 0
) -> Stage:
    """Return a first mixture of points (n, d): k-means++ seeds (Arthur & Vassilvitskii 2007), then one M step.

    In it each point belongs to its nearest seed. The same seed gives the same start. UsageError when there are fewer
    points than components, when a number is not finite, or when points times components are beyond memory.
    """
    values = checked_points(points, components)
    if not 1 <= components <= len(values):
        raise UsageError(
            f"{components:,} components cannot be fitted to {len(values):,} points; choose 1 to {len(values):,}."
        )
    if not 0.0 < floor < np.inf:
        raise UsageError(f"The floor of a covariance is {floor:g}; expected a positive number, such as 1e-6.")
    seeds = _spread_seeds(values, components, np.random.Generator(np.random.Philox(seed)))
    nearest = np.argmin(np.stack([_squared_distance(values, seed_) for seed_ in seeds]), axis=0)
    spread = max(float(values.var(axis=0).mean()), floor)
    # Where two seeds are one point, the second gets nothing and keeps this place and width.
    before = Mixture(
        np.full(components, 1.0 / components), seeds, np.tile(spread * np.eye(values.shape[1]), (components, 1, 1)),
        covariance, floor,
    )  # fmt: skip
    responsibilities = np.eye(components)[nearest]
    return _stage(values, responsibilities, maximise(values, responsibilities, before))


def expect(points: ArrayLike, mixture: Mixture) -> tuple[Float, float]:
    """Return the E step: responsibilities p(k|x) (n, K) of points (n, d), and the mean log p(x), nats a point."""
    joint = log_joint(checked_for(points, mixture), mixture)
    log_px = log_sum_exp(joint)
    return np.exp(joint - log_px[:, None]), float(log_px.mean())


def maximise(points: ArrayLike, responsibilities: ArrayLike, mixture: Mixture) -> Mixture:
    """Return the M step: the mixture of `mixture`'s kind and floor that is best for responsibilities (n, K).

    It maximises Jensen's bound over all covariances of that kind whose eigenvalues are at least the floor, exactly: the
    trace inequality of von Neumann lets the optimum keep the eigenvectors, and each eigenvalue on its own is then
    clipped. (Adding a floor instead can let the likelihood fall.) An empty component keeps its mean and covariance.
    """
    values = checked_for(points, mixture)
    shares = _checked_shares(responsibilities, values, mixture)
    mass = shares.sum(axis=0)  # (K,)
    is_empty = mass < EMPTY_MASS
    safe = np.where(is_empty, 1.0, mass)
    means = np.where(is_empty[:, None], mixture.means, shares.T @ values / safe[:, None])
    scatters = np.stack([_scatter(values, shares[:, k] / safe[k], means[k]) for k in range(len(mass))])
    covariances = _best_covariances(scatters, mass, mixture)
    if mixture.kind != "tied":
        covariances[is_empty] = mixture.covariances[is_empty]
    weights = np.maximum(mass / len(values), LEAST_WEIGHT)
    return Mixture(weights / weights.sum(), means, covariances, mixture.kind, mixture.floor)


def jensen_bound(points: ArrayLike, responsibilities: ArrayLike, mixture: Mixture) -> float:
    """Return E_q log p(x, k) - E_q log q(k) for q = responsibilities (n, K), nats a point: at most the log-likelihood.

    It is equal to it right after an E step (Neal & Hinton 1998): an ELBO whose q needs no encoder.
    """
    values = checked_for(points, mixture)
    shares = _checked_shares(responsibilities, values, mixture)
    entropy_terms = shares * np.log(np.where(shares > 0.0, shares, 1.0))
    return float((shares * log_joint(values, mixture) - entropy_terms).sum(axis=1).mean())


def fit(points: ArrayLike, mixture: Mixture, *, iterations: int = 200) -> Stage:
    """Return the stage after rounds of M and E until one wins less than STANDS, at most `iterations` of them.

    It has stood when `iterations` of the stage is less than was allowed.
    """
    values = checked_for(points, mixture)
    shares, log_likelihood = expect(values, mixture)
    rounds = 0
    while rounds < iterations:
        better = maximise(values, shares, mixture)
        better_shares, reached = expect(values, better)
        if reached - log_likelihood < STANDS:
            break
        mixture, shares, log_likelihood = better, better_shares, reached
        rounds += 1
    return Stage(mixture, shares, log_likelihood, log_likelihood, rounds)


def act(
    action: Action,
    points: ArrayLike,
    *,
    mixture: Mixture | None = None,
    responsibilities: ArrayLike | None = None,
    components: int = 10,
    covariance: Covariance = "full",
    floor: float = 1e-6,
    seed: int = 0,
    iterations: int = 200,
) -> Stage:
    """Do one action of EM, as a question to the engine names it; 'm' without responsibilities finds them first."""
    if action == "start":
        return start(points, components, covariance=covariance, floor=floor, seed=seed)
    if mixture is None:
        raise UsageError("There is no mixture to go on from; press Start first.")
    values = checked_for(points, mixture)
    if action == "fit":
        return fit(values, mixture, iterations=iterations)
    if action == "m" and responsibilities is not None:
        return _stage(values, responsibilities, maximise(values, responsibilities, mixture))
    shares, log_likelihood = expect(values, mixture)
    if action == "m":
        return _stage(values, shares, maximise(values, shares, mixture))
    return Stage(mixture, shares, log_likelihood, log_likelihood)


def _stage(values: Float, responsibilities: ArrayLike, mixture: Mixture) -> Stage:
    shares = np.asarray(responsibilities, dtype=np.float64)
    log_likelihood = float(log_prob(values, mixture).mean())
    return Stage(mixture, shares, log_likelihood, jensen_bound(values, shares, mixture))


def _spread_seeds(values: Float, components: int, generator: np.random.Generator) -> Float:
    """Choose points as seeds, each with a chance that grows with the squared distance to the seeds before it."""
    chosen = [int(generator.integers(len(values)))]
    distance = _squared_distance(values, values[chosen[0]])
    while len(chosen) < components:
        reach = np.cumsum(distance)
        if reach[-1] > 0.0:
            place = int(np.searchsorted(reach, generator.random() * reach[-1], side="right"))
            chosen.append(min(place, int(np.flatnonzero(distance)[-1])))
        else:
            chosen.append(int(generator.integers(len(values))))  # every point is a seed already
        distance = np.minimum(distance, _squared_distance(values, values[chosen[-1]]))
    return values[chosen]


def _squared_distance(values: Float, centre: Float) -> Float:
    offset = values - centre
    squared: Float = np.einsum("nd,nd->n", offset, offset)
    return squared


def _scatter(values: Float, shares: Float, mean: Float) -> Float:
    """Return the weighted covariance (d, d) about a mean; `shares` (n,) sum to 1."""
    offset = values - mean
    scatter: Float = (offset * shares[:, None]).T @ offset
    return (scatter + scatter.T) / 2


def _best_covariances(scatters: Float, mass: Float, mixture: Mixture) -> Float:
    """Return the constrained maximiser (K, d, d) of each kind from the components' own scatters (K, d, d)."""
    n_dims, floor = scatters.shape[1], mixture.floor
    if mixture.kind == "full":
        return _clipped(scatters, floor)
    if mixture.kind == "tied":
        pooled = np.einsum("k,kij->ij", mass / mass.sum(), scatters)
        return np.tile(_clipped(pooled[None], floor), (len(scatters), 1, 1))
    variances = np.einsum("kii->ki", scatters)
    if mixture.kind == "spherical":
        variances = np.tile(variances.mean(axis=1, keepdims=True), (1, n_dims))
    return np.maximum(variances, floor)[:, :, None] * np.eye(n_dims)


def _clipped(scatters: Float, floor: float) -> Float:
    values, vectors = np.linalg.eigh(scatters)
    clipped: Float = (vectors * np.maximum(values, floor)[:, None, :]) @ vectors.swapaxes(1, 2)
    return (clipped + clipped.swapaxes(1, 2)) / 2


def _checked_shares(responsibilities: ArrayLike, values: Float, mixture: Mixture) -> Float:
    """Return responsibilities (n, K) whose sums are 1 again, which float32 on the way has rounded off."""
    shares = np.asarray(responsibilities, dtype=np.float64)
    expected = (len(values), mixture.n_components)
    if shares.shape != expected or not (shares >= 0.0).all() or not (shares.sum(axis=1) > 0.0).all():
        raise UsageError(
            f"Responsibilities of shape {shares.shape} do not fit; expected {expected}, none negative, none all 0."
        )
    return shares / shares.sum(axis=1, keepdims=True)
