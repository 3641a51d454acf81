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
from vae_explorer.training.world import ALONE, Share, World


class Updates:
    """Does the update that follows any number of them; what it draws depends on the updates before alone.

    Of several processes each draws what the whole batch takes, and works on its own rows.

    live: the values that are steered. optimiser: with its latch. sums: of the means of the updates since they were last
    read. labelled: the training images whose label is used, ascending, or None.
    """

    def __init__(
        self,
        config: RunConfig,
        data: ImageData,
        indices: NDArray[np.int64],
        *,
        model: Model,
        pixels: Pixels,
        world: World = ALONE,
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
        self.optimiser = GuardedOptimiser(model, train, rate=self.live.rate, world=world)
        self._world = world
        self._share = Share(world, batch_size=train.batch_size, n_labelled=self._batches.n_labelled)
        self._compares_images = config.objective.mmd_weight > 0 or config.objective.tc_weight > 0
        self.sums = MetricSums(self.objective.packing, device)
        self._generator = seeded_generator(train.seed, Stream.TRAINING, device=device)
        self._noise = torch.empty(self.objective.samples, train.batch_size, model.noise_dim, device=device)

    def work(self, step: int) -> None:
        """Do the update that follows `step` updates."""
        self.live.apply(step)
        batch = self._batch(step)
        noise = self._share.of(self._noise.normal_(generator=self._generator), dim=1)
        means = self.objective.means(self._model, batch, noise=noise, live=self.live.on_device, step=step)
        row = means.packed(self.objective.packing)
        refused = self.optimiser.minimise(means.loss if means.surrogate is None else means.surrogate, row=row)
        self.sums.add(row, refused)

    def _batch(self, step: int) -> Batch:
        whole = self._batches.at(step)
        if self._pixels.is_dynamic:
            x = self._share.of(self._pixels.take(whole, self._generator))
        else:
            x = self._pixels.take(self._share.of(whole), self._generator)
        labels = self._share.of_labels(self._batches.labels_at(step))
        prior_z = None
        if self.objective.needs_prior_codes:
            prior_z = self._model.prior().sample(len(whole), self._generator)
        return Batch(x, labels, prior_z=prior_z, peers=self._peers)

    @property
    def _peers(self) -> World | None:
        """Who must be asked in an update, where the loss has a quantity that is no mean of images."""
        is_asked = self._compares_images or self.live.free_bits > 0
        return self._world if is_asked and self._world.size > 1 else None

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
