"""What a run folder keeps so that it can be shown before torch is loaded: frames of the timeline, and the last view."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import SMALL_BATCH, CodesSnapshot
from vae_explorer.engine.pacing import SLICE_S, Clock
from vae_explorer.engine.run_keeper import RunKeeper
from vae_explorer.engine.slices import Slices, T
from vae_explorer.engine.snapshots import live_sample, snapshot_slices
from vae_explorer.latent.grids import plane_lattice
from vae_explorer.latent.projection import axis_basis
from vae_explorer.runs.timeline import MAX_CODE_FRAMES, MAX_WEIGHT_FRAMES
from vae_explorer.runs.view import StoredView
from vae_explorer.training.state import to_arrays

FRAME_EVERY_S = 0.25
"""Shortest time between two frames of the timeline."""

MAX_VIEW_IMAGES = 20_000
"""Codes of more images than these are not kept whole: the sample stands for them."""

MAX_PLANE_BYTES = 1_000_000
MAX_PLANE_SIDE = 24


class Showcase:
    """Timeline and stored view of one run; the keeper's thread writes them. All calls come from the engine."""

    def __init__(self, keeper: RunKeeper, data: ImageData, target_step: int, *, clock: Clock) -> None:
        self._keeper, self._clock = keeper, clock
        self._data = data
        self._sample = live_sample(len(data))
        self._frame_gap = max(1, target_step // MAX_CODE_FRAMES)
        self._weights_gap = max(1, target_step // MAX_WEIGHT_FRAMES)
        self._frame_step = self._weights_step = -1
        self._frame_s = 0.0
        self._view_step = -1
        self._view: Slices[StoredView] | None = None

    @property
    def has_work(self) -> bool:
        """Whether a view is being made."""
        return self._view is not None

    def wants_frame(self, step: int) -> bool:
        """Whether the timeline is due for the codes of `step`."""
        is_due = self._frame_step < 0 or step - self._frame_step >= self._frame_gap
        return self._keeper.folder is not None and is_due and self._clock() - self._frame_s >= FRAME_EVERY_S

    def add(self, snapshot: CodesSnapshot, model: Any, *, is_running: bool) -> None:
        """Take what is worth keeping of a snapshot and the frozen model that made it."""
        if self._keeper.folder is None:
            return
        is_new = snapshot.step != self._frame_step
        if self.wants_frame(snapshot.step) or (not is_running and is_new):
            self._add_frame(snapshot, model)
        if not is_running and snapshot.is_complete and snapshot.step != self._view_step:
            self._begin_view(snapshot, model)

    def work(self) -> None:
        """Work on the view for about SLICE_S."""
        end_s = self._clock() + SLICE_S
        while self._view is not None:
            self._work_slice(self._view)
            if self._clock() >= end_s:
                break

    def interrupt(self) -> None:
        """Training goes on: the view of a step that is past is not finished."""
        self._view, self._view_step = None, -1

    def finish(self, model: Any, indices: NDArray[np.int64], *, within_s: float) -> None:
        """Make frame and view of `model`'s step, from the images of `indices`, before the run is left; where that takes
        longer, those before stay, with their steps."""
        if self._keeper.folder is None or (self._view_step == model.step and self._view is None):
            return
        end_s = self._clock() + within_s
        is_complete = len(indices) == len(self._data)
        snapshot = self._drain(snapshot_slices(model, indices, is_complete=is_complete), end_s)
        if snapshot is None:
            return
        if snapshot.step != self._frame_step:
            self._add_frame(snapshot, model)
        stored = self._drain(_view_slices(model, snapshot, self._data.shape), end_s)
        if stored is not None:
            self._keeper.submit(lambda folder: folder.write_view(stored))

    def _drain(self, slices: Slices[T], end_s: float) -> T | None:
        """Work slices until they are done, or give up at `end_s`."""
        while self._clock() < end_s:
            try:
                next(slices)
            except StopIteration as end:
                result: T = end.value
                return result
        return None

    def _work_slice(self, view: Slices[StoredView]) -> None:
        try:
            next(view)
        except StopIteration as end:
            stored: StoredView = end.value
            self._view = None
            self._keeper.submit(lambda folder: folder.write_view(stored))

    def _begin_view(self, snapshot: CodesSnapshot, model: Any) -> None:
        self._view_step = snapshot.step
        kept = _only(snapshot, self._sample) if len(snapshot.indices) > MAX_VIEW_IMAGES else snapshot
        self._view = _view_slices(model, kept, self._data.shape)

    def _add_frame(self, snapshot: CodesSnapshot, model: Any) -> None:
        self._frame_step, self._frame_s = snapshot.step, self._clock()
        kept = _only(snapshot, self._sample)
        has_weights = self._weights_step < 0 or snapshot.step - self._weights_step >= self._weights_gap
        if has_weights:
            self._weights_step = snapshot.step
        self._keeper.submit(
            lambda folder: folder.add_timeline(
                kept.step, kept.loc, weights=_weights(model) if has_weights else None, indices=kept.indices
            )
        )


def _view_slices(model: Any, codes: CodesSnapshot, shape: tuple[int, int, int]) -> Slices[StoredView]:
    """Decode the plane behind the map of a 2-D latent space; other spaces have no plane of their own."""
    d = codes.loc.shape[1]
    if d == 2:
        extent, side = _extent(codes.loc), _plane_side(shape)
        basis = axis_basis(0, 1, np.zeros(d, dtype=np.float32))
        z = plane_lattice(basis, extent[:2], extent[2:], side, side).reshape(-1, d).astype(np.float32)
    else:
        extent, side, z = (0.0, 0.0, 0.0, 0.0), 0, np.empty((0, d), dtype=np.float32)
    images = np.empty((len(z), *shape), dtype=np.uint8)
    for start in range(0, len(z), SMALL_BATCH):
        decoded = model.decode(z[start : start + SMALL_BATCH])
        images[start : start + SMALL_BATCH] = np.rint(np.clip(decoded, 0.0, 1.0) * 255)
        yield start / len(z)
    return StoredView(
        step=codes.step, indices=codes.indices, loc=codes.loc, scale=codes.scale, elbo=codes.elbo, kl=codes.kl,
        distortion=codes.distortion, kl_per_dim=codes.kl_per_dim, plane_z=z, plane_images=images,
        plane_shape=(side, side), plane_extent=extent,
    )  # fmt: skip


def _weights(model: Any) -> dict[str, NDArray[Any]]:
    return to_arrays({f"model.{name}": parameter for name, parameter in model.model.named_parameters()})


def _only(snapshot: CodesSnapshot, indices: NDArray[np.int64]) -> CodesSnapshot:
    """Return the rows of those of `indices` that are in the snapshot."""
    rows = np.flatnonzero(np.isin(snapshot.indices, indices))
    arrays = {name: getattr(snapshot, name)[rows] for name in ("indices", "loc", "scale", "elbo", "kl", "distortion")}
    return CodesSnapshot(snapshot.step, kl_per_dim=snapshot.kl_per_dim, is_complete=False, **arrays)


def _extent(loc: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Return (x_low, x_high, y_low, y_high): the codes, a tenth more on every side, and never a line."""
    low, high = loc.min(axis=0).astype(float), loc.max(axis=0).astype(float)
    margin = np.maximum(0.05 * (high - low), 0.1)
    (x_low, y_low), (x_high, y_high) = low - margin, high + margin
    return float(x_low), float(x_high), float(y_low), float(y_high)


def _plane_side(image_shape: tuple[int, int, int]) -> int:
    """Return how many pictures a side the plane has, so that it stays below MAX_PLANE_BYTES."""
    return max(2, min(MAX_PLANE_SIDE, int((MAX_PLANE_BYTES / np.prod(image_shape)) ** 0.5)))
