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
SNAPSHOT_S = 0.025
"""What a live snapshot may take, about: slower models show a smaller sample, so that the map still moves."""

CHUNK = 128
"""Images a slice."""

PER_IMAGE = ("loc", "scale", "elbo", "kl", "distortion", "predicted")


def live_sample(n_images: int, *, size: int = SAMPLE_SIZE) -> NDArray[np.int64]:
    """Return the fixed sample of images, ascending: the same for every run on as many images, a smaller one within a
    larger one."""
    if n_images <= size:
        return np.arange(n_images)
    order = np.random.Generator(np.random.Philox(0)).permutation(n_images)
    return np.sort(order[:size]).astype(np.int64)


class LiveSample:
    """The sample that is shown while it trains, halved and doubled with what a snapshot of it takes.

    labelled: images whose labels are used, (n,): up to a quarter of the sample are some of these, which the map rings.
    """

    def __init__(self, n_images: int, *, labelled: NDArray[np.int64] | None = None) -> None:
        self._n_images = n_images
        some = labelled if labelled is not None else np.empty(0, np.int64)
        self._labelled = np.random.Generator(np.random.Philox(0)).permutation(some)
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
        labelled = self._labelled[: size // 4 if size < self._n_images else 0]
        self.indices = np.union1d(live_sample(self._n_images, size=size - len(labelled)), labelled)


def snapshot_slices(
    model: Any, indices: NDArray[np.int64], *, is_complete: bool, of: Which = "run"
) -> Slices[CodesSnapshot]:
    """Encode the images of `indices` (n,) with a frozen model, CHUNK at a time, into one snapshot."""
    # Into arrays of their whole length: thousands of small parts would leave holes in the heap as large as themselves.
    arrays: dict[str, NDArray[Any]] = {}
    kl_sum: Any = None
    for start in range(0, len(indices), CHUNK):
        part = model.codes(indices[start : start + CHUNK])
        for name in PER_IMAGE:
            _put(arrays, name, getattr(part, name), start=start, n_images=len(indices))
        if part.kl_per_dim is not None:
            kl_sum = (0.0 if kl_sum is None else kl_sum) + np.float64(len(part.loc)) * part.kl_per_dim
        yield min((start + CHUNK) / len(indices), 1.0)
    return CodesSnapshot(
        model.step,
        read_only(np.array(indices)),
        kl_per_dim=None if kl_sum is None else read_only((kl_sum / len(indices)).astype(np.float32)),
        is_complete=is_complete,
        of=of,
        **{name: read_only(array) for name, array in arrays.items()},
    )


def _put(arrays: dict[str, NDArray[Any]], name: str, part: NDArray[Any] | None, *, start: int, n_images: int) -> None:
    """Put what is known of some images in its place of the array of all."""
    if part is None:
        return
    if name not in arrays:
        arrays[name] = np.empty((n_images, *part.shape[1:]), part.dtype)
    arrays[name][start : start + len(part)] = part
