"""A mixture goes through a recipe and back unchanged, and what is no mixture is refused."""

import numpy as np
import pytest

from vae_explorer.errors import UsageError
from vae_explorer.export.mixture_recipe import to_mixture, to_recipe
from vae_explorer.export.recipe import MAX_RECIPE_BYTES, MixtureRecipe, Recipe, decode_recipe, encode_recipe
from vae_explorer.latent.em import start
from vae_explorer.latent.mixture import Mixture, sample


@pytest.fixture(scope="module")
def mixture():
    return start(np.random.default_rng(0).normal(size=(200, 3)), 4, seed=0).mixture


def test_it_comes_back_from_the_bytes_of_a_recipe_and_draws_the_same(mixture):
    recipe = Recipe(what="samples", source="mixture", mixture=to_recipe(mixture))
    back = to_mixture(decode_recipe(encode_recipe(recipe), where="here").mixture)
    for name in ("means", "covariances"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mixture, name))
    np.testing.assert_array_equal(sample(back, 50, seed=1), sample(mixture, 50, seed=1))


def test_the_largest_that_is_taken_fits_into_a_recipe():
    covariance = np.eye(200) + 1e-3 * np.random.default_rng(0).normal(size=(200, 200))
    large = Mixture(np.ones(1), np.zeros((1, 200)), ((covariance + covariance.T) / 2)[None])
    assert len(encode_recipe(Recipe(what="samples", mixture=to_recipe(large)))) < MAX_RECIPE_BYTES
    with pytest.raises(UsageError, match="has too many numbers for a picture's recipe; fit at most 1 Gaussians"):
        to_recipe(Mixture(np.full(2, 0.5), np.zeros((2, 200)), np.tile(covariance, (2, 1, 1))))


def recipe(weights=(1.0,), means=((0.0, 0.0),), covariances=(((1.0, 0.0), (0.0, 1.0)),)):
    return MixtureRecipe(weights=weights, means=means, covariances=covariances)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (recipe(weights=(0.5,)), "sum to 0.5"),
        (recipe(weights=(1.5, -0.5), means=((0.0, 0.0),) * 2, covariances=(((1.0, 0.0), (0.0, 1.0)),) * 2), "positive"),
        (recipe(weights=(0.5, 0.5)), r"weights \(2,\), means \(1, 2\)"),
        (recipe(weights=(), means=(), covariances=()), r"weights \(0,\)"),
        (recipe(means=((0.0,),)), r"covariances \(1, 2, 2\)"),
        (recipe(means=((0.0, 0.0), (1.0,))), "unequal lengths"),
        (recipe(means=((float("nan"), 0.0),)), "not finite"),
        (recipe(covariances=(((1.0, 2.0), (2.0, 1.0)),)), "positive definite"),
        (recipe(covariances=(((1.0, 0.5), (0.0, 1.0)),)), "not symmetric"),
    ],
)
def test_what_is_no_mixture_is_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        to_mixture(wrong)


def test_a_recipe_of_a_mixture_must_hold_one_that_fits_the_model():
    with pytest.raises(UsageError, match="needs that mixture in its recipe"):
        Recipe(what="samples", source="mixture").validated(latent_dim=2, n_images=10)
    with pytest.raises(UsageError, match="A mixture of 2 dimensions cannot be sampled for a model of 5"):
        Recipe(what="samples", source="mixture", mixture=recipe()).validated(latent_dim=5, n_images=10)
    Recipe(what="samples", source="mixture", mixture=recipe()).validated(latent_dim=2, n_images=10)
