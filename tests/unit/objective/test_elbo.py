"""The terms of the bound of an image: their signs, their sums, and their agreement with sampled log-weights."""

import math

import pytest
import torch

from vae_explorer.errors import UsageError
from vae_explorer.model.model import build_model
from vae_explorer.objective.elbo import image_terms
from vae_explorer.objective.log_weights import importance_log_weights, log_weights
from vae_explorer.objective.terms import joined_samples


def model_and_images(config, **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    model = build_model(config.with_values(keys), (1, 8, 8), 16)
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return model, x, torch.randn(3, 6, model.latent_dim, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_elbo_is_minus_distortion_and_kl(tiny_config, likelihood):
    model, x, noise = model_and_images(tiny_config, model__likelihood=likelihood, model__latent_dim=3)
    terms = image_terms(model, x, noise)
    assert terms.distortion.shape == terms.kl.shape == (6,)
    assert terms.kl_per_dim.shape == (6, 3)
    assert (terms.kl_per_dim >= 0).all()
    torch.testing.assert_close(terms.elbo, -(terms.distortion + terms.kl))
    torch.testing.assert_close(terms.distortion, -terms.log_likelihood.mean(0))
    assert terms.is_kl_exact
    assert terms.elbo_draws is terms.log_likelihood


@torch.no_grad()
def test_an_autoencoder_has_no_bound(tiny_config):
    model, x, noise = model_and_images(tiny_config, model__kind="autoencoder")
    terms = image_terms(model, x, noise[:1])
    assert terms.kl is terms.elbo is terms.kl_per_dim is None
    assert torch.equal(terms.distortion, image_terms(model, x, noise[:1] + 1).distortion)
    with pytest.raises(UsageError, match="no prior"):
        importance_log_weights(model, x, noise)


@torch.no_grad()
def test_terms_of_an_image_do_not_depend_on_its_batch(tiny_config):
    model, x, noise = model_and_images(tiny_config)
    alone = image_terms(model, x[2:3], noise[:, 2:3])
    torch.testing.assert_close(alone.elbo, image_terms(model, x, noise).elbo[2:3])


@torch.no_grad()
@pytest.mark.parametrize("prior", ["standard_normal", "mixture"])
def test_terms_in_parts_are_those_of_all_codes_at_once(tiny_config, prior):
    model, x, noise = model_and_images(tiny_config, model__prior=prior)
    whole = image_terms(model, x, noise)
    parts = joined_samples([image_terms(model, x, part, posterior=model.posterior(x)) for part in noise.split(2)])
    for name in ("distortion", "kl", "elbo", "elbo_draws", "log_weight"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    assert (parts.kl_per_dim is None) == (prior == "mixture")


@torch.no_grad()
@pytest.mark.parametrize("prior", ["mixture", "vampprior"])
def test_where_the_kl_has_no_closed_form_it_is_that_of_the_codes(tiny_config, prior):
    model, x, noise = model_and_images(tiny_config, model__prior=prior)
    terms = image_terms(model, x, noise)
    assert terms.kl_per_dim is None
    assert not terms.is_kl_exact
    assert terms.elbo_draws is terms.log_weight
    torch.testing.assert_close(terms.elbo, terms.log_weight.mean(0))
    torch.testing.assert_close(terms.log_weight, importance_log_weights(model, x, noise))


@torch.no_grad()
def test_log_weights_average_to_the_elbo_and_their_bound_lies_above(tiny_config):
    model, x, _ = model_and_images(tiny_config, model__likelihood="gaussian")
    posterior = model.posterior(x)
    z = posterior.rsample(torch.randn(20_000, 6, 2, generator=torch.Generator().manual_seed(3)))
    weights = log_weights(model, x, posterior, z)
    assert weights.shape == (20_000, 6)
    noise = torch.randn(2_000, 6, 2, generator=torch.Generator().manual_seed(4))
    analytic = image_terms(model, x, noise).elbo
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
