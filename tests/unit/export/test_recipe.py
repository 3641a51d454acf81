"""A recipe that does not fit model or data is refused with the option's name and range."""

import pytest

from vae_explorer.errors import UsageError
from vae_explorer.export.recipe import Recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, r"--rows 0: expected a whole number from 1 to 200"),
        ({"cols": 201}, r"--cols 201"),
        ({"gap": 65}, r"--gap 65: expected a whole number from 0 to 64"),
        ({"scale": 0}, r"--scale 0"),
        ({"seed": -5}, r"--seed -5: expected a whole number from 0 to 2,147,483,647"),
        ({"seed": 2**31}, r"--seed 2147483648"),
        ({"image": 100}, r"--image 100: the data has images 0 to 99"),
        ({"start": -1}, r"--from -1"),
        ({"end": (1.0, 2.0, 3.0)}, r"--to: a code of 3 numbers, this model has 2"),
        ({"start": (float("nan"), 0.0)}, r"--from nan,0: expected finite numbers"),
        ({"end": (0.0, float("-inf"))}, r"--to 0,-inf: expected finite numbers from -1,000,000 to 1,000,000"),
        ({"end": (1.1e6, 0.0)}, r"--to 1\.1e\+06,0: expected finite numbers"),
        ({"axes": (0, 2)}, r"--axes 2: this model has latent dimensions 0 to 1"),
        ({"axes": (1, 1)}, r"two different latent dimensions"),
    ],
)
def test_what_is_out_of_range_is_named(changes, message):
    with pytest.raises(UsageError, match=message):
        Recipe(what="manifold", **changes).validated(latent_dim=2, n_images=100)


def test_what_fits_comes_back_itself():
    recipe = Recipe(what="traversal", axes=(1, 1), start=99, end=(-1e6, 1e6), scale=64, gap=0, rows=200, seed=2**31 - 1)
    assert recipe.validated(latent_dim=2, n_images=100) is recipe
