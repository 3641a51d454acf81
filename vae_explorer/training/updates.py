"""The updates of a run: images, noise, objective, optimiser; the hot path, queued on the device, never waited for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.model import Model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.objective import build_objective
from vae_explorer.objective.terms import Batch, Live
from vae_explorer.training.batches import build_batches
from vae_explorer.training.captured import StepInputs
from vae_explorer.training.compiling import Compiled
from vae_explorer.training.devices import make_current
from vae_explorer.training.live_values import LiveValues, Numbers
from vae_explorer.training.metrics import MetricSums
from vae_explorer.training.optimiser import GuardedOptimiser
from vae_explorer.training.precision import HalfWeights, notes_on_half
from vae_explorer.training.sliced_updates import SlicedUpdates
from vae_explorer.training.state import SessionMeta, stored_tensors
from vae_explorer.training.world import ALONE, Share, World


class Updates(SlicedUpdates):
    """Does the updates that follow any number of them; what they draw depends on the updates before alone.

    Of several processes each draws what the whole batch takes, and works on its own rows.

    live: the values that are steered. optimiser: with its latch. sums: of the means of the updates since they were last
    read. labelled: the training images whose label is used, ascending, or None. notes: sentences for people on how the
    updates are done.
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
        make_current(device)
        super().__init__(build_batches(config, data, indices, device=device), pixels, train)
        self._model = model
        self.labelled = self._batches.labelled
        n_labelled = 0 if self.labelled is None else len(self.labelled)
        self.objective = build_objective(config, n_images=len(indices), n_labelled=n_labelled)
        self.live = LiveValues(config, n_images=len(indices), device=device)
        self._halves = HalfWeights(model) if train.precision == "bf16" else None
        self._trained = model if self._halves is None else self._halves.model
        self.optimiser = GuardedOptimiser(model, train, world=world, halves=self._halves)
        self._world = world
        self._share = Share(world, batch_size=train.batch_size, n_labelled=self._batches.n_labelled)
        self._compares_images = config.objective.mmd_weight > 0 or config.objective.tc_weight > 0
        self._pretrain_steps = train.pretrain_steps if config.model.kind == "m1m2" else 0
        self.sums = MetricSums(self.objective.packing, device)
        self._noise = torch.empty(self.objective.samples, train.batch_size, model.noise_dim, device=device)
        self._figures: Callable[..., tuple[Tensor, Tensor]] = self._plain_figures
        self.notes = () if self._halves is None else notes_on_half(device)
        self._is_pretraining = self._pretrain_steps > 0
        if world.size == 1:
            self._capture_where_possible(train, n_images=len(indices))

    def compile(self) -> None:
        """As in `SlicedUpdates`."""
        self._figures = Compiled(self._plain_figures)
        self.optimiser.compile()

    # ---- work -------------------------------------------------------------------------------------------------------

    def work(self, step: int, n: int = 1) -> int:
        """Do some of the n updates that follow `step` updates, one at least; return how many."""
        self._is_pretraining = step < self._pretrain_steps
        if self._is_pretraining:
            n = min(n, self._pretrain_steps - step)
        done = self._work_slice(step, n, shape=(self._is_pretraining, self.optimiser.part))
        if done > 0:
            return done
        self.live.apply(step)
        labels = self._batches.labels_at(step)
        self._one(StepInputs(self._batches.at(step), labels, self.live.rate, self.live.on_device))
        return 1

    def _one(self, inputs: StepInputs) -> None:
        """As in `SlicedUpdates`."""
        seen = self._share.of(inputs.indices)
        if self._pixels.is_dynamic:
            seen = self._share.of(self._pixels.take(inputs.indices, self._generator))
        prior_z = None
        if self.objective.needs_prior_codes:
            prior_z = self._model.prior().sample(len(inputs.indices), self._generator)
        # Drawn here, not in what is compiled: a compiler draws other numbers from the same generator.
        noise = self._share.of(self._noise.normal_(generator=self._generator), dim=1)
        labels = self._share.of_labels(inputs.labels)
        differentiated, row = self._figures(seen, labels, prior_z, noise, inputs.live, self._is_pretraining)
        self.optimiser.minimise(differentiated, row=row, rate=inputs.rate, sums=self.sums)

    def _plain_figures(
        self, seen: Tensor, labels: Tensor | None, prior_z: Tensor | None, noise: Tensor, live: Live,
        is_pretraining: bool, /,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """What is differentiated, and a row of figures; seen: images, or their indices where they are taken as is."""
        x = seen if self._pixels.is_dynamic else self._pixels.grey(seen)
        batch = Batch(x, labels, prior_z=prior_z, peers=self._peers)
        step = 0 if is_pretraining else self._pretrain_steps
        means = self.objective.means(self._trained, batch, noise=noise, live=live, step=step)
        return means.loss if means.surrogate is None else means.surrogate, means.packed(self.objective.packing)

    @property
    def _peers(self) -> World | None:
        """Who must be asked in an update, where the loss has a quantity that is no mean of images."""
        # Alone, nothing that is steered is read here: what is compiled would be compiled anew when it changes.
        if self._world.size == 1:
            return None
        return self._world if self._compares_images or self.live.free_bits > 0 else None

    def _in_force(self, step: int) -> tuple[Numbers]:
        return (self.live.numbers(step),)

    def _refusing(self) -> AbstractContextManager[None]:
        return self.optimiser.rehearsing()

    # ---- state ------------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that an update changes, by name (not copied)."""
        return {**stored_tensors(self._model), **self.optimiser.state(), "metrics": self.sums.row}

    def restore(self, generator: torch.Generator, meta: SessionMeta) -> None:
        """Go on from a state whose tensors are copied already."""
        self.take_generator(generator)
        self.live.restore(meta)
        self.optimiser.restrict(meta.part)
        self.optimiser.restored()
