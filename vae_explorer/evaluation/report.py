"""The figures of one split: the bound and its terms with their standard errors, in nats per image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData, SplitName
from vae_explorer.errors import DivergedError, UsageError
from vae_explorer.objective.reading import SAMPLES, FrozenModel, SampledFigures

UNIT = "nats per image"
FIGURES = (
    "elbo", "distortion", "kl", "elbo_se", "distortion_se", "kl_se", "elbo_mc_se", "kl_per_dim", "bits_per_dim",
)  # fmt: skip
"""Keys of a report that may be None."""
CHUNK = 64
"""Images a call of the model; between two the progress is told."""


def evaluate(
    model: FrozenModel,
    data: ImageData,
    *,
    split: SplitName,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Return a flat dictionary that JSON can hold: the figures of a split from `samples` draws of q(z|x) an image.

    elbo = -(distortion + kl), kl in closed form. *_se: standard error over the images. elbo_mc_se: standard error of
    the elbo by the draws alone. For an autoencoder elbo, kl and what hangs on them are None. bits_per_dim: None
    where the likelihood is no density of the data (Bernoulli on grey pixels). Raises UsageError for an empty split and
    DivergedError as soon as a figure of an image is not finite.
    """
    indices = data.indices(split)
    if len(indices) == 0:
        raise UsageError(f"The data have no {split} images; choose another split, such as train or all.")
    if samples < 1:
        raise UsageError(f"samples = {samples}: expected at least one draw an image.")
    parts = []
    for first in range(0, len(indices), CHUNK):
        # Sums of figures that are not finite warn; they are refused right below, in words.
        with np.errstate(over="ignore", invalid="ignore"):
            parts.append(model.figures(indices[first : first + CHUNK], samples=samples, seed=seed))
        _check_finite(parts[-1], model)
        if progress is not None:
            progress(min(first + CHUNK, len(indices)) / len(indices))
    return {
        **_figures(parts, is_point=model.is_autoencoder, samples=samples, model=model),
        "n": len(indices), "step": model.step, "samples": samples, "unit": UNIT,
    }  # fmt: skip


def _check_finite(part: SampledFigures, model: FrozenModel) -> None:
    # An autoencoder has NaN in its elbo by definition.
    figures = [part.distortion] if model.is_autoencoder else [part.distortion, part.elbo]
    if not all(np.isfinite(values).all() for values in figures):
        raise DivergedError(
            f"The checkpoint of step {model.step} gives no finite figures; try --checkpoint 0, --checkpoint best, or "
            "the one of an earlier step."
        )


def _figures(parts: list[SampledFigures], *, is_point: bool, samples: int, model: FrozenModel) -> dict[str, Any]:
    distortion = np.concatenate([part.distortion for part in parts]).astype(np.float64)
    figures: dict[str, Any] = dict.fromkeys(FIGURES)
    figures |= {"distortion": float(distortion.mean()), "distortion_se": _standard_error(distortion)}
    if is_point:
        return figures
    kl_per_dim = np.concatenate([part.kl_per_dim for part in parts if part.kl_per_dim is not None]).astype(np.float64)
    kl = kl_per_dim.sum(axis=1)
    elbo = -(figures["distortion"] + float(kl.mean()))
    mc_se = np.concatenate([part.elbo_mc_se for part in parts]).astype(np.float64)
    return figures | {
        "elbo": elbo,
        "kl": float(kl.mean()),
        "elbo_se": _standard_error(distortion + kl),
        "kl_se": _standard_error(kl),
        "elbo_mc_se": None if samples == 1 else float(np.sqrt(np.square(mc_se).sum()) / len(mc_se)),
        "kl_per_dim": kl_per_dim.mean(axis=0).tolist(),
        "bits_per_dim": bits_per_dim(elbo, model),
    }


def bits_per_dim(elbo: float, model: FrozenModel) -> float | None:
    """Return the bound as bits a pixel value, or None where the likelihood is no density of the data.

    A Gaussian density of x = v / max_value is turned into one of v, whose steps are 1: log2(max_value) is added.
    """
    dims = math.prod(model.model.shape)
    if model.config.model.likelihood == "gaussian":
        return -elbo / (dims * math.log(2)) + math.log2(model.pixels.max_value)
    return -elbo / (dims * math.log(2)) if model.pixels.is_binary() else None


def _standard_error(values: NDArray[np.float64]) -> float | None:
    """Standard error of the mean of (n,); None for one value."""
    return None if len(values) < 2 else float(values.std(ddof=1) / math.sqrt(len(values)))
