"""The bounds of M2 against enumeration, quadrature and sampling; the objective against the paper's J / N."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from vae_explorer.model.class_conditional import one_hot
from vae_explorer.model.model import build_model
from vae_explorer.objective.elbo import image_terms, one_latent_terms
from vae_explorer.objective.log_weights import importance_log_weights
from vae_explorer.objective.semi_supervised import labelled_bound
from vae_explorer.objective.semi_supervised_objective import SemiSupervisedObjective
from vae_explorer.objective.terms import Batch, Live

CLASSES = 3


def made(tiny_config, kind="m2", **values):
    keys = {name.replace("__", "."): value for name, value in values.items()}
    config = tiny_config.with_values({"model.kind": kind, "model.style_dim": 3, **keys})
    model = build_model(config, (1, 4, 4), 16, n_classes=CLASSES)
    with torch.no_grad():
        # Larger weights than at the start, so that classes, codes and styles differ.
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return config, model


def images(n=5, seed=1):
    return torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def noise_for(model, samples, n=5, seed=2):
    return torch.randn(samples, n, model.noise_dim, generator=torch.Generator().manual_seed(seed))


def live(beta=1.0):
    return Live(beta=torch.tensor(beta), free_bits=torch.tensor(0.0))


def enumerated(model, observed, noise, log_prob):
    """Minus U of single things observed, class by class with torch.distributions, for one draw."""
    q_class = Categorical(logits=model.parts.class_logits(observed))
    total = q_class.entropy() - math.log(CLASSES)
    kl = -total
    for label in range(CLASSES):
        y = one_hot(torch.full((len(observed),), label), CLASSES)
        posterior = model.parts.posterior(observed, y)
        normal = Normal(posterior.loc, posterior.scale)
        z = posterior.loc + posterior.scale * noise
        kl_z = kl_divergence(normal, Normal(torch.zeros_like(z), torch.ones_like(z))).sum(-1)
        total = total + q_class.probs[:, label] * (log_prob(z, y) - kl_z)
        kl = kl + q_class.probs[:, label] * kl_z
    return total, kl


LIKELIHOODS = [
    {}, {"model__likelihood": "continuous_bernoulli"},
    *({"model__likelihood": "gaussian", "model__variance": variance}
      for variance in ("unit", "learnt", "per_pixel", "decoder")),
    {"model__likelihood": "discretised_logistic", "model__variance": "learnt"},
]  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("values", LIKELIHOODS)
def test_the_unlabelled_bound_is_that_of_enumeration(tiny_config, values):
    _, model = made(tiny_config, **values)
    x, noise = (images() * 16).round() / 16, noise_for(model, 4)
    terms = image_terms(model, x, noise)
    draws = [enumerated(model, x, one, lambda z, y: model.likelihood(z, y).log_prob(x)) for one in noise]
    torch.testing.assert_close(terms.elbo, torch.stack([total for total, _ in draws]).mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms.kl, draws[0][1])
    assert terms.log_likelihood.shape == (4, 5)
    # The kl is that of codes, by dimension, and that of the class, which is no dimension of the code.
    q_class = Categorical(logits=model.class_logits(x))
    torch.testing.assert_close(terms.kl - terms.kl_per_dim.sum(-1), math.log(CLASSES) - q_class.entropy())


@torch.no_grad()
def test_the_joint_bound_of_m1_and_m2_is_that_of_enumeration(tiny_config):
    _, model = made(tiny_config, "m1m2")
    model.stack()
    x, noise = images(), noise_for(model, 4)
    terms = image_terms(model, x, noise)
    expected = []
    for one in noise:
        lower = model.posterior(x)
        z1 = lower.rsample(one[:, :2])
        upper, _ = enumerated(model, z1, one[:, 2:], lambda z, y, z1=z1: model.parts.likelihood(z, y).log_prob(z1))
        expected.append(model.likelihood(z1).log_prob(x) - lower.log_prob(z1) + upper)
    torch.testing.assert_close(terms.elbo, torch.stack(expected).mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms.log_weight, torch.stack(expected), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_before_m2_is_trained_the_terms_are_those_of_the_vae_below(tiny_config):
    _, model = made(tiny_config, "m1m2")
    x, noise = images(), noise_for(model, 4)
    terms, below = image_terms(model, x, noise), one_latent_terms(model, x, noise[..., :2])
    assert torch.equal(terms.elbo, below.elbo)
    torch.testing.assert_close(importance_log_weights(model, x, noise), below.log_weight)


@torch.no_grad()
def test_many_draws_are_worked_in_parts_with_the_same_figures(tiny_config, monkeypatch):
    for kind in ("m2", "m1m2"):
        _, model = made(tiny_config, kind)
        if kind == "m1m2":
            model.stack()
        x, noise = images(), noise_for(model, 7)
        whole, weights = image_terms(model, x, noise), importance_log_weights(model, x, noise)
        monkeypatch.setattr("vae_explorer.objective.semi_supervised._AT_ONCE", 2 * 5 * CLASSES)
        parts = image_terms(model, x, noise)
        torch.testing.assert_close(parts.elbo, whole.elbo)
        torch.testing.assert_close(parts.log_likelihood, whole.log_likelihood)
        torch.testing.assert_close(importance_log_weights(model, x, noise), weights)
        monkeypatch.undo()


@torch.no_grad()
def test_importance_weights_are_unbiased_for_p_of_x_by_quadrature(tiny_config):
    _, model = made(tiny_config, model__latent_dim=1)
    x = images()
    line = torch.linspace(-9, 9, 4001).unsqueeze(-1)
    mass = Normal(0.0, 1.0).log_prob(line).exp().squeeze(-1) * (line[1, 0] - line[0, 0])
    exact = torch.stack(
        [(model.likelihood(line).log_prob(image.expand(4001, 1, 4, 4)).exp() * mass).sum() for image in x]
    )
    weights = importance_log_weights(model, x, noise_for(model, 40_000)).exp()
    error = weights.std(0) / 200
    assert ((weights.mean(0) - exact).abs() < 5 * error).all()
    assert (error < 0.05 * exact).all()
    bound = image_terms(model, x, noise_for(model, 2000)).elbo
    assert (bound < exact.log()).all()


@torch.no_grad()
def test_importance_weights_of_m1_and_m2_are_unbiased_by_quadrature(tiny_config):
    """Both codes of one dimension: p(x) is an integral over z1 and z2 and a sum over y."""
    _, model = made(tiny_config, "m1m2", model__latent_dim=1, model__style_dim=1)
    model.stack()
    x, z1, z2 = images(), torch.linspace(-80, 80, 8001).unsqueeze(-1), torch.linspace(-7, 7, 281).unsqueeze(-1)
    mass = Normal(0.0, 1.0).log_prob(z2).exp().squeeze(-1) * (z2[1, 0] - z2[0, 0]) / CLASSES
    prior = torch.zeros(8001)
    for label in range(CLASSES):
        codes = model.parts.likelihood(z2, one_hot(torch.full((281,), label), CLASSES))
        prior += Normal(codes.loc.T, codes.scale.T).log_prob(z1).exp() @ mass * (z1[1, 0] - z1[0, 0])
    torch.testing.assert_close(prior.sum(), torch.tensor(1.0), rtol=1e-3, atol=0)
    exact = torch.stack([(model.likelihood(z1).log_prob(one.expand(8001, 1, 4, 4)).exp() * prior).sum() for one in x])
    weights = importance_log_weights(model, x, noise_for(model, 40_000)).exp()
    error = weights.std(0) / 200
    assert ((weights.mean(0) - exact).abs() < 5 * error + 1e-3 * exact).all()
    assert (error < 0.05 * exact).all()


def paper_loss(model, x, labels, noise, *, share, alpha):
    """J / N of a batch, image by image, from the pieces of eqs. 6 to 9."""
    n = len(labels)
    y = one_hot(labels, CLASSES)
    bound = labelled_bound(model.parts, x[:n], y, noise[:, :n])
    labelled = -(bound.log_likelihood.mean(0) - bound.kl)
    unlabelled = -image_terms(model, x[n:], noise[:, n:]).elbo
    classified = -torch.log_softmax(model.class_logits(x[:n]), -1)[torch.arange(n), labels]
    return share * labelled.mean() + (1 - share) * unlabelled.mean() + alpha * classified.mean(), classified.mean()


def test_the_loss_is_the_papers_with_images_by_their_shares_in_the_data(tiny_config):
    config, model = made(tiny_config, objective__classification_weight=0.7)
    x, noise, labels = images(), noise_for(model, 1), torch.tensor([2, 0])
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    means = objective.means(model, Batch(x, labels), noise=noise, live=live(), step=0)
    expected, classified = paper_loss(model, x, labels, noise, share=0.1, alpha=0.7)
    torch.testing.assert_close(means.loss, expected)
    torch.testing.assert_close(means.classification_loss, classified)
    torch.testing.assert_close(means.loss, means.distortion + means.kl + 0.7 * means.classification_loss)
    wrong = (model.class_logits(x[:2]).argmax(-1) != labels).float().mean()
    torch.testing.assert_close(means.classification_error, wrong)
    heavier = objective.means(model, Batch(x, labels), noise=noise, live=live(3.0), step=0)
    torch.testing.assert_close(heavier.loss - means.loss, 2.0 * means.kl)
    assert len(means.packed(objective.packing)) == objective.packing.width


@torch.no_grad()
def test_a_labelled_bound_is_of_the_joint_density(tiny_config):
    """With the posterior of a class that the label names, -L = E_q log p(x|y,z) - KL + log p(y)."""
    _, model = made(tiny_config)
    x, noise, y = images(), noise_for(model, 3), one_hot(torch.tensor([0, 1, 2, 0, 1]), CLASSES)
    bound = labelled_bound(model.parts, x, y, noise)
    posterior = model.posterior_given(x, y)
    log_likelihood = torch.stack([model.likelihood(posterior.rsample(one), y).log_prob(x) for one in noise])
    torch.testing.assert_close(bound.log_likelihood, log_likelihood)
    kl = posterior.kl_per_dim(model.prior()).sum(-1)
    torch.testing.assert_close(bound.kl, kl + math.log(CLASSES))


@pytest.mark.parametrize("kind", ["m2", "m1m2"])
@pytest.mark.parametrize("n", [0, 5])
def test_a_batch_of_one_sort_stands_for_all(tiny_config, kind, n):
    config, model = made(tiny_config, kind, train__pretrain_steps=1)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    labels = torch.tensor([2, 0, 1, 1, 0])[:n] if n else None
    x, noise = images(), noise_for(model, 1)
    means = objective.means(model, Batch(x, labels), noise=noise, live=live(), step=1)
    if labels is None:
        torch.testing.assert_close(means.loss, -image_terms(model, x, noise).elbo.mean())
        assert means.classification_loss.isnan()
        assert means.classification_error.isnan()
    else:
        alone = SemiSupervisedObjective(config, n_images=100, n_labelled=100)
        torch.testing.assert_close(
            means.loss, alone.means(model, Batch(x, labels), noise=noise, live=live(), step=1).loss
        )


def test_every_part_of_m2_gets_a_gradient(tiny_config):
    config, model = made(tiny_config)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    batch = Batch(images(), torch.tensor([2, 0]))
    objective.means(model, batch, noise=noise_for(model, 2), live=live(), step=0).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_unlabelled_bound_alone_teaches_the_classifier(tiny_config):
    config, model = made(tiny_config)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    objective.means(model, Batch(images()), noise=noise_for(model, 1), live=live(), step=0).loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parts.classifier.parameters())


def test_m1_is_trained_first_and_then_stands_still(tiny_config):
    config, model = made(tiny_config, "m1m2", train__pretrain_steps=3, objective__weight_prior=1.0)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    x, noise, batch = images(), noise_for(model, 1), Batch(images(), torch.tensor([2, 0]))
    below = objective.means(model, Batch(x), noise=noise, live=live(), step=2)
    below.loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if not name.startswith("parts.")}
    torch.testing.assert_close(below.distortion + below.kl, -image_terms(model, x, noise).elbo.mean())
    assert below.classification_error.isnan()
    assert model.has_standard_prior

    model.zero_grad(set_to_none=True)
    objective.means(model, batch, noise=noise, live=live(), step=3).loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if name.startswith("parts.")}
    assert model.is_stacked


def test_the_joint_loss_is_minus_the_joint_bound_and_beta_weighs_what_is_trained(tiny_config):
    config, model = made(tiny_config, "m1m2", train__pretrain_steps=1)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    x, noise = images(), noise_for(model, 1)
    means = objective.means(model, Batch(x), noise=noise, live=live(), step=1)
    torch.testing.assert_close(means.loss, means.distortion + means.kl)
    held_out = objective.held_out_means(model, Batch(x), noise=noise, live=live(), step=1)
    torch.testing.assert_close(held_out.loss, means.loss)
    assert objective.packing.latent_dim == 0
    assert len(held_out.packed(objective.packing)) == objective.packing.width


@torch.no_grad()
def test_held_out_images_are_unlabelled_and_their_known_labels_are_compared_with(tiny_config):
    config, model = made(tiny_config)
    objective = SemiSupervisedObjective(config, n_images=100, n_labelled=10)
    x, noise = images(), noise_for(model, 2)
    predicted = model.class_logits(x).argmax(-1)
    labels = torch.where(torch.arange(5) < 1, (predicted + 1) % CLASSES, predicted)
    labels[4] = -1
    means = objective.held_out_means(model, Batch(x, labels), noise=noise, live=live(), step=9)
    assert means.classification_error == pytest.approx(0.25)
    torch.testing.assert_close(means.distortion + means.kl, -image_terms(model, x, noise).elbo.mean())
    chance = torch.log_softmax(model.class_logits(x), -1)[torch.arange(4), labels[:4]]
    torch.testing.assert_close(means.classification_loss, -chance.mean())
    nobody = objective.held_out_means(model, Batch(x, torch.full((5,), -1)), noise=noise, live=live(), step=9)
    assert nobody.classification_error.isnan()
    torch.testing.assert_close(nobody.loss, means.distortion + means.kl)


@torch.no_grad()
def test_the_figures_of_an_image_do_not_depend_on_its_batch(tiny_config):
    for kind in ("m2", "m1m2"):
        _, model = made(tiny_config, kind)
        if kind == "m1m2":
            model.stack()
        x, noise = images(), noise_for(model, 2)
        order = torch.tensor([3, 1, 4, 0, 2])
        torch.testing.assert_close(
            image_terms(model, x[order], noise[:, order]).elbo, image_terms(model, x, noise).elbo[order]
        )
