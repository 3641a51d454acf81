"""The terms of the bound: their signs, their sums, and their agreement with sampled log-weights."""

import math

import pytest
import torch

from vae_explorer.model.model import build_model
from vae_explorer.objective.elbo import elbo_terms
from vae_explorer.objective.log_weights import log_weights


def model_and_images(config, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    model = build_model(config.with_values(keys), (1, 8, 8), 16)
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return model, x, torch.randn(6, model.latent_dim, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_elbo_is_minus_distortion_and_kl_and_the_loss_weighs_only_the_kl(tiny_config, likelihood):
    model, x, noise = model_and_images(tiny_config, model__likelihood=likelihood, model__latent_dim=3)
    terms = elbo_terms(model, x, noise)
    assert terms.distortion.shape == (6,)
    assert terms.kl_per_dim.shape == (6, 3)
    assert (terms.kl_per_dim >= 0).all()
    torch.testing.assert_close(terms.elbo, -(terms.distortion + terms.kl))
    for beta in (0.0, 1.0, 4.0):
        means = terms.mean(torch.tensor(beta))
        torch.testing.assert_close(means.loss, terms.distortion.mean() + beta * terms.kl.mean())
        torch.testing.assert_close(means.distortion + means.kl_per_dim.sum(), -terms.elbo.mean())
        torch.testing.assert_close(
            means.packed(), torch.stack((means.loss, means.distortion, *means.kl_per_dim)).detach()
        )


def test_an_autoencoder_has_no_bound_and_its_loss_is_the_distortion(tiny_config):
    model, x, noise = model_and_images(tiny_config, model__kind="autoencoder")
    terms = elbo_terms(model, x, noise)
    assert terms.kl is terms.elbo is terms.kl_per_dim is None
    assert torch.equal(terms.mean(torch.tensor(5.0)).loss, terms.distortion.mean())
    assert torch.equal(terms.distortion, elbo_terms(model, x, noise + 1).distortion)


def test_terms_of_an_image_do_not_depend_on_its_batch(tiny_config):
    model, x, noise = model_and_images(tiny_config)
    alone = elbo_terms(model, x[2:3], noise[2:3])
    torch.testing.assert_close(alone.elbo, elbo_terms(model, x, noise).elbo[2:3])


@torch.no_grad()
def test_log_weights_average_to_the_elbo_and_their_bound_lies_above(tiny_config):
    model, x, _ = model_and_images(tiny_config, model__likelihood="gaussian")
    posterior = model.posterior(x)
    z = posterior.rsample(torch.randn(20_000, 6, 2, generator=torch.Generator().manual_seed(3)))
    weights = log_weights(model, x, posterior, z)
    assert weights.shape == (20_000, 6)
    distortions = [elbo_terms(model, x, noise).distortion for noise in
                   torch.randn(2_000, 6, 2, generator=torch.Generator().manual_seed(4))]  # fmt: skip
    analytic = -(torch.stack(distortions).mean(0) + posterior.kl_per_dim(model.prior()).sum(-1))
    error = weights.std(0) * (1 / 20_000 + 1 / 2_000) ** 0.5
    assert ((weights.mean(0) - analytic).abs() < 5 * error + 1e-4).all()
    importance = torch.logsumexp(weights, 0) - math.log(len(weights))
    assert (importance >= weights.mean(0)).all()


@torch.no_grad()
def test_a_linear_gaussian_model_reaches_the_likelihood_that_is_known(tiny_config):
    """Where q is the true posterior every log-weight is log p(x): here p(x|z) ignores z, and q is the prior."""
    model, x, _ = model_and_images(tiny_config, model__likelihood="gaussian")
    for layer in (model.encoder[-1], model.decoder[0]):
        layer.weight.zero_()
    model.encoder[-1].bias.zero_()
    posterior = model.posterior(x)
    weights = log_weights(model, x, posterior, torch.randn(50, 6, 2))
    expected = model.likelihood(torch.zeros(6, 2)).log_prob(x).expand(50, 6)
    torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-4)
