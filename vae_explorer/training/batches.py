"""The batches of a run: one endless stream of seeded permutations, cut into batches of constant size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.noise import Stream, seeded_generator


class Batches:
    """Image indices of every step, a pure function of (seed, step).

    Pass e is a permutation by (seed, e) of the training images; step s takes the positions from s * batch_size on, so a
    batch may lie across passes, none is short, and a batch may even hold several passes.

    labelled: the images whose label is used, int64 (n,), ascending; None where none is. n_labelled: images at the
    beginning of each batch whose label is told.
    """

    labelled: np.ndarray | None = None
    n_labelled = 0

    def __init__(self, indices: np.ndarray, *, batch_size: int, seed: int, device: torch.device) -> None:
        self._indices = torch.tensor(indices, dtype=torch.int64)
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._pass_number = -1
        self._order = self._indices

    def at(self, step: int) -> Tensor:
        """Return the image indices, int64 (batch_size,) on the device, of the update that follows `step` updates."""
        return self._taken(step * self._batch_size, self._batch_size)

    def span(self, step: int, n: int) -> Tensor:
        """Return `at` of n steps from `step` on, (n, batch_size)."""
        return self._taken(step * self._batch_size, n * self._batch_size).view(n, -1)

    def labels_span(self, step: int, n: int) -> Tensor | None:
        """Return `labels_at` of n steps from `step` on, (n, n_labelled), all of which have labels, or none."""
        return None

    def _taken(self, position: int, count: int) -> Tensor:
        """Return `count` image indices of the stream from a position on."""
        total = len(self._indices)
        number, first = divmod(position, total)
        last = first + count
        if last <= total:
            return self._pass(number)[first:last]
        pieces = [self._pass(number)[first:]]
        missing = last - total
        while missing > 0:
            number += 1
            pieces.append(self._pass(number)[:missing])
            missing -= len(pieces[-1])
        return torch.cat(pieces)

    def labels_at(self, step: int) -> Tensor | None:
        """Return the labels, int64 (n,) on the device, of the first n images of `at(step)`; None without labels."""
        return None

    def _pass(self, number: int) -> Tensor:
        """The permutation of a pass; drawn on the CPU, so that every device trains on the same batches."""
        if number != self._pass_number:
            generator = seeded_generator(self._seed, Stream.BATCHES, number)
            order = torch.randperm(len(self._indices), generator=generator)
            self._order = _sent(self._indices[order], self._device)
            self._pass_number = number
        return self._order


def _sent(order: Tensor, device: torch.device) -> Tensor:
    """Copy to the device; what a CUDA device has queued is not waited for, as it would be without pinned memory."""
    return order.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else order.to(device)


def build_batches(config: RunConfig, data: ImageData, indices: np.ndarray, *, device: torch.device) -> Batches:
    """Return the batches of a run that trains on the images `indices` (N,).

    Raises DataError where labels are needed and missing.
    """
    if config.model.kind in LABELLED:
        # Imported here: that module builds on this one.
        from vae_explorer.training.labelled_batches import LabelledBatches

        return LabelledBatches(config, data, indices, device=device)
    return Batches(indices, batch_size=config.train.batch_size, seed=config.train.seed, device=device)
