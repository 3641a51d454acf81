"""A fitted mixture as part of a recipe, and back: what a file says is checked before anything is drawn from it."""

from __future__ import annotations

import numpy as np

from vae_explorer.errors import UsageError
from vae_explorer.export.recipe import MixtureRecipe
from vae_explorer.latent.mixture import Mixture

MOST_NUMBERS = 40_000
"""Of the covariances: as text, about as many as a recipe may hold."""
SUM_SLACK = 1e-6
"""How far the weights' sum may be from 1."""


def to_recipe(mixture: Mixture) -> MixtureRecipe:
    """Return the mixture as plain numbers; UsageError when there are too many for a recipe."""
    if mixture.covariances.size > MOST_NUMBERS:
        raise UsageError(
            f"A mixture of {mixture.n_components} Gaussians in {mixture.n_dims} dimensions has too many numbers for a "
            f"picture's recipe; fit at most {max(1, MOST_NUMBERS // mixture.n_dims**2)} Gaussians."
        )
    return MixtureRecipe(
        weights=tuple(mixture.weights.tolist()),
        means=tuple(tuple(mean) for mean in mixture.means.tolist()),
        covariances=tuple(tuple(tuple(row) for row in rows) for rows in mixture.covariances.tolist()),
    )


def to_mixture(recipe: MixtureRecipe) -> Mixture:
    """Return the mixture of a recipe; UsageError names what makes it none."""
    n = len(recipe.weights)
    try:
        weights, means, covariances = (
            np.array(part, dtype=np.float64) for part in (recipe.weights, recipe.means, recipe.covariances)
        )
    except ValueError:
        raise UsageError("The recipe's mixture has rows of unequal lengths; expected (K, d) and (K, d, d).") from None
    n_dims = means.shape[1] if means.ndim == 2 else 0
    if not (n and n_dims) or means.shape != (n, n_dims) or covariances.shape != (n, n_dims, n_dims):
        raise UsageError(
            f"The recipe's mixture has weights {weights.shape}, means {means.shape} and covariances "
            f"{covariances.shape}; expected (K,), (K, d) and (K, d, d)."
        )
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        raise UsageError("The recipe's mixture has numbers that are not finite; fit it anew.")
    if not (weights > 0.0).all() or abs(weights.sum() - 1.0) > SUM_SLACK:
        raise UsageError(
            f"The weights of the recipe's mixture sum to {weights.sum():g}; expected positive ones that sum to 1."
        )
    least = float(np.linalg.eigvalsh(covariances).min())
    is_symmetric = np.allclose(covariances, covariances.swapaxes(1, 2), rtol=1e-9, atol=0.0)
    if not is_symmetric or least <= 0.0:
        raise UsageError("A covariance of the recipe's mixture is not symmetric and positive definite; fit it anew.")
    return Mixture(weights / weights.sum(), means, covariances, floor=min(1e-6, least))
