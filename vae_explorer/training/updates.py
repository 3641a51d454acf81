"""The updates of a run: images, noise, objective, optimiser; the hot path, queued on the device, never waited for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.model import Model
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.objective import build_objective
from vae_explorer.objective.terms import Batch
from vae_explorer.training.batches import build_batches
from vae_explorer.training.live_values import LiveValues
from vae_explorer.training.metrics import MetricSums
from vae_explorer.training.optimiser import GuardedOptimiser
from vae_explorer.training.state import AnyArray, SessionMeta, stored_tensors, to_generator


class Updates:
    """Does the update that follows any number of them; what it draws depends on the updates before alone.

    live: the values that are steered. optimiser: with its latch. sums: of the means of the updates since they were last
    read. labelled: the training images whose label is used, ascending, or None.
    """

    def __init__(
        self, config: RunConfig, data: ImageData, indices: NDArray[np.int64], *, model: Model, pixels: Pixels
    ) -> None:
        """indices: the images that are trained on. Raises DataError where labels are needed and missing."""
        train, device = config.train, pixels.device
        self._model, self._pixels = model, pixels
        self._seed = train.seed
        self._batches = build_batches(config, data, indices, device=device)
        self.labelled = self._batches.labelled
        n_labelled = 0 if self.labelled is None else len(self.labelled)
        self.objective = build_objective(config, n_images=len(indices), n_labelled=n_labelled)
        self.live = LiveValues(config, n_images=len(indices), device=device)
        self.optimiser = GuardedOptimiser(model, train, rate=self.live.rate)
        self.sums = MetricSums(self.objective.packing, device)
        self._generator = seeded_generator(train.seed, Stream.TRAINING, device=device)
        self._noise = torch.empty(self.objective.samples, train.batch_size, model.noise_dim, device=device)

    def work(self, step: int) -> None:
        """Do the update that follows `step` updates."""
        self.live.apply(step)
        batch = self._batch(step)
        noise = self._noise.normal_(generator=self._generator)
        means = self.objective.means(self._model, batch, noise=noise, live=self.live.on_device, step=step)
        refused = self.optimiser.minimise(means.loss, surrogate=means.surrogate)
        self.sums.add(means, refused)

    def _batch(self, step: int) -> Batch:
        x = self._pixels.take(self._batches.at(step), self._generator)
        labels = self._batches.labels_at(step)
        if not self.objective.needs_prior_codes:
            return Batch(x, labels)
        return Batch(x, labels, prior_z=self._model.prior().sample(len(x), self._generator))

    # ---- state ------------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that an update changes, by name (not copied)."""
        return {**stored_tensors(self._model), **self.optimiser.state(), "metrics": self.sums.row}

    def generator_state(self) -> AnyArray:
        """Return a copy of the generator's state."""
        state: AnyArray = self._generator.get_state().numpy().copy()
        return state

    def restored_generator(self, arrays: Mapping[str, AnyArray], meta: SessionMeta) -> torch.Generator:
        """Return the generator of a state, as it was; RunError when it does not fit.

        On another kind of device, whose state means nothing here, a new one.
        """
        device = self._pixels.device
        if device.type == meta.device:
            return to_generator(arrays, device)
        return seeded_generator(self._seed, Stream.TRAINING, meta.step, device=device)

    def restore(self, generator: torch.Generator, meta: SessionMeta) -> None:
        """Go on from a state whose tensors are copied already."""
        self._generator = generator
        self.live.restore(meta)
        self.optimiser.restrict(meta.part)
