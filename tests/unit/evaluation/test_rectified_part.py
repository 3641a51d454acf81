"""The part of log p(x|z) that bends: its closed form against quadrature, and what is left once it is taken away."""

import numpy as np
import pytest
import torch

from vae_explorer.config import RunConfig
from vae_explorer.evaluation.q_rule import expectation_slices, round_points
from vae_explorer.evaluation.rectified_part import RectifiedPart, rectified_part
from vae_explorer.evaluation.slices import drain
from vae_explorer.model.model import build_model


def built(**values):
    config = RunConfig().with_values({
        "train.device": "cpu", "model.hidden": [50], "model.latent_dim": 2,
        **{f"model.{key}": value for key, value in values.items()},
    })  # fmt: skip
    return build_model(config, (1, 9, 9), 255)


def an_image():
    return (torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(2)) > 0.7).float()


@pytest.mark.parametrize("dims", [1, 2])
def test_its_expectation_is_that_of_a_very_fine_rule(dims):
    generator = np.random.default_rng(dims)
    part = RectifiedPart(
        slope=generator.normal(size=(30, dims)), offset=generator.normal(size=30), level=generator.normal(size=30),
        tilt=generator.normal(size=(30, dims)),
    )  # fmt: skip
    points, weights = round_points(601, dims, reach=7.0)
    assert weights @ part.at(points) == pytest.approx(part.expectation, abs=5e-4)


def test_a_unit_that_no_code_moves_has_its_expectation_too():
    part = RectifiedPart(
        slope=np.zeros((2, 1)), offset=np.array([2.0, -1.0]), level=np.array([3.0, 5.0]), tilt=np.zeros((2, 1))
    )
    assert part.expectation == pytest.approx(6.0)


def bent(**values):
    """A model with kinks that tell, as if trained, and its log p(x|z) of an image."""
    model, x = built(**values), an_image()
    with torch.no_grad():
        for layer in (model.decoder[0], model.decoder[2]):
            layer.weight.mul_(3.0)

    @torch.no_grad()
    def log_likelihood(z):
        return model.likelihood(torch.tensor(z, dtype=torch.float32)).log_prob(x).numpy().astype(np.float64)

    return model, x, log_likelihood


ONE_LAYER = [
    {"likelihood": "bernoulli"},
    {"likelihood": "continuous_bernoulli"},
    {"likelihood": "gaussian", "variance": "decoder"},
    {"likelihood": "discretised_logistic", "variance": "learnt"},
]
TWO_LAYERS = {"likelihood": "bernoulli", "hidden": [40, 50]}


def names(values):
    return "-".join(map(str, values.values()))


@pytest.mark.parametrize("values", ONE_LAYER, ids=names)
def test_few_points_integrate_what_is_left_several_times_better(values):
    model, x, log_likelihood = bent(**values)
    points, weights = round_points(401, 2)
    few, few_weights = round_points(15, 2)
    scale, errors = np.array([0.4, 0.3]), []
    for loc in np.random.default_rng(0).normal(size=(12, 2)):
        known, values_at = weights @ log_likelihood(loc + scale * points), log_likelihood(loc + scale * few)
        part = rectified_part(model, x, loc, scale)
        rest = few_weights @ (values_at - part.at(few)) + part.expectation
        errors.append((few_weights @ values_at - known, rest - known))
    plain, corrected = np.sqrt(np.square(errors).mean(axis=0))
    assert corrected < plain / 3


@pytest.mark.parametrize("values", [*ONE_LAYER, TWO_LAYERS], ids=names)
def test_the_whole_is_the_same_with_and_without_it(values):
    model, x, log_likelihood = bent(**values)
    loc, scale = np.array([0.3, -0.2]), np.array([0.5, 0.4])
    part = rectified_part(model, x, loc, scale)

    def rest_at(z):
        yield 1.0
        return log_likelihood(z) - part.at((z - loc) / scale)

    mean, error = drain(expectation_slices(rest_at, loc, scale, tolerance=1e-3, most_side=225))
    points, weights = round_points(401, 2)
    # A scale of the decoder's own bends where it meets its floor, which no layer of rectifiers tells of.
    assert error <= (0.05 if values.get("variance") == "decoder" else 1e-3)
    assert mean + part.expectation == pytest.approx(weights @ log_likelihood(loc + scale * points), abs=error + 5e-4)


@pytest.mark.parametrize("values", [{"activation": "tanh"}, {"hidden": []}], ids=["tanh", "affine"])
def test_a_decoder_without_rectifiers_in_front_has_none(values):
    assert rectified_part(built(**values), an_image(), np.zeros(2), np.ones(2)) is None


def test_weights_that_overflow_have_none():
    model = built()
    with torch.no_grad():
        model.decoder[2].weight.fill_(torch.inf)
    assert rectified_part(model, an_image(), np.zeros(2), np.ones(2)) is None
