"""Which codes a picture shows: the lattice of a manifold, prior samples, traversals and interpolations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import UsageError
from vae_explorer.export.captions import Captions
from vae_explorer.export.mixture_recipe import to_mixture
from vae_explorer.export.recipe import Recipe
from vae_explorer.latent.grids import box_lattice, prior_codes, quantile_lattice, traversal
from vae_explorer.latent.mixture import sample
from vae_explorer.latent.paths import interpolate
from vae_explorer.latent.statistics import code_range, order_by_kl, spread_indices
from vae_explorer.objective.reading import FrozenModel

Codes = NDArray[np.float32]

LOOKED_AT = 2000
"""Images, spread evenly over all, whose codes tell the used dimensions and an autoencoder's box."""
TRAVERSED = 3.0
"""A traversal of a VAE goes this many of the prior's standard deviations to either side."""


@dataclass(frozen=True)
class CodeGrid:
    """Codes (rows, cols, latent_dim) of the tiles of a picture, and the words around it."""

    codes: Codes
    captions: Captions


def code_grid(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    """Return the codes of a manifold, samples, traversal or interpolation; the recipe is validated already.

    An autoencoder has no prior: the box of its codes stands in for it, and the caption says so.
    """
    makers = {"manifold": _manifold, "samples": _samples, "traversal": _traversal, "interpolation": _interpolation}
    return makers[recipe.what](model, data, recipe)


def code_box(model: FrozenModel, data: ImageData) -> tuple[Codes, Codes]:
    """Return (low, high), each (latent_dim,), of the codes of up to LOOKED_AT images."""
    return code_range(model.codes(_looked_at(data)).loc)


def used_dimensions(model: FrozenModel, data: ImageData) -> list[int]:
    """Return the latent dimensions from most to least used: by kl, for an autoencoder by the variance of its codes."""
    seen = model.codes(_looked_at(data))
    return order_by_kl(seen.loc.var(axis=0) if seen.kl_per_dim is None else seen.kl_per_dim).tolist()


def _looked_at(data: ImageData) -> NDArray[np.int64]:
    return spread_indices(len(data), LOOKED_AT)


def _manifold(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    axes = recipe.axes or _main_axes(model, data)
    rows, cols, latent_dim = recipe.rows, recipe.cols, model.latent_dim
    if model.is_autoencoder:
        low, high = code_box(model, data)
        codes = box_lattice(rows, cols, low=low, high=high, axes=axes)
    else:
        codes = quantile_lattice(rows, cols, latent_dim=latent_dim, axes=axes)
    title = f"Manifold of {'z0' if latent_dim == 1 else f'z{axes[0]}, z{axes[1]}'}{_lattice_words(model)}, {_at(model)}"
    if latent_dim == 1:
        return CodeGrid(codes, Captions(title=title))
    captions = Captions(title=title, rows=_words(codes[:, 0, axes[1]]), cols=_words(codes[0, :, axes[0]]))
    return CodeGrid(codes, captions)


def _main_axes(model: FrozenModel, data: ImageData) -> tuple[int, int]:
    """The two most used dimensions, the lower first, so that a picture does not turn over from step to step."""
    if model.latent_dim <= 2:
        return (0, 1)
    first, second = sorted(used_dimensions(model, data)[:2])
    return first, second


def _samples(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    codes = _sampled_codes(model, data, recipe, n=recipe.rows * recipe.cols)
    title = f"Samples{_source_words(model, recipe)}, {_at(model)}"
    return CodeGrid(codes.reshape(recipe.rows, recipe.cols, -1), Captions(title=title))


def _sampled_codes(model: FrozenModel, data: ImageData, recipe: Recipe, *, n: int) -> Codes:
    """Codes of the recipe's source; the aggregate posterior is that of the images that are trained on."""
    if recipe.source == "mixture" and recipe.mixture is not None:
        return sample(to_mixture(recipe.mixture), n, seed=recipe.seed)
    if recipe.source == "prior":
        return _drawn_codes(model, data, n=n, seed=recipe.seed)
    if model.is_autoencoder:
        raise UsageError(
            "An autoencoder has no q to draw from: its aggregate posterior is its codes, whose pictures are "
            "reconstructions; choose those, or fit a mixture to the codes by EM."
        )
    images = data.indices(recipe.split or ("all" if model.config.data.train_on == "all" else "train"))
    return model.aggregate_codes(n, seed=recipe.seed, indices=images)


def _drawn_codes(model: FrozenModel, data: ImageData, *, n: int, seed: int) -> Codes:
    if not model.is_autoencoder and model.model.has_standard_prior:
        return prior_codes(n, model.latent_dim, seed)
    if not model.is_autoencoder:
        return model.prior_codes(n, seed=seed)
    low, high = code_box(model, data)
    share = np.random.Generator(np.random.Philox(seed)).random((n, model.latent_dim), dtype=np.float32)
    return low + share * (high - low)


def _traversal(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    """One row a dimension: those of `axes`, else the most used ones, as many as there are rows."""
    if model.is_autoencoder:
        low, high = code_box(model, data)
    else:
        high = np.full(model.latent_dim, TRAVERSED, dtype=np.float32)
        low = -high
    centre = (low + high) / 2 if recipe.image is None else _code_of(model, recipe.image)
    axes = list(recipe.axes) if recipe.axes else used_dimensions(model, data)[: recipe.rows]
    share = np.linspace(0.0, 1.0, recipe.cols) if recipe.cols > 1 else np.array([0.5])
    rows = [traversal(centre, [axis], low[axis] + share * (high[axis] - low[axis])) for axis in axes]
    about = "" if recipe.image is None else f" of image {recipe.image:,}"
    captions = Captions(title=f"Traversals{about}, {_at(model)}", rows=tuple(f"z{axis}" for axis in axes))
    return CodeGrid(np.concatenate(rows), captions)


def _interpolation(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    drawn = _drawn_codes(model, data, n=2, seed=recipe.seed)
    ends = [_end(model, end, drawn[number]) for number, end in enumerate((recipe.start, recipe.end))]
    share = np.linspace(0.0, 1.0, recipe.rows * recipe.cols)
    codes = interpolate(ends[0], ends[1], share, path=recipe.path)
    words = [_end_word(end) for end in (recipe.start, recipe.end)]
    title = f"From {words[0]} to {words[1]}, {_at(model)}"
    return CodeGrid(codes.reshape(recipe.rows, recipe.cols, -1), Captions(title=title))


def _end(model: FrozenModel, end: int | tuple[float, ...] | None, drawn: Codes) -> Codes:
    if end is None:
        return drawn
    return _code_of(model, end) if isinstance(end, int) else np.array(end, dtype=np.float32)


def _end_word(end: int | tuple[float, ...] | None) -> str:
    if end is None:
        return "a drawn code"
    return f"image {end:,}" if isinstance(end, int) else "a code"


def _code_of(model: FrozenModel, image: int) -> Codes:
    code: Codes = model.codes(np.array([image], dtype=np.int64)).loc[0]
    return code


def _at(model: FrozenModel) -> str:
    return f"step {model.step:,}"


def _box_words(model: FrozenModel) -> str:
    """What stands in for the prior, said where a VAE would draw on it."""
    return " in the box of codes" if model.is_autoencoder else ""


def _lattice_words(model: FrozenModel) -> str:
    """Where the lattice of a manifold lies, said where that is not at quantiles of the model's own prior."""
    is_learnt = not model.is_autoencoder and not model.model.has_standard_prior
    return " at quantiles of N(0, I)" if is_learnt else _box_words(model)


def _source_words(model: FrozenModel, recipe: Recipe) -> str:
    if recipe.source == "mixture" and recipe.mixture is not None:
        return f" of a mixture of {len(recipe.mixture.weights)} Gaussians"
    return " of the aggregate posterior" if recipe.source == "aggregate" else _box_words(model)


def _words(values: Codes) -> tuple[str, ...]:
    return tuple(f"{value:+.1f}" for value in values.tolist())
