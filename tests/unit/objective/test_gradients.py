"""Gradients that are not the loss's own: in the mean they are the loss's, and theta's is the same draw by draw."""

import pytest
import torch
from objective_makers import config_of, images, means_of, model_of, noise_of

N_IMAGES, REPEATS, GROUPS = 3, 500, 24

CASES = {
    "score function, analytic KL": ({"gradient": "score_function"}, {}),
    "score function, its baseline": ({"gradient": "score_function", "samples": 4}, {}),
    "score function, sampled KL": ({"gradient": "score_function", "kl": "monte_carlo", "samples": 3}, {}),
    "score function, IWAE": ({"gradient": "score_function", "bound": "iwae", "samples": 4}, {}),
    "score function, one weight": ({"gradient": "score_function", "bound": "iwae", "samples": 1}, {}),
    "score function, tempered IWAE": (
        {"gradient": "score_function", "bound": "iwae", "samples": 4}, {"beta": 0.4}
    ),
    "sticking the landing": ({"gradient": "dreg", "kl": "monte_carlo", "samples": 2}, {}),
    "sticking the landing, beta": ({"gradient": "dreg", "kl": "monte_carlo"}, {"beta": 2.5}),
    "doubly reparameterised": ({"gradient": "dreg", "bound": "iwae", "samples": 4}, {}),
    "doubly reparameterised, tempered": ({"gradient": "dreg", "bound": "iwae", "samples": 4}, {"beta": 0.4}),
    "free bits, dreg": ({"gradient": "dreg", "kl": "monte_carlo", "samples": 2}, {"free_bits": 0.6}),
    "free bits, score function": (
        {"gradient": "score_function", "kl": "monte_carlo", "samples": 2}, {"free_bits": 0.6}
    ),
}  # fmt: skip
PRIORS = {"standard_normal": CASES, "mixture": {
    name: CASES[name] for name in ("score function, sampled KL", "sticking the landing", "doubly reparameterised")
}}  # fmt: skip


def gradient(config, model, live, *, seed, part):
    """Gradient of the loss, or its surrogate, over REPEATS draws of every image, flattened: (n,)."""
    x = images(N_IMAGES).repeat(REPEATS, 1, 1, 1)
    means = means_of(config, model, x, noise_of(config.objective.samples, len(x), seed=seed), **live)
    shown = means.loss if means.surrogate is None else means.surrogate
    gradients = torch.autograd.grad(shown, list(getattr(model, part).parameters()))
    return torch.cat([one.flatten() for one in gradients])


def mean_and_error(config, model, live, *, first_seed, part="encoder"):
    draws = torch.stack([gradient(config, model, live, seed=first_seed + n, part=part) for n in range(GROUPS)])
    return draws.mean(0), draws.std(0) / GROUPS**0.5


@pytest.mark.parametrize(("prior", "case"), [(prior, case) for prior, cases in PRIORS.items() for case in cases])
def test_the_mean_is_that_of_the_reparameterised_gradient(tiny_config, prior, case):
    values, live = CASES[case]
    objective = {f"objective__{name}": value for name, value in values.items()}
    config = config_of(tiny_config, model__prior=prior, model__components=3, **objective)
    model = model_of(config)
    found, error = mean_and_error(config, model, live, first_seed=1000)
    plain = config.with_values({"objective.gradient": "reparameterised"})
    expected, expected_error = mean_and_error(plain, model, live, first_seed=5000)
    allowed = 5 * (error**2 + expected_error**2).sqrt() + 1e-6
    assert ((found - expected).abs() < allowed).all()
    assert expected.norm() > 3 * allowed.norm() / 5  # so that a missing part would be seen


@pytest.mark.parametrize("gradient_name", ["score_function", "dreg"])
@pytest.mark.parametrize("bound", [{"bound": "iwae"}, {"kl": "monte_carlo"}])
def test_the_decoders_gradient_and_the_loss_are_the_same_draw_by_draw(tiny_config, gradient_name, bound):
    objective = {f"objective__{name}": value for name, value in bound.items()}
    config = config_of(tiny_config, objective__samples=3, objective__gradient=gradient_name, **objective)
    plain = config.with_values({"objective.gradient": "reparameterised"})
    model = model_of(config)
    found, expected = (gradient(one, model, {}, seed=7, part="decoder") for one in (config, plain))
    torch.testing.assert_close(found, expected)
    x, noise = images(5), noise_of(3, 5)
    torch.testing.assert_close(means_of(config, model, x, noise).loss, means_of(plain, model, x, noise).loss)


@pytest.mark.parametrize("bound", [{"bound": "iwae"}, {"kl": "monte_carlo"}])
def test_where_q_is_the_true_posterior_dreg_has_no_noise_at_all(tiny_config, bound):
    """The decoder ignores z and q is the prior: every log-weight is log p(x), and q has nothing to win."""
    objective = {f"objective__{name}": value for name, value in bound.items()}
    config = config_of(tiny_config, objective__samples=4, **objective)
    model = model_of(config, spread=False)
    with torch.no_grad():
        for parameter in (model.decoder[0].weight, model.encoder[-1].weight, model.encoder[-1].bias):
            parameter.zero_()
    largest = {}
    for name in ("reparameterised", "score_function", "dreg"):
        one = config.with_values({"objective.gradient": name})
        largest[name] = gradient(one, model, {}, seed=3, part="encoder").abs().max()
    assert largest["dreg"] < 1e-6
    assert largest["reparameterised"] > 1e-4
