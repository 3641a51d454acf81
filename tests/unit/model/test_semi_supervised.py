"""M2 and M1+M2 as models: what they give, that classes are worked at once as one by one, and their priors."""

import math

import pytest
import torch
from torch.distributions import Normal

from vae_explorer.config import RunConfig
from vae_explorer.errors import ConfigError
from vae_explorer.model.class_conditional import ClassNetwork, one_hot
from vae_explorer.model.likelihoods import Bernoulli
from vae_explorer.model.model import build_model
from vae_explorer.model.semi_supervised import ClassMixture, log_marginal_weight

CLASSES = 4
X = torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))


def model_of(kind="m2", **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    config = RunConfig().with_values({"model.kind": kind, "model.hidden": [12], "model.style_dim": 3, **keys})
    return build_model(config, (1, 5, 5), 16, n_classes=CLASSES)


@pytest.fixture(params=["m2", "m1m2"])
def model(request):
    made = model_of(request.param)
    if request.param == "m1m2":
        made.stack()
    return made


@pytest.mark.parametrize("hidden", [[], [7], [7, 5]])
@torch.no_grad()
def test_a_class_network_is_an_affine_first_layer_of_both_and_the_same_for_all_classes_at_once(hidden):
    network = ClassNetwork([3, *hidden, 2], CLASSES, torch.nn.Tanh)
    a = torch.randn(6, 3)
    for label in range(CLASSES):
        y = one_hot(torch.full((6,), label), CLASSES)
        together = network.rest(network.first(torch.cat((a, y), dim=-1)))
        torch.testing.assert_close(network(a, y), together)
        torch.testing.assert_close(network.each(a.unsqueeze(-2))[:, label], together)
    rows = torch.randn(6, CLASSES, 3)
    torch.testing.assert_close(network.each(rows)[:, 1], network(rows[:, 1], one_hot(torch.ones(6), CLASSES)))


@torch.no_grad()
def test_both_kinds_answer_what_a_model_is_asked(model):
    assert model.posterior(X).loc.shape == (6, 2)
    assert model.class_logits(X).shape == (6, CLASSES)
    assert model.likelihood(torch.zeros(6, 2)).mean.shape == X.shape
    assert model.n_classes == CLASSES
    assert not model.is_autoencoder
    assert model.styles(X).shape == (6, model.style_dim)
    labels = torch.arange(6) % CLASSES
    codes = model.style_codes(model.styles(X), labels)
    assert model.likelihood(codes, one_hot(labels, CLASSES)).mean.shape == X.shape
    draws = model.prior().sample(50, torch.Generator().manual_seed(0))
    assert draws.shape == (50, 2)
    assert draws.isfinite().all()


@torch.no_grad()
def test_the_style_of_one_code_gives_other_images_under_other_classes(model):
    classes = torch.arange(CLASSES)
    codes = model.style_codes(torch.zeros(CLASSES, model.style_dim), classes)
    images = model.likelihood(codes, one_hot(classes, CLASSES)).mean
    assert len({tuple(image.flatten().tolist()) for image in images}) == CLASSES


@torch.no_grad()
def test_one_code_of_m2_is_that_of_the_most_probable_class():
    model = model_of()
    y = one_hot(model.class_logits(X).argmax(-1), CLASSES)
    assert torch.equal(model.posterior(X).loc, model.posterior_given(X, y).loc)
    assert torch.equal(model.styles(X), model.posterior(X).loc)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "discretised_logistic", "continuous_bernoulli"])
@torch.no_grad()
def test_without_a_class_the_likelihood_is_the_mixture_of_all(likelihood):
    model = model_of(model__likelihood=likelihood)
    x, z = (X * 16).round() / 16, torch.randn(6, 2)
    each = [model.likelihood(z, one_hot(torch.full((6,), label), CLASSES)) for label in range(CLASSES)]
    mixture = model.likelihood(z)
    torch.testing.assert_close(mixture.mean, torch.stack([one.mean for one in each]).mean(0))
    expected = torch.logsumexp(torch.stack([one.log_prob(x) for one in each]), 0) - math.log(CLASSES)
    torch.testing.assert_close(mixture.log_prob(x), expected)
    assert mixture.is_density == each[0].is_density
    assert mixture.sample(torch.Generator().manual_seed(0)).shape == X.shape


@torch.no_grad()
def test_draws_of_a_mixture_are_each_of_one_class_drawn_evenly():
    logits = torch.full((8000, CLASSES, 1, 1, 2), -100.0)
    logits[:, :2] = 100.0  # two classes of white images, two of black ones
    drawn = ClassMixture(Bernoulli(logits), CLASSES).sample(torch.Generator().manual_seed(0))
    assert torch.equal(drawn[..., 0], drawn[..., 1])
    assert drawn[..., 0].mean() == pytest.approx(0.5, abs=5 * 0.5 / 8000**0.5)


@torch.no_grad()
def test_the_prior_of_m1s_codes_becomes_that_of_m2_once_it_is_trained():
    model = model_of("m1m2", model__latent_dim=1, model__style_dim=1)
    assert model.has_standard_prior
    z = torch.linspace(-3, 3, 7).unsqueeze(-1)
    torch.testing.assert_close(model.prior().log_prob(z), Normal(0.0, 1.0).log_prob(z).squeeze(-1))
    model.stack()
    assert not model.has_standard_prior
    line = torch.linspace(-8, 8, 2001).unsqueeze(-1)
    mass = Normal(0.0, 1.0).log_prob(line).exp() * (line[1] - line[0]) / CLASSES
    exact = torch.zeros(7)
    for label in range(CLASSES):
        codes = model.parts.likelihood(line, one_hot(torch.full((2001,), label), CLASSES))
        exact += (Normal(codes.loc, codes.scale).log_prob(z.T).exp() * mass).sum(0)
    torch.testing.assert_close(model.prior().log_prob(z), exact.log(), atol=0.3, rtol=0)
    assert torch.equal(model.prior().log_prob(z), model.prior().log_prob(z))
    noise = torch.randn(20_000, 7, 1, generator=torch.Generator().manual_seed(0))
    weights = log_marginal_weight(model.parts, z, noise).exp()
    assert ((weights.mean(0) - exact).abs() < 5 * weights.std(0) / 20_000**0.5 + 1e-6).all()


@torch.no_grad()
def test_draws_of_the_stacked_prior_have_its_density():
    model = model_of("m1m2", model__latent_dim=1)
    model.stack()
    draws = model.prior().sample(20_000, torch.Generator().manual_seed(0)).squeeze(-1)
    edges = torch.linspace(-4, 4, 17)
    found = torch.histogram(draws, edges).hist / 20_000
    centres = edges[:-1].unsqueeze(-1) + 0.25
    expected = model.prior().log_prob(centres).exp() * 0.5
    assert (found - expected).abs().max() < 0.02


def test_whether_m2_is_stacked_is_stored_with_the_weights():
    model, other = model_of("m1m2"), model_of("m1m2")
    model.stack()
    other.load_state_dict(model.state_dict())
    assert other.is_stacked
    assert not model_of("m1m2").is_stacked


def test_weights_are_a_function_of_the_seed_and_all_are_drawn(model):
    again = model_of(model.kind)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert all(
        parameter.isfinite().all() and parameter.std() > 0 for parameter in model.parameters() if parameter.dim()
    )


def test_a_model_beyond_memory_is_refused_before_anything_is_allocated():
    for kind in ("m2", "m1m2"):
        with pytest.raises(ConfigError, match=r"lower model\.hidden"):
            model_of(kind, model__hidden=[16384] * 16, model__latent_dim=2)
