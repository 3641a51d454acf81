"""The batches of M2: labelled images first, in a stated number, the rest from those whose label is not used."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.labelled import labelled_images
from vae_explorer.model.noise import derived_seed
from vae_explorer.training.batches import Batches

_LABELLED, _UNLABELLED = 1, 2


class LabelledBatches(Batches):
    """Image indices and labels of every step, a pure function of (seed, step).

    The first `train.labelled_batch` images of a batch come from an endless stream of permutations of the labelled
    ones, the rest from one of the others; where there are no others, all are labelled. While M1 is trained alone
    (`train.pretrain_steps`), a batch is one of all images alike, and no label is told.

    labelled: the images whose label is used, int64 (n,), ascending. n_labelled: how many of them a batch has, which
    come first.
    """

    def __init__(self, config: RunConfig, data: ImageData, indices: np.ndarray, *, device: torch.device) -> None:
        """indices: the images to train on, (N,). Raises DataError as `labelled_images`."""
        train = config.train
        super().__init__(indices, batch_size=train.batch_size, seed=train.seed, device=device)
        self.labelled = labelled_images(data, config.data)
        others = np.setdiff1d(indices, self.labelled)
        n_others = train.batch_size - train.labelled_batch if len(others) else 0
        self.n_labelled = train.batch_size - n_others
        self._labels = torch.tensor(data.labels, dtype=torch.int64, device=device)
        self._pretrain_steps = train.pretrain_steps if config.model.kind == "m1m2" else 0
        self._labelled = Batches(
            self.labelled, batch_size=self.n_labelled, seed=derived_seed(train.seed, _LABELLED),
            device=device,
        )  # fmt: skip
        self._others = None
        if n_others:
            seed = derived_seed(train.seed, _UNLABELLED)
            self._others = Batches(others, batch_size=n_others, seed=seed, device=device)

    def at(self, step: int) -> Tensor:
        """Return the image indices, int64 (batch_size,) on the device, of the update that follows `step` updates."""
        if step < self._pretrain_steps:
            return super().at(step)
        first = self._labelled.at(step)
        return first if self._others is None else torch.cat((first, self._others.at(step)))

    def labels_at(self, step: int) -> Tensor | None:
        """Return the labels, int64 (n,), of the first n images of `at(step)`; None before M2 is trained."""
        return None if step < self._pretrain_steps else self._labels[self._labelled.at(step)]

    def span(self, step: int, n: int) -> Tensor:
        """As in `Batches`; all n before M2 is trained, or none."""
        if step < self._pretrain_steps:
            return super().span(step, n)
        first = self._labelled.span(step, n)
        return first if self._others is None else torch.cat((first, self._others.span(step, n)), dim=1)

    def labels_span(self, step: int, n: int) -> Tensor | None:
        """As in `Batches`."""
        return None if step < self._pretrain_steps else self._labels[self._labelled.span(step, n)]
