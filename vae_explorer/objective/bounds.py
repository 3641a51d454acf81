"""Bounds, estimates and gradients that are a few lines over log-weights (K, B), in nats: the one currency.

A log-weight is log p(x|z) + log p(z) - log q(z|x) of a code z ~ q(z|x); the mean of its exponential over K codes is an
unbiased estimate of p(x) (Burda et al. 2016, eq. 8).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST_TAIL = 5
"""Weights that a tail needs before a Pareto distribution is fitted to it."""


def iwae_bound(log_weight: Tensor) -> Tensor:
    """Return log mean exp over K, (B,): the bound of k = K codes, and the estimate of log p(x) (biased low)."""
    return torch.logsumexp(log_weight, dim=0) - math.log(len(log_weight))


def log_mean_exp_error(log_weight: Tensor) -> Tensor:
    """Return the standard error (B,) of `iwae_bound` as an estimate, by the delta method; NaN for K = 1.

    The error of the mean weight over the mean weight: honest only where k-hat says that the weights have a variance.
    """
    n = len(log_weight)
    if n == 1:
        return torch.full_like(log_weight[0], torch.nan)
    relative = torch.softmax(log_weight, dim=0) * n  # weights over their mean
    return relative.std(0) / math.sqrt(n)


def grouped_bounds(log_weight: Tensor, k: int) -> Tensor:
    """Return the bounds of the floor(K / k) disjoint groups of k codes, (groups, B): independent draws of L_k."""
    groups = len(log_weight) // k
    return torch.logsumexp(log_weight[: groups * k].unflatten(0, (groups, k)), dim=1) - math.log(k)


def effective_sample_size(log_weight: Tensor) -> Tensor:
    """Return (sum w)^2 / sum w^2, (B,), from 1 to K: equal weights' number with the same variance (Kong 1992)."""
    return torch.softmax(log_weight, dim=0).square().sum(0).reciprocal()


def pareto_k_hat(log_weight: Tensor) -> Tensor:
    """Return the shape of a generalised Pareto distribution fitted to the largest weights, (B,).

    Above 0.7 the estimate is not to be trusted (Vehtari et al. 2024, Pareto smoothed importance sampling). The tail
    has min(K / 5, 3 sqrt K) weights; the fit is that of Zhang & Stephens 2009 with the paper's weak prior on 1/2. NaN
    where the tail is too short; -inf where all its weights are equal.
    """
    n = len(log_weight)
    tail = math.ceil(min(0.2 * n, 3 * math.sqrt(n)))
    if tail < LEAST_TAIL:
        return torch.full_like(log_weight[0], torch.nan)
    ordered, _ = torch.sort(log_weight.double() - log_weight.double().amax(0), dim=0)
    excess = ordered[-tail:].exp() - ordered[-tail - 1].exp()  # (tail, B), ascending
    return _pareto_shape(excess).to(log_weight.dtype)


def _pareto_shape(excess: Tensor) -> Tensor:
    """Fit the shape k of the generalised Pareto distribution to ascending values (n, B) >= 0."""
    n = len(excess)
    largest = excess[-1]
    quartile = excess[int(n / 4 + 0.5) - 1]
    is_flat = largest <= 0
    # A quartile of 0 (many equal weights) would end in a division by it: the smallest positive number stands in.
    quartile = torch.where(quartile > 0, quartile, torch.finfo(excess.dtype).tiny ** 0.5)
    largest = torch.where(is_flat, torch.ones_like(largest), largest)
    n_points = 30 + int(math.sqrt(n))
    grid = torch.arange(1, n_points + 1, dtype=excess.dtype, device=excess.device).unsqueeze(-1)
    b = (1.0 - torch.sqrt(n_points / (grid - 0.5))) / (3.0 * quartile) + 1.0 / largest  # (points, B)
    k = torch.log1p(-b.unsqueeze(1) * excess).mean(1)  # (points, B)
    profile = n * (torch.log(-b / k) - k - 1.0)
    weights = torch.softmax(torch.nan_to_num(profile, nan=-torch.inf), dim=0)
    best = (b * weights).sum(0)
    shape = torch.log1p(-best * excess).mean(0)
    shape = shape * n / (n + 10) + 10 * 0.5 / (n + 10)
    return torch.where(is_flat, torch.full_like(shape, -torch.inf), shape)


# ---- gradients other than the reparameterised one ----------------------------------------------------------------


def dreg_surrogate(log_weight: Tensor, z: Tensor, *, is_importance: bool, beta: Tensor | float = 1.0) -> Tensor:
    """Return (B,), to be maximised, whose gradient is doubly reparameterised (Tucker et al. 2019, eq. 8).

    log_weight: (K, B) of reparameterised codes z (K, B, latent_dim), where log q(z|x) was computed with q's parameters
    detached, so that the encoder is reached through z alone. is_importance: the gradient of the bound of K codes, in
    which z's part is weighted by the squares of the normalised weights; else that of the ELBO, the mean over K
    (Roeder et al. 2017). beta: what log p(z) - log q(z|x) is weighted with in `log_weight`; z's part is then
    weighted by share - beta share (1 - share). Its value is not the bound. Call it once for a z: it hooks z's gradient.
    """
    if not is_importance:
        return log_weight.mean(0)
    share = torch.softmax(log_weight.detach(), dim=0)
    if z.requires_grad:
        # The sum below gives theta its share and z the same; z's gradient is weighted once more on its way back.
        again = (share + (1.0 - beta) * (1.0 - share)).unsqueeze(-1)
        z.register_hook(lambda gradient: gradient * again)
    return (share * log_weight).sum(0)


def elbo_signal(value: Tensor) -> Tensor:
    """Return each sample's learning signal (K, B) for the mean of `value` (K, B): what it is above the others' mean.

    The others' mean is independent of the sample, so subtracting it changes no expectation; K = 1 has no others.
    """
    n = len(value)
    if n == 1:
        return value
    others = (value.sum(0) - value) / (n - 1)
    return (value - others) / n


def iwae_signal(log_weight: Tensor) -> Tensor:
    """Return each sample's learning signal (K, B) for the bound of K codes (VIMCO: Mnih & Rezende 2016, eq. 10).

    What the bound is above the one in which this weight is the geometric mean of the others; K = 1 has no others.
    """
    n = len(log_weight)
    if n == 1:
        return log_weight
    others = (log_weight.sum(0) - log_weight) / (n - 1)  # (K, B)
    # replaced[k] is the bound with weight k replaced; (K, K, B), so that nothing large is subtracted from large.
    # Chosen, not written by indices: under vmap torch would make those on the CPU, which no captured step may read.
    is_own = torch.eye(n, dtype=torch.bool, device=log_weight.device).unsqueeze(-1)
    replaced = torch.where(is_own, others, log_weight)
    return iwae_bound(log_weight) - (torch.logsumexp(replaced, dim=1) - math.log(n))


def score_function_surrogate(signal: Tensor, log_posterior: Tensor) -> Tensor:
    """Return (B,), whose gradient in q's parameters is sum over K of signal * grad log q(z|x) (Williams 1992).

    signal: (K, B), of `elbo_signal` or `iwae_signal`; log_posterior: log q(z|x), (K, B), of codes without a gradient.
    The caller adds the bound of the same codes: what depends on the parameters directly, log q in its weights too,
    whose part has a mean of zero for the ELBO but not for the bound of K > 1 codes.
    """
    return (signal.detach() * log_posterior).sum(0)
