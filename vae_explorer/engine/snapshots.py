"""Snapshots of the codes: a fixed sample while it trains, all images when it is paused, each of one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.engine.serve import Slices, read_only

SAMPLE_SIZE = 2000
"""Images of the live sample."""

CHUNK = 128
"""Images a slice."""


def live_sample(n_images: int, *, size: int = SAMPLE_SIZE) -> NDArray[np.int64]:
    """Return the fixed sample of images, ascending: the same for every run on as many images."""
    if n_images <= size:
        return np.arange(n_images)
    return np.sort(np.random.Generator(np.random.Philox(0)).choice(n_images, size, replace=False)).astype(np.int64)


def snapshot_slices(model: Any, indices: NDArray[np.int64], *, is_complete: bool) -> Slices[CodesSnapshot]:
    """Encode the images of `indices` (n,) with a frozen model, CHUNK at a time, into one snapshot."""
    parts = []
    for start in range(0, len(indices), CHUNK):
        parts.append(model.codes(indices[start : start + CHUNK]))
        yield min((start + CHUNK) / len(indices), 1.0)
    sizes = np.array([len(part.loc) for part in parts], dtype=np.float64)
    has_kl = parts[0].kl_per_dim is not None
    kl_per_dim = np.average([part.kl_per_dim for part in parts], axis=0, weights=sizes) if has_kl else None
    joined = {
        name: read_only(np.concatenate([getattr(part, name) for part in parts]))
        for name in ("loc", "scale", "elbo", "kl", "distortion")
    }
    return CodesSnapshot(
        model.step,
        read_only(np.array(indices)),
        kl_per_dim=None if kl_per_dim is None else read_only(kl_per_dim.astype(np.float32)),
        is_complete=is_complete,
        **joined,
    )
