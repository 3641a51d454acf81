"""The gaps of many images at once by importance sampling, some images a slice, for a look at where q fits badly."""

from __future__ import annotations

from typing import Any

import numpy as np

from vae_explorer.engine.messages import EstimateGaps, GapsEstimated
from vae_explorer.engine.slices import Slices, read_only
from vae_explorer.errors import UsageError
from vae_explorer.evaluation.importance import figures_slices, images_at_once
from vae_explorer.evaluation.slices import between


def gap_slices(request: EstimateGaps, model: Any, *, n_images: int) -> Slices[GapsEstimated]:
    """Estimate the gaps of a request's images.

    Raises UsageError where there is no such image, for fewer than two samples, and for an autoencoder.
    """
    indices = np.array(request.indices, dtype=np.int64)
    if len(indices) == 0 or indices.min() < 0 or indices.max() >= n_images:
        raise UsageError(f"An image was asked for that is not there: the data has images 0 to {n_images - 1}.")
    if request.samples < 2:
        raise UsageError(f"samples = {request.samples}: expected at least two codes an image, for a gap above 0.")
    if model.is_autoencoder:
        raise UsageError("An autoencoder has no bound, and so no gap; open a VAE.")
    together, gaps = images_at_once(model, request.samples), []
    for first in range(0, len(indices), together):
        part = indices[first : first + together]
        work = figures_slices(model, part, samples=request.samples, seed=request.seed)
        figures = yield from between(work, first / len(indices), (first + len(part)) / len(indices))
        assert figures.log_px is not None
        assert figures.elbo is not None
        gaps.append(figures.log_px - figures.elbo)
    gap = np.concatenate(gaps).astype(np.float32)
    return GapsEstimated(request.channel, request.id, model.step, read_only(indices), read_only(gap), request.samples)
