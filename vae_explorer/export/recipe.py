"""A recipe: everything that decides the bytes of an exported picture or table, and nothing that names a place."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from vae_explorer.config import RunConfig
from vae_explorer.errors import DataError, UsageError

MAX_RECIPE_BYTES = 1_000_000
MAX_SEED = 2**31 - 1
MAX_CODE = 1e6
"""A code's numbers reach no further than this: beyond, a decoder's float32 runs over."""

PictureKind = Literal["manifold", "samples", "reconstructions", "traversal", "interpolation", "classes", "codes"]
CodeSource = Literal["prior", "aggregate", "mixture"]


class MixtureRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Gaussian mixture to draw codes from: weights (K,), means (K, d), covariances (K, d, d)."""

    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    covariances: tuple[tuple[tuple[float, ...], ...], ...]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to draw from which weights; the same recipe gives the same bytes on the same device.

    run, step, config, data_digest tell where it came from and are filled in when it is made; a recipe that is
    read back is made again from the run that is given, at its `step`.
    """

    what: PictureKind
    rows: int = 10
    cols: int = 10
    seed: int = 0
    scale: int | None = None
    """Screen pixels a pixel, nearest neighbour; None: the smallest that makes an image at least 28 pixels a side."""
    gap: int = 2
    captions: bool = False
    split: Literal["train", "validation", "test", "all"] | None = None
    """Images for reconstructions and codes; None: the held-out split, else train."""
    image: int | None = None
    """Index into all images: the centre of a traversal, the first of the reconstructions."""
    start: int | tuple[float, ...] | None = None
    """One end of an interpolation: an image's index or a code; None is drawn from the prior by `seed`."""
    end: int | tuple[float, ...] | None = None
    path: Literal["linear", "spherical"] = "linear"
    axes: tuple[int, int] | None = None
    """The two latent dimensions of a manifold, or of a traversal; None: the two of largest kl, resp. all."""
    draw: bool = False
    """A draw from p(x|z) instead of its mean."""
    source: CodeSource = "prior"
    """Where samples come from: the prior, the aggregate posterior (an image at random, then a code of its q), or
    `mixture`."""
    mixture: MixtureRecipe | None = None
    label: int | None = None
    """M2: the class of all tiles; None: drawn from p(y) for samples, the mean over p(y) else."""
    step: int | None = None
    run: str | None = None
    config: dict[str, Any] | None = None
    data_digest: str | None = None

    def validated(self, *, latent_dim: int, n_images: int) -> Recipe:
        """Return self when it can be made of such a model and data; UsageError names what is out of range."""
        for name, value, most in (("rows", self.rows, 200), ("cols", self.cols, 200), ("gap", self.gap, 64)):
            least = 0 if name == "gap" else 1
            if not least <= value <= most:
                raise UsageError(f"--{name} {value}: expected a whole number from {least} to {most}.")
        if self.scale is not None and not 1 <= self.scale <= 64:
            raise UsageError(f"--scale {self.scale}: expected a whole number from 1 to 64.")
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"--seed {self.seed}: expected a whole number from 0 to {MAX_SEED:,}.")
        for name, index in (("image", self.image), ("from", self.start), ("to", self.end)):
            if isinstance(index, int) and not 0 <= index < n_images:
                raise UsageError(f"--{name} {index}: the data has images 0 to {n_images - 1}.")
            if isinstance(index, tuple) and len(index) != latent_dim:
                raise UsageError(
                    f"--{name}: a code of {len(index)} numbers, this model has {latent_dim} latent dimensions."
                )
            # nan is refused too: it compares false with everything
            if isinstance(index, tuple) and not all(abs(value) <= MAX_CODE for value in index):
                code = ",".join(f"{value:g}" for value in index)
                raise UsageError(f"--{name} {code}: expected finite numbers from {-MAX_CODE:,.0f} to {MAX_CODE:,.0f}.")
        for axis in self.axes or ():
            if not 0 <= axis < latent_dim:
                raise UsageError(f"--axes {axis}: this model has latent dimensions 0 to {latent_dim - 1}.")
        if self.axes and self.what == "manifold" and self.axes[0] == self.axes[1]:
            raise UsageError(f"--axes {self.axes[0]},{self.axes[1]}: a manifold needs two different latent dimensions.")
        self._check_mixture(latent_dim)
        return self

    def _check_mixture(self, latent_dim: int) -> None:
        if self.source != "mixture":
            return
        if self.mixture is None:
            raise UsageError("A picture of a mixture's samples needs that mixture in its recipe; fit one by EM first.")
        n_dims = len(self.mixture.means[0]) if self.mixture.means else 0
        if n_dims != latent_dim:
            raise UsageError(
                f"A mixture of {n_dims} dimensions cannot be sampled for a model of {latent_dim} latent dimensions; "
                "fit one to all dimensions of this model's codes."
            )

    def completed(self, *, run: str | None, step: int, config: RunConfig, data_digest: str) -> Recipe:
        """Return the recipe with where it came from: the run's name, the weights' step, configuration, data digest."""
        # As JSON gives it back (lists, not tuples), so that a recipe that was read equals the one that was written.
        plain = msgspec.json.decode(msgspec.json.encode(config.to_dict()))
        return msgspec.structs.replace(self, run=run, step=step, config=plain, data_digest=data_digest)


def encode_recipe(recipe: Recipe) -> bytes:
    """Return the recipe as JSON with sorted keys; of the run and of a data set given by path only the name remains."""
    config = recipe.config
    name = config.get("data", {}).get("name") if config else None
    if config and isinstance(name, str):
        config = {**config, "data": {**config["data"], "name": _last_part(name)}}
    run = None if recipe.run is None else _last_part(recipe.run)
    return msgspec.json.encode(msgspec.structs.replace(recipe, config=config, run=run), order="sorted")


def decode_recipe(content: bytes, *, where: str) -> Recipe:
    """Read `encode_recipe`'s JSON; DataError names `where`, what is wrong with it and what is expected."""
    if len(content) > MAX_RECIPE_BYTES:
        raise DataError(f"{where} has more than {MAX_RECIPE_BYTES:,} bytes, too many for a recipe; name another file.")
    try:
        return msgspec.json.decode(content, type=Recipe)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{where} holds no recipe of this program ({error}); name a picture that was exported."
        ) from None


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
