"""Snapshots of the codes: a fixed sample while it trains, all images when it is paused, each of one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.engine.messages import CodesSnapshot, Which
from vae_explorer.engine.slices import Slices, read_only

SAMPLE_SIZE = 2000
"""Most images of the live sample."""

FIRST_SAMPLE_SIZE, LEAST_SAMPLE_SIZE = 500, 250
SNAPSHOT_S = 0.04
"""What a live snapshot may take, about: slower models show a smaller sample, so that the map still moves."""

CHUNK = 128
"""Images a slice."""


def live_sample(n_images: int, *, size: int = SAMPLE_SIZE) -> NDArray[np.int64]:
    """Return the fixed sample of images, ascending: the same for every run on as many images, a smaller one within a
    larger one."""
    if n_images <= size:
        return np.arange(n_images)
    order = np.random.Generator(np.random.Philox(0)).permutation(n_images)
    return np.sort(order[:size]).astype(np.int64)


class LiveSample:
    """The sample that is shown while it trains, halved and doubled with what a snapshot of it takes."""

    def __init__(self, n_images: int) -> None:
        self._n_images = n_images
        self._resize(FIRST_SAMPLE_SIZE)

    def note_cost(self, seconds: float) -> None:
        """Take in what a snapshot of the sample took; far apart thresholds keep the size from swinging."""
        size = self._size
        while seconds > 1.5 * SNAPSHOT_S and size > LEAST_SAMPLE_SIZE:
            size, seconds = size // 2, seconds / 2
        while seconds < 0.35 * SNAPSHOT_S and size < SAMPLE_SIZE:
            size, seconds = size * 2, seconds * 2
        if size != self._size:
            self._resize(size)

    def _resize(self, size: int) -> None:
        self._size = size
        self.indices = live_sample(self._n_images, size=size)


def snapshot_slices(
    model: Any, indices: NDArray[np.int64], *, is_complete: bool, of: Which = "run"
) -> Slices[CodesSnapshot]:
    """Encode the images of `indices` (n,) with a frozen model, CHUNK at a time, into one snapshot."""
    parts = []
    for start in range(0, len(indices), CHUNK):
        parts.append(model.codes(indices[start : start + CHUNK]))
        yield min((start + CHUNK) / len(indices), 1.0)
    sizes = np.array([len(part.loc) for part in parts], dtype=np.float64)
    has_kl = parts[0].kl_per_dim is not None
    kl_per_dim = np.average([part.kl_per_dim for part in parts], axis=0, weights=sizes) if has_kl else None
    joined: dict[str, Any] = {
        name: read_only(np.concatenate([getattr(part, name) for part in parts]))
        for name in ("loc", "scale", "elbo", "kl", "distortion")
    }
    if parts[0].predicted is not None:
        joined["predicted"] = read_only(np.concatenate([part.predicted for part in parts]))
    return CodesSnapshot(
        model.step,
        read_only(np.array(indices)),
        kl_per_dim=None if kl_per_dim is None else read_only(kl_per_dim.astype(np.float32)),
        is_complete=is_complete,
        of=of,
        **joined,
    )
