"""What is minimised, term by term, against formulas written out here; and the figures beside it, which stay."""

import math
from itertools import pairwise

import pytest
import torch
from objective_makers import config_of, images, live, means_of, model_of, noise_of
from torch.distributions import Normal, kl_divergence

from vae_explorer.errors import ConfigError
from vae_explorer.model.noise import seeded_generator
from vae_explorer.objective.matching import mmd_squared
from vae_explorer.objective.objective import build_objective
from vae_explorer.objective.terms import Batch, Packing
from vae_explorer.training.session import TrainingSession

B, K = 5, 3


def setting(tiny_config, **values):
    config = config_of(tiny_config, objective__samples=K, **values)
    return config, model_of(config), images(B), noise_of(K, B)


def parts_of(model, x, noise):
    """log p(x|z), log p(z), log q(z|x), each (K, B), by torch.distributions; and q, whose KL is theirs."""
    posterior = model.posterior(x)
    q = Normal(posterior.loc, posterior.log_scale.exp())
    z = q.loc + q.scale * noise
    likelihood = torch.stack([model.likelihood(one).log_prob(x) for one in z])
    return likelihood, Normal(0.0, 1.0).log_prob(z).sum(-1), q.log_prob(z).sum(-1), q


@torch.no_grad()
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_elbo_with_an_analytic_kl(tiny_config, beta):
    config, model, x, noise = setting(tiny_config)
    likelihood, _, _, q = parts_of(model, x, noise)
    kl_per_dim = kl_divergence(q, Normal(0.0, 1.0)).mean(0)
    means = means_of(config, model, x, noise, beta=beta)
    torch.testing.assert_close(means.distortion, -likelihood.mean())
    torch.testing.assert_close(means.kl_per_dim, kl_per_dim)
    torch.testing.assert_close(means.loss, -likelihood.mean() + beta * kl_per_dim.sum())
    assert means.surrogate is means.bound is means.mmd is means.similarity is None


@torch.no_grad()
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_the_sampled_elbo_keeps_the_closed_form_beside_it(tiny_config, beta):
    config, model, x, noise = setting(tiny_config, objective__kl="monte_carlo")
    likelihood, log_prior, log_q, q = parts_of(model, x, noise)
    means = means_of(config, model, x, noise, beta=beta)
    torch.testing.assert_close(means.loss, (beta * (log_q - log_prior) - likelihood).mean())
    torch.testing.assert_close(means.kl_per_dim, kl_divergence(q, Normal(0.0, 1.0)).mean(0))


@torch.no_grad()
def test_both_readings_of_the_elbo_agree_within_their_monte_carlo_error(tiny_config):
    config, model, x, _ = setting(tiny_config)
    noise = noise_of(5_000, B)
    sampled = config.with_values({"objective.kl": "monte_carlo"})
    _, log_prior, log_q, _ = parts_of(model, x, noise)
    error = (log_q - log_prior).std(0).mean() / (len(noise) * B) ** 0.5
    found, expected = (means_of(one, model, x, noise).loss for one in (sampled, config))
    assert abs(found - expected) < 5 * error
    assert found != expected
    assert error < 0.05


@torch.no_grad()
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_the_importance_weighted_bound_and_the_true_one_beside_it(tiny_config, beta):
    config, model, x, noise = setting(tiny_config, objective__bound="iwae")
    likelihood, log_prior, log_q, _ = parts_of(model, x, noise)

    def bound(weight):
        return (torch.logsumexp(likelihood + weight * (log_prior - log_q), 0) - math.log(K)).mean()

    means = means_of(config, model, x, noise, beta=beta)
    torch.testing.assert_close(means.loss, -bound(beta))
    torch.testing.assert_close(means.bound, bound(1.0))
    torch.testing.assert_close(means.distortion, -likelihood.mean())
    assert means.kl_per_dim is not None


@torch.no_grad()
def test_bounds_come_in_order_within_their_errors(tiny_config):
    """L_1 <= L_k <= L_k' <= log p(x), of one set of codes: each group's weights are among the next one's."""
    _, model, x, _ = setting(tiny_config)
    noise = noise_of(4096, B)
    found = []
    for k in (1, 4, 16, 64):
        groups = noise.unflatten(0, (-1, k)).transpose(0, 1).reshape(k, -1, 2)  # (k, groups B, 2)
        config = config_of(tiny_config, objective__samples=k, objective__bound="iwae")
        found.append(means_of(config, model, x.repeat(len(noise) // k, 1, 1, 1), groups).bound)
    assert all(low < high for low, high in pairwise(found))  # exact: log is concave
    likelihood, log_prior, log_q, _ = parts_of(model, x, noise)
    log_px = (torch.logsumexp(likelihood + log_prior - log_q, 0) - math.log(len(noise))).mean()
    assert found[-1] < log_px
    elbo = config_of(tiny_config, objective__kl="monte_carlo")
    torch.testing.assert_close(found[0], -means_of(elbo, model, x, noise).loss, rtol=1e-5, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kl", ["analytic", "monte_carlo"])
@pytest.mark.parametrize("free_bits", [0.0, 0.3, 0.8, 50.0])
def test_free_bits_are_a_floor_of_each_dimensions_mean_kl(tiny_config, kl, free_bits):
    config, model, x, noise = setting(tiny_config, objective__kl=kl)
    likelihood, _, _, q = parts_of(model, x, noise)
    z = q.loc + q.scale * noise
    per_dim = q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    if kl == "analytic":
        per_dim = kl_divergence(q, Normal(0.0, 1.0))
    paid = per_dim.reshape(-1, 2).mean(0).clamp(min=free_bits).sum()
    means = means_of(config, model, x, noise, beta=2.0, free_bits=free_bits)
    torch.testing.assert_close(means.loss, -likelihood.mean() + 2.0 * paid)
    torch.testing.assert_close(means.kl_per_dim, kl_divergence(q, Normal(0.0, 1.0)).mean(0))


def test_a_dimension_below_the_free_bits_is_not_pulled_to_the_prior(tiny_config):
    config, model, x, noise = setting(tiny_config)
    with torch.no_grad():
        model.decoder[0].weight.zero_()  # so that the KL alone moves the encoder
    for free_bits, is_pulled in ((0.0, True), (50.0, False)):
        loss = means_of(config, model, x, noise, free_bits=free_bits).loss
        (gradient,) = torch.autograd.grad(loss, model.encoder[-1].bias)
        assert bool(gradient.abs().max() > 1e-3) == is_pulled


@torch.no_grad()
@pytest.mark.parametrize(
    ("similarity", "formula"),
    [
        ("reverse_kl", lambda q, p: kl_divergence(p, q).sum(-1)),
        ("wasserstein2", lambda q, p: (q.loc**2 + (q.scale - 1) ** 2).sum(-1)),
        ("renyi", lambda q, p: renyi_by_quadrature(q, 0.3)),
    ],
)
def test_another_similarity_stands_for_the_kl_in_the_loss_alone(tiny_config, similarity, formula):
    config, model, x, noise = setting(tiny_config, objective__similarity=similarity, objective__renyi_alpha=0.3)
    likelihood, _, _, q = parts_of(model, x, noise)
    prior = Normal(torch.zeros_like(q.loc), torch.ones_like(q.scale))
    expected = formula(q, prior).mean()
    means = means_of(config, model, x, noise, beta=2.0)
    torch.testing.assert_close(means.similarity, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(means.loss, -likelihood.mean() + 2.0 * expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(means.kl_per_dim, kl_divergence(q, prior).mean(0))


def renyi_by_quadrature(q, alpha):
    """log of the integral of q^alpha p^(1 - alpha), over alpha - 1, dimension by dimension."""
    grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64).view(-1, 1, 1)
    q = Normal(q.loc.double(), q.scale.double())
    integrand = (alpha * q.log_prob(grid) + (1 - alpha) * Normal(0.0, 1.0).log_prob(grid)).exp()
    return (torch.trapezoid(integrand, grid, dim=0).log() / (alpha - 1)).sum(-1).float()


@torch.no_grad()
@pytest.mark.parametrize("similarity", ["kl", "mmd"])
def test_mmd_beside_the_kl_or_in_its_place(tiny_config, similarity):
    values = {"objective__mmd_weight": 7.0, "objective__mmd_kernel": "rbf"}
    config, model, x, noise = setting(tiny_config, objective__similarity=similarity, **values)
    prior_z = model.prior().sample(B, seeded_generator(3))
    _, _, _, q = parts_of(model, x, noise)
    expected = mmd_squared(q.loc + q.scale * noise[0], prior_z, kernel="rbf", scale=2.0)  # sqrt(2 latent_dim)
    means = means_of(config, model, x, noise, beta=3.0, prior_z=prior_z)
    torch.testing.assert_close(means.mmd, expected)
    kl = means.kl_per_dim.sum() if similarity == "kl" else 0.0
    torch.testing.assert_close(means.loss, means.distortion + 3.0 * kl + 7.0 * expected)


@torch.no_grad()
def test_total_correlation_and_the_weights_cost_are_added(tiny_config):
    config, model, x, noise = setting(tiny_config)
    plain = means_of(config, model, x, noise).loss
    means = means_of(config.with_values({"objective.tc_weight": 5.0}), model, x, noise)
    torch.testing.assert_close(means.loss, plain + 5.0 * means.total_correlation)
    weighed = means_of(config.with_values({"objective.weight_prior": 0.5}), model, x, noise, n_images=40)
    squares = sum(float(p.square().sum()) for p in model.parameters())
    assert float(weighed.loss - plain) == pytest.approx(squares / (2 * 0.5**2 * 40), rel=1e-5)


@torch.no_grad()
def test_the_weight_prior_is_of_layers_alone(tiny_config):
    config, model, x, noise = setting(
        tiny_config, model__likelihood="gaussian", model__variance="learnt", model__prior="mixture",
        objective__weight_prior=1.0,
    )  # fmt: skip
    layers = [*model.encoder.parameters(), *model.decoder.parameters()]
    plain = means_of(config.with_values({"objective.weight_prior": None}), model, x, noise).loss
    cost = means_of(config, model, x, noise, n_images=10).loss - plain
    assert float(cost) == pytest.approx(sum(float(p.square().sum()) for p in layers) / 20, rel=1e-4)


def test_additions_keep_their_gradient_beside_a_surrogate(tiny_config):
    """A doubly reparameterised bound hooks its codes; what is added has codes of its own."""
    values = {"objective__bound": "iwae", "objective__gradient": "dreg"}
    config, model, x, noise = setting(tiny_config, **values)
    prior_z = model.prior().sample(B, seeded_generator(3))

    def encoder_gradient(one, **more):
        means = means_of(one, model, x, noise, **more)
        return torch.autograd.grad(means.surrogate, model.encoder[-1].bias)[0]

    with_mmd = encoder_gradient(config.with_values({"objective.mmd_weight": 9.0}), prior_z=prior_z)
    z = model.posterior(x).rsample(noise[0])
    alone = torch.autograd.grad(9.0 * mmd_squared(z, prior_z, kernel="imq", scale=2.0), model.encoder[-1].bias)[0]
    torch.testing.assert_close(with_mmd, encoder_gradient(config) + alone)


@torch.no_grad()
@pytest.mark.parametrize("prior", ["mixture", "vampprior"])
def test_a_learnt_prior_has_a_sampled_kl(tiny_config, prior):
    config, model, x, noise = setting(tiny_config, model__prior=prior, model__components=4)
    likelihood, _, log_q, q = parts_of(model, x, noise)
    kl = (log_q - model.prior().log_prob(q.loc + q.scale * noise)).mean()
    means = means_of(config, model, x, noise, beta=2.0)
    torch.testing.assert_close(means.kl, kl)
    torch.testing.assert_close(means.loss, -likelihood.mean() + 2.0 * kl)
    assert means.kl_per_dim is None


@pytest.mark.parametrize("prior", ["mixture", "vampprior"])
def test_a_learnt_prior_is_learnt(tiny_config, prior):
    config, model, x, noise = setting(tiny_config, model__prior=prior, model__components=4)
    means_of(config, model, x, noise).loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.learnt_prior.parameters())


@torch.no_grad()
def test_an_autoencoder_minimises_its_distortion(tiny_config):
    config = config_of(tiny_config, model__kind="autoencoder")
    model, x = model_of(config, spread=False), images(B)
    means = means_of(config, model, x, noise_of(1, B), beta=5.0)
    expected = -model.likelihood(model.posterior(x).loc).log_prob(x).mean()
    assert torch.equal(means.loss, expected)
    assert torch.equal(means.distortion, expected)
    assert means.kl is means.kl_per_dim is None


@torch.no_grad()
@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, ()),
        ({"model__kind": "autoencoder"}, ()),
        ({"model__prior": "mixture"}, ("kl",)),
        ({"objective__bound": "iwae", "objective__tc_weight": 1.0}, ("bound", "total_correlation")),
        ({"objective__similarity": "renyi", "objective__mmd_weight": 1.0}, ("mmd", "similarity")),
    ],
)
def test_the_figures_of_a_row_are_those_that_the_objective_has(tiny_config, values, names):
    config = config_of(tiny_config, **values)
    model, x = model_of(config, spread=False), images(B)
    objective = build_objective(config, n_images=100)
    latent_dim = 0 if "kl" in names or values.get("model__kind") else 2
    assert objective.packing == Packing(names=names, latent_dim=latent_dim)
    batch = Batch(x, prior_z=noise_of(1, B)[0])
    means = objective.means(model, batch, noise=noise_of(1, B), live=live(), step=0)
    row = means.packed(objective.packing)
    assert row.shape == (objective.packing.width,)
    assert row.tolist()[:2] == [float(means.loss), float(means.distortion)]
    assert row.tolist()[2 : 2 + len(names)] == [float(getattr(means, name)) for name in names]


@pytest.mark.parametrize("weight", ["objective__mmd_weight", "objective__tc_weight"])
def test_what_compares_codes_refuses_a_batch_of_one_image(tiny_config, weight):
    config = config_of(tiny_config, **{weight: 1.0}, train__batch_size=1)
    with pytest.raises(ConfigError, match=r"at least 2 images; raise train.batch_size"):
        build_objective(config, n_images=10)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_as_many_codes_are_decoded_as_are_asked_for(tiny_config, digits_data, monkeypatch, samples, bound):
    """A defect seen elsewhere: K = 1 drew more than one sample, or K drew K + 1."""
    config = config_of(tiny_config, objective__samples=samples, objective__bound=bound)
    session = TrainingSession.new(config, digits_data)
    decoded = []
    likelihood = session.model.likelihood
    monkeypatch.setattr(session.model, "likelihood", lambda z: decoded.append(len(z)) or likelihood(z))
    session.advance()
    assert sum(decoded) == samples * config.train.batch_size
