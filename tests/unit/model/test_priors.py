"""Priors against torch.distributions, as densities, and by their draws."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_explorer.config import RunConfig
from vae_explorer.model import priors
from vae_explorer.model.latents import DiagonalNormal
from vae_explorer.model.model import build_model
from vae_explorer.model.priors import MixturePrior, NormalMixture, StandardNormal, VampPrior


@pytest.fixture
def mixture():
    generator = torch.Generator().manual_seed(0)
    logits, loc, log_scale = (
        torch.randn(size, generator=generator, dtype=torch.float64) for size in ((5,), (5, 2), (5, 2))
    )
    return NormalMixture(torch.log_softmax(logits, 0), 2 * loc, 0.5 * log_scale - 0.5)


def reference(mixture):
    components = Independent(Normal(mixture.loc, mixture.log_scale.exp()), 1)
    return MixtureSameFamily(Categorical(logits=mixture.log_weights), components)


def build(prior, *, examples=None, **values):
    keys = {"model.prior": prior, "model.components": 7, "model.hidden": [10], "model.latent_dim": 2}
    keys |= {name.replace("__", "."): value for name, value in values.items()}
    return build_model(RunConfig().with_values(keys), (1, 8, 8), 16, examples=examples)


def test_a_mixture_is_that_of_torch_distributions(mixture):
    z = 3 * torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(z), reference(mixture).log_prob(z))


def test_a_narrow_component_far_out_keeps_its_digits_in_single_precision():
    loc, log_scale = torch.full((2, 3), 40.0), torch.full((2, 3), math.log(0.01))
    mixture = NormalMixture(torch.full((2,), -math.log(2)), loc, log_scale)
    z = 40.0 + torch.tensor([[0.01, -0.02, 0.0]])
    exact = Independent(Normal(loc[0].double(), log_scale[0].double().exp()), 1).log_prob(z.double())
    torch.testing.assert_close(mixture.log_prob(z).double(), exact, atol=1e-4, rtol=0)


def test_many_codes_are_worked_in_parts_with_the_same_answer(mixture, monkeypatch):
    z = torch.randn(3, 50, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole = mixture.log_prob(z)
    monkeypatch.setattr(priors, "_MOST_NUMBERS", 70)  # seven codes of 5 components and 2 dimensions
    torch.testing.assert_close(mixture.log_prob(z), whole, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["standard_normal", "mixture", "vampprior"])
def test_every_prior_is_a_density_with_the_moments_of_its_draws(kind):
    model = build(kind).double()
    with torch.no_grad():
        axis = torch.linspace(-9, 9, 361, dtype=torch.float64)
        grid = torch.cartesian_prod(axis, axis)
        mass = model.prior().log_prob(grid).exp() * (axis[1] - axis[0]) ** 2
    assert mass.sum().item() == pytest.approx(1, abs=1e-6)
    drawn = model.prior().sample(40_000, torch.Generator().manual_seed(2)).double()
    assert drawn.shape == (40_000, 2)
    assert not drawn.requires_grad
    mean = (mass[:, None] * grid).sum(0)
    variance = (mass[:, None] * (grid - mean).square()).sum(0)
    assert ((drawn.mean(0) - mean).abs() < 5 * (variance / 40_000).sqrt()).all()
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.05, atol=0)


def test_the_kl_has_a_closed_form_to_the_standard_normal_only():
    posterior = DiagonalNormal(torch.zeros(3, 2), torch.zeros(3, 2))
    assert posterior.kl_per_dim(StandardNormal(2)).shape == (3, 2)
    for kind in ("mixture", "vampprior"):
        model = build(kind)
        assert posterior.kl_per_dim(model.prior()) is None
        assert not model.has_standard_prior
    assert build("standard_normal").has_standard_prior


def test_a_learnt_mixture_starts_with_mean_0_and_variance_1():
    module = MixturePrior(components=4000, latent_dim=3)
    module.initialise(torch.Generator().manual_seed(0))
    drawn = module().sample(40_000, torch.Generator().manual_seed(1))
    np.testing.assert_allclose(drawn.mean(0).numpy(), 0, atol=0.06)
    np.testing.assert_allclose(drawn.var(0).numpy(), 1, atol=0.06)


def test_the_vampprior_is_the_mean_posterior_of_its_pseudo_images():
    model = build("vampprior")
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    q = model.posterior(model.learnt_prior.images)
    expected = torch.logsumexp(q.log_prob(z[:, None]), -1) - math.log(7)
    torch.testing.assert_close(model.prior().log_prob(z), expected)


def test_pseudo_images_start_from_different_examples():
    examples = np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8)).astype(np.uint8)
    found = build("vampprior", examples=examples).learnt_prior.images.detach() * 16
    clipped = torch.from_numpy(examples).float().clamp(16 / 64, 16 - 16 / 64)
    distances = torch.cdist(found.flatten(1), clipped.flatten(1))
    assert distances.min(1).values.max() < 1e-3
    assert len(set(distances.argmin(1).tolist())) == 7
    few = build("vampprior", examples=examples[:3]).learnt_prior.images.detach()
    assert few.isfinite().all()
    assert few.std() > 0.1


@pytest.mark.parametrize("kind", ["mixture", "vampprior"])
def test_every_parameter_of_a_learnt_prior_is_learnt_and_starts_by_the_seed(kind):
    first, again, other = (build(kind, train__seed=seed) for seed in (1, 1, 2))
    names = [name for name, _ in first.named_parameters() if name.startswith("learnt_prior.")]
    assert names
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    first.prior().log_prob(z).sum().backward()
    for name in names:
        values = [dict(model.named_parameters())[name] for model in (first, again, other)]
        assert values[0].grad.abs().sum() > 0
        assert torch.equal(values[0], values[1])
        is_drawn = not name.endswith(("log_scale", "learnt_prior.logits")) or kind == "vampprior"
        assert torch.equal(values[0], values[2]) != is_drawn


def test_the_networks_start_the_same_whatever_the_prior():
    plain, learnt = build("standard_normal"), build("vampprior")
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, dict(learnt.named_parameters())[name])


def test_an_autoencoder_has_no_learnt_prior():
    assert build("mixture", model__kind="autoencoder").learnt_prior is None


def test_a_vampprior_takes_the_images_of_convolutions():
    model = build("vampprior", model__network="conv", model__channels=[2])
    assert isinstance(model.learnt_prior, VampPrior)
    assert model.prior().log_prob(torch.zeros(3, 2)).shape == (3,)
