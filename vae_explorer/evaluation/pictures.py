"""Recipes made into pictures and tables: one function for window and command line, hence the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import CancelledError, UsageError
from vae_explorer.evaluation.class_grids import class_grid, tile_labels
from vae_explorer.evaluation.code_grids import code_grid
from vae_explorer.export.captions import Captions
from vae_explorer.export.picture import compose
from vae_explorer.export.recipe import Recipe
from vae_explorer.export.write import ExportResult
from vae_explorer.model.noise import derived_seed
from vae_explorer.objective.reading import DECODE_CHUNK, SAMPLES, FrozenModel

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Slices = Generator[float, None, ExportResult]


class Freezable(Protocol):
    """A session or a frozen model."""

    def frozen(self) -> FrozenModel:
        """Return weights that stand still."""


def make_picture(
    model: Freezable,
    data: ImageData,
    recipe: Recipe,
    *,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> ExportResult:
    """Make a recipe from weights; the same recipe gives the same arrays on the same device.

    Raises UsageError when the recipe does not fit the model or data, CancelledError once `is_cancelled` says so.
    """
    slices = picture_slices(model, data, recipe)
    while True:
        if is_cancelled is not None and is_cancelled():
            raise CancelledError("The export was cancelled; nothing was written.")
        try:
            share = next(slices)
        except StopIteration as end:
            result: ExportResult = end.value
            return result
        if progress is not None:
            progress(share)


def picture_slices(model: Freezable, data: ImageData, recipe: Recipe) -> Slices:
    """As `make_picture`, in slices of 64 codes or images: yields the share done, returns the result.

    arrays of a picture: tiles (rows, cols, C, H, W), float32; codes (rows, cols, latent_dim), NaN for a tile that has
    none. arrays of 'codes': index, label (where known), z, sigma, elbo, kl, distortion.
    """
    frozen = model.frozen()
    recipe = recipe.validated(latent_dim=frozen.latent_dim, n_images=len(data))
    made = recipe.completed(
        run=frozen.run_name or recipe.run, step=frozen.step, config=frozen.config, data_digest=data.digest
    )
    if recipe.what == "codes":
        return (yield from _code_table(frozen, data, made))
    if recipe.what == "reconstructions":
        return (yield from _reconstructions(frozen, data, made))
    grid = class_grid(frozen, data, recipe) if recipe.what == "classes" else code_grid(frozen, data, recipe)
    rows, cols, latent_dim = grid.codes.shape
    labels = tile_labels(frozen, recipe, shape=(rows, cols))
    images = yield from _decoded(frozen, grid.codes.reshape(-1, latent_dim), recipe, labels)
    tiles = images.reshape(rows, cols, *data.shape)
    return _picture(tiles, grid.codes, made, grid.captions)


def _decoded(model: FrozenModel, codes: Array, recipe: Recipe, labels: Indices | None) -> Generator[float, None, Array]:
    """Decode codes (n, latent_dim) to (n, C, H, W), 64 at a time; the draws of each slice have a seed of their own.

    labels: the class of each, n in all; None: none, or the mean over p(y).
    """
    flat = None if labels is None else labels.reshape(-1)
    parts = []
    for number, first in enumerate(range(0, len(codes), DECODE_CHUNK)):
        part = slice(first, first + DECODE_CHUNK)
        draw_seed = derived_seed(recipe.seed, number) if recipe.draw else None
        parts.append(model.decode(codes[part], draw_seed=draw_seed, label=None if flat is None else flat[part]))
        yield min(first + DECODE_CHUNK, len(codes)) / len(codes)
    return np.concatenate(parts)


def _picture(tiles: Array, codes: Array, recipe: Recipe, captions: Captions) -> ExportResult:
    return ExportResult(
        compose(tiles, recipe, captions), {"tiles": tiles, "codes": codes}, captions, recipe=recipe
    )  # fmt: skip


def _reconstructions(model: FrozenModel, data: ImageData, recipe: Recipe) -> Slices:
    """Up to `rows` pairs of rows, as there are images: `cols` as the model sees them, and below each what it makes."""
    indices = _shown_images(data, recipe)
    seen = model.codes(indices)
    loc, predicted = seen.loc, seen.predicted
    # M2 makes an image anew under the class that it takes it for, whose code this is.
    made = yield from _decoded(model, loc, recipe, predicted)
    rows = -(-len(indices) // recipe.cols)
    places = rows * recipe.cols
    originals = _padded(model.images(indices, seed=recipe.seed), places).reshape(rows, recipe.cols, *data.shape)
    decoded = _padded(made, places).reshape(originals.shape)
    codes = _padded(loc, places).reshape(rows, recipe.cols, -1)
    tiles = np.stack((originals, decoded), axis=1).reshape(2 * rows, recipe.cols, *data.shape)
    both = np.stack((np.full_like(codes, np.nan), codes), axis=1).reshape(2 * rows, recipe.cols, -1)
    captions = Captions(title=f"Reconstructions, step {model.step:,}", rows=("image", "model") * rows)
    return _picture(tiles, both, recipe, captions)


def _shown_images(data: ImageData, recipe: Recipe) -> Indices:
    """The first images of the split; where an image is named, it and those of the split after it."""
    split = _split_images(data, recipe)
    if recipe.image is not None:
        split = np.concatenate(([recipe.image], split[split > recipe.image], split[split < recipe.image]))
    return split[: recipe.rows * recipe.cols]


def _split_images(data: ImageData, recipe: Recipe) -> Indices:
    name = recipe.split or data.held_out_name or "train"
    indices = data.indices(name)
    if len(indices) == 0:
        raise UsageError(f"--split {name}: the data have no such images; choose another split, such as train or all.")
    return indices


def _padded(array: Array, n: int) -> Array:
    """Append rows of NaN, which a picture leaves empty, up to n."""
    missing = np.full((n - len(array), *array.shape[1:]), np.nan, dtype=np.float32)
    return np.concatenate((array, missing))


def _code_table(model: FrozenModel, data: ImageData, recipe: Recipe) -> Slices:
    """Codes and figures of a split, from as many draws as `evaluate` takes."""
    indices = _split_images(data, recipe)
    parts = []
    for first in range(0, len(indices), DECODE_CHUNK):
        parts.append(model.figures(indices[first : first + DECODE_CHUNK], samples=SAMPLES, seed=recipe.seed))
        yield min(first + DECODE_CHUNK, len(indices)) / len(indices)
    columns = {"z": "loc", "sigma": "scale", "elbo": "elbo", "kl": "kl", "distortion": "distortion"}
    arrays = {name: np.concatenate([getattr(part, field) for part in parts]) for name, field in columns.items()}
    labels = {} if data.labels is None else {"label": data.labels[indices]}
    return ExportResult(None, {"index": indices, **labels, **arrays}, recipe=recipe)
