"""Writing an export: the suffix decides the form, and a file is there whole or not at all."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.atomic_files import write_bytes_atomically
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.export.captions import Captions
from vae_explorer.export.picture import png_bytes
from vae_explorer.export.recipe import Recipe, encode_recipe
from vae_explorer.export.tables import codes_csv

CODE_ARRAYS = ("index", "label", "z", "sigma", "elbo", "kl", "distortion")
"""Names of the arrays of a codes export; `label` may be missing."""


@dataclass(frozen=True, eq=False)
class ExportResult:
    """What a recipe was made into. recipe: with run, step, configuration and data digest filled in.

    picture: uint8 (H, W, 3), captions drawn where the recipe asks for them; None for codes. arrays: what the .npz
    holds: tiles float32 (rows, cols, C, H, W) and codes (rows, cols, latent_dim), or for codes those of CODE_ARRAYS.
    """

    picture: NDArray[np.uint8] | None
    arrays: dict[str, NDArray[Any]]
    captions: Captions | None = None
    recipe: Recipe = field(kw_only=True)


def check_export_path(path: Path | str, recipe: Recipe, *, overwrite: bool = False) -> Path:
    """Return the path when `recipe` can be written there, to be asked before the work; UsageError says why not."""
    path = Path(path)
    suffixes = (".csv", ".npz") if recipe.what == "codes" else (".png", ".npz")
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: {recipe.what} can be exported as {' or '.join(suffixes)}; give a name that ends so.")
    if path.is_dir() or (os.path.lexists(path) and not overwrite):
        raise UsageError(f"{path} exists already; name another file, or remove that one first.")
    return path


def write_export(
    path: Path | str, result: ExportResult, recipe: Recipe | None = None, *, overwrite: bool = False
) -> Path:
    """Write .png (recipe embedded), .npz (recipe as the string `recipe`) or .csv, atomically; makes missing folders.

    recipe: None takes the result's. UsageError as `check_export_path`; VaeExplorerError when the disk refuses.
    """
    made = recipe or result.recipe
    path = check_export_path(path, made, overwrite=overwrite)
    content = export_bytes(path.suffix.lower(), result, made)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, content)
    except OSError as error:
        raise VaeExplorerError(f"{path} cannot be written ({error.strerror}); choose another folder.") from None
    return path


def export_bytes(suffix: str, result: ExportResult, recipe: Recipe) -> bytes:
    """Return the file's content for .png, .npz or .csv; the same result and recipe give the same bytes."""
    if suffix == ".png" and result.picture is not None:
        return png_bytes(result.picture, recipe)
    if suffix == ".csv":
        arrays = {name: result.arrays.get(name) for name in CODE_ARRAYS}
        return codes_csv(**arrays)  # type: ignore[arg-type]
    if suffix == ".npz":
        return _npz_bytes(result.arrays, recipe)
    raise UsageError(f"{recipe.what} cannot be exported as {suffix}; choose .npz.")


def _npz_bytes(arrays: dict[str, NDArray[Any]], recipe: Recipe) -> bytes:
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("an export holds numbers and strings only: an object array would be pickled")
    buffer = io.BytesIO()
    contents: dict[str, Any] = {**arrays, "recipe": np.array(encode_recipe(recipe).decode())}
    np.savez_compressed(buffer, **contents)
    return buffer.getvalue()
