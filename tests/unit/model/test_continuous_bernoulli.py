"""The continuous Bernoulli against torch.distributions, against quadrature, and against identities of its family."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import ContinuousBernoulli as TorchContinuousBernoulli

from vae_explorer.model.likelihoods import ContinuousBernoulli

LOGITS = (-300.0, -20.0, -1.001, -1.0, -0.999, -0.01, -1e-6, 0.0, 1e-4, 0.3, 0.999, 1.001, 5.0, 20.0, 300.0)


def of_one_pixel(values, dtype=torch.float64):
    return ContinuousBernoulli(torch.as_tensor(values, dtype=dtype).view(-1, 1, 1, 1))


def quadrature(function, *, pieces):
    """Integral over [0, 1] by Gauss-Legendre, finer towards both ends, where a steep density has its mass."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    inner = np.geomspace(1e-4, 0.5, pieces)
    edges = np.concatenate(([0.0], inner, 1 - inner[-2::-1], [1.0]))
    left, width = edges[:-1, None], np.diff(edges)[:, None]
    x = (left + width * (nodes + 1) / 2).ravel()
    return float((function(x) * (width * weights / 2).ravel()).sum())


def density(logit, x):
    return of_one_pixel(logit).log_prob(torch.from_numpy(x).view(-1, 1, 1, 1)).exp().numpy()


@pytest.mark.parametrize("logit", LOGITS)
def test_it_is_a_density_and_its_mean_is_its_mean(logit):
    assert quadrature(lambda x: density(logit, x), pieces=12) == pytest.approx(1, abs=1e-10)
    mean = quadrature(lambda x: x * density(logit, x), pieces=12)
    assert of_one_pixel(logit).mean.item() == pytest.approx(mean, abs=1e-10)


def test_it_is_that_of_torch_distributions():
    logits = 4 * torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.rand(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    reference = TorchContinuousBernoulli(logits=logits)
    found = ContinuousBernoulli(logits)
    # Theirs is a Taylor expansion near 1/2, to about 1e-7 a pixel.
    torch.testing.assert_close(found.log_prob(x), reference.log_prob(x).sum((-3, -2, -1)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.mean, reference.mean, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_the_distance_from_the_mean_on_both_sides_of_the_series(dtype):
    logits = torch.tensor([*LOGITS, *np.linspace(-1.2, 1.2, 97)], dtype=dtype).view(-1, 1, 1, 1).requires_grad_()
    likelihood = ContinuousBernoulli(logits)
    likelihood.log_prob(torch.full_like(logits, 0.3)).sum().backward()
    # d log p / d logits = x - E x in an exponential family: it tests the normaliser's slope, in single precision too.
    tolerance = 2e-6 if dtype is torch.float32 else 1e-10
    torch.testing.assert_close(logits.grad, 0.3 - likelihood.mean.detach(), atol=tolerance, rtol=0)


def test_it_stays_finite_at_extreme_logits():
    likelihood = of_one_pixel([1e4, -1e4], torch.float32)
    at_mode, far = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1), torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(likelihood.log_prob(at_mode), torch.full((2,), math.log(1e4)))
    torch.testing.assert_close(likelihood.log_prob(far), torch.full((2,), math.log(1e4) - 1e4))
    drawn = likelihood.sample(torch.Generator().manual_seed(0))
    assert drawn.isfinite().all()


@pytest.mark.parametrize("logit", [-40.0, -2.0, 0.0, 0.5, 7.0])
def test_draws_follow_the_distribution_function(logit):
    drawn = of_one_pixel([logit] * 20_000, torch.float32).sample(torch.Generator().manual_seed(3)).flatten().numpy()
    assert drawn.min() >= 0
    assert drawn.max() <= 1

    def cumulative(x):
        return x if logit == 0 else np.expm1(logit * x.astype(np.float64)) / np.expm1(logit)

    assert scipy.stats.kstest(drawn, cumulative).pvalue > 1e-3
    likelihood = of_one_pixel(logit)
    variance = quadrature(lambda x: (x - likelihood.mean.item()) ** 2 * density(logit, x), pieces=12)
    assert drawn.mean() == pytest.approx(likelihood.mean.item(), abs=5 * math.sqrt(variance / 20_000))
    assert drawn.var() == pytest.approx(variance, rel=0.06)
