"""Pictures of classes (M2): one style under every class, and the class of each tile of other pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.data.labelled import names_of_classes
from vae_explorer.errors import UsageError
from vae_explorer.evaluation.code_grids import CodeGrid
from vae_explorer.export.captions import Captions
from vae_explorer.export.recipe import Recipe
from vae_explorer.objective.reading import FrozenModel

Labels = NDArray[np.int64]


def class_grid(model: FrozenModel, data: ImageData, recipe: Recipe) -> CodeGrid:
    """Return the codes of `rows` styles under every class, a column each (Kingma et al. 2014, figure 1).

    The styles are drawn from N(0, I) by the seed; where the recipe names an image there is one row, its style. Raises
    UsageError for a model that knows no classes.
    """
    if model.n_classes == 0:
        raise UsageError(
            f"--what classes: a model.kind={model.config.model.kind} knows no classes; take a run of m2 or m1m2, or "
            "another picture, such as manifold."
        )
    if recipe.image is None:
        generator = np.random.Generator(np.random.Philox(recipe.seed))
        styles = generator.standard_normal((recipe.rows, model.style_dim), dtype=np.float32)
        title = "Styles under every class"
    else:
        styles = model.styles(np.array([recipe.image]))
        title = f"The style of image {recipe.image:,} under every class"
    n_rows, n_classes = len(styles), model.n_classes
    codes = model.style_codes(np.repeat(styles, n_classes, axis=0), np.tile(np.arange(n_classes), n_rows))
    captions = Captions(title=f"{title}, step {model.step:,}", cols=names_of_classes(data))
    return CodeGrid(codes.reshape(n_rows, n_classes, -1), captions)


def tile_labels(model: FrozenModel, recipe: Recipe, *, shape: tuple[int, int]) -> Labels | None:
    """Return the class of each tile of a picture, int64 (rows, cols), or None for the mean over p(y).

    That of the recipe; else every class for 'classes', and drawn ones for samples. Raises UsageError for a class of
    M1+M2, whose images depend on the code alone.
    """
    if model.n_classes == 0 and recipe.label is None:
        return None
    if recipe.what == "classes":
        return np.broadcast_to(np.arange(model.n_classes), shape)
    if recipe.label is not None and model.config.model.kind == "m1m2":
        raise UsageError(
            f"--label {recipe.label}: in M1+M2 the class acts through the code, which decodes to one image; take "
            "--what classes for styles under every class, or a run of m2."
        )
    if recipe.label is not None:
        return np.full(shape, recipe.label, dtype=np.int64)
    if recipe.what == "samples":
        # Not the stream of the codes, which are drawn by the same seed.
        return np.random.Generator(np.random.Philox([recipe.seed, 1])).integers(model.n_classes, size=shape)
    return None
