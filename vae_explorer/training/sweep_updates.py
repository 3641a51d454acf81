"""The updates of a sweep: the same images and noise for all models, one backward pass, each model its own latch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.pixels import Pixels
from vae_explorer.model.stacked import StackedModels
from vae_explorer.objective.objective import Objective, build_objective
from vae_explorer.objective.stacked import StackedMeans, StackedObjective
from vae_explorer.objective.terms import Batch, Live, Packing
from vae_explorer.training.batches import build_batches
from vae_explorer.training.captured import StepInputs
from vae_explorer.training.compiling import Compiled
from vae_explorer.training.devices import make_current
from vae_explorer.training.live_values import LiveValues, Numbers
from vae_explorer.training.metrics import Figures, MetricSums
from vae_explorer.training.sliced_updates import SlicedUpdates
from vae_explorer.training.stacked_adam import StackedAdam
from vae_explorer.training.state import AnyArray, SessionMeta, stored_tensors


class SweepUpdates(SlicedUpdates):
    """Does the updates of all models that follow any number of them; what they draw is what a plain run draws.

    seats: of each model what a plain run has of its own, as views of what is common.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: ImageData,
        indices: NDArray[np.int64],
        *,
        stacked: StackedModels,
        pixels: Pixels,
    ) -> None:
        """configs: of the models, which differ in beta alone; indices: the images that are trained on."""
        config, device, n = configs[0], pixels.device, len(stacked)
        train = config.train
        make_current(device)
        super().__init__(build_batches(config, data, indices, device=device), pixels, train, of_models=(n,))
        self.single = build_objective(config, n_images=len(indices))
        self.objective = StackedObjective(self.single, stacked)
        self.rates = torch.zeros(n, device=device)
        self.live = Live(beta=torch.zeros(n, device=device), free_bits=torch.zeros(n, device=device))
        self.adam = StackedAdam(stacked, train)
        self.sums = StackedSums(self.single.packing, n, device=device)
        self._noise = torch.empty(self.single.samples, train.batch_size, config.model.latent_dim, device=device)
        self.seats = [
            Seat(self, model, stacked, LiveValues(of, n_images=len(indices), device=device))
            for model, of in enumerate(configs)
        ]
        self._figures: Callable[..., tuple[Tensor, Tensor, Tensor]] = self._plain_figures
        self._capture_where_possible(train, n_images=len(indices))

    def compile(self) -> None:
        """As in `SlicedUpdates`."""
        self._figures = Compiled(self._plain_figures)
        self.adam.compile()

    def work(self, step: int, n: int = 1) -> int:
        """Do some of the n updates of all models that follow `step` updates, one at least; return how many."""
        done = self._work_slice(step, n)
        if done > 0:
            return done
        for seat in self.seats:
            seat.live.apply(step)
        self._one(StepInputs(self._batches.at(step), None, self.rates, self.live))
        return 1

    def _one(self, inputs: StepInputs) -> None:
        """As in `SlicedUpdates`."""
        seen = self._pixels.take(inputs.indices, self._generator) if self._pixels.is_dynamic else inputs.indices
        prior_z = None
        if self.single.needs_prior_codes:
            prior_z = torch.randn(len(seen), self._noise.shape[-1], generator=self._generator, device=seen.device)
        noise = self._noise.normal_(generator=self._generator)
        loss, differentiated, rows = self._figures(seen, prior_z, noise, inputs.live)
        refused = self.adam.minimise(loss, differentiated=differentiated, rates=inputs.rate)
        self.sums.add(rows, refused)

    def _plain_figures(
        self, seen: Tensor, prior_z: Tensor | None, noise: Tensor, live: Live, /
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As of `StackedMeans`; seen: images, or their indices where they are taken as they are."""
        x = seen if self._pixels.is_dynamic else self._pixels.grey(seen)
        means = self.objective.means(Batch(x, prior_z=prior_z), noise=noise, live=live)
        return means.loss, means.differentiated, means.rows

    def _in_force(self, step: int) -> list[Numbers]:
        return [seat.live.numbers(step) for seat in self.seats]

    def _refusing(self) -> AbstractContextManager[None]:
        return self.adam.rehearsing()


class Seat:
    """What `Updates` is to a plain run, of one model of a sweep: its part of all that is common, as views."""

    labelled = None

    def __init__(self, updates: SweepUpdates, model: int, stacked: StackedModels, live: LiveValues) -> None:
        live.rate = updates.rates[model]
        live.on_device = Live(beta=updates.live.beta[model], free_bits=updates.live.free_bits[model])
        self.live = live
        self.objective: Objective = updates.single
        self.optimiser = SeatLatch(updates.adam.latches[model])
        self.sums = updates.sums.of(model)
        self._updates, self._model = updates, stacked.models[model]
        self._moments = updates.adam.state_of(model)

    def tensors(self) -> dict[str, Tensor]:
        """As `Updates.tensors`."""
        return {**stored_tensors(self._model), **self._moments, "metrics": self.sums.row}

    def generator_state(self) -> AnyArray:
        """As `Updates.generator_state`."""
        return self._updates.generator_state()

    def restored_generator(self, arrays: Mapping[str, AnyArray], meta: SessionMeta) -> torch.Generator:
        """As `Updates.restored_generator`."""
        return self._updates.restored_generator(arrays, meta)

    def restore(self, generator: torch.Generator, meta: SessionMeta) -> None:
        """As `Updates.restore`; the last of the models that is restored says how the common noise goes on."""
        self._updates.take_generator(generator)
        self.live.restore(meta)


class SeatLatch:
    """What a session asks its optimiser, of one model's latch; all its weights are updated, always."""

    part = None

    def __init__(self, latch: Tensor) -> None:
        self._latch = latch

    def is_latched(self) -> bool:
        """Whether an update was refused; waits for the device."""
        return bool(self._latch.item())

    def refuse(self) -> None:
        """Refuse every update from now on."""
        self._latch.fill_(1.0)

    def release(self) -> None:
        """Apply updates again."""
        self._latch.zero_()


class StackedSums:
    """Sums of the metrics of M models, (M, packing.width + 1)."""

    def __init__(self, packing: Packing, n_models: int, *, device: torch.device) -> None:
        self._packing, self._device = packing, device
        self._rows = torch.zeros(n_models, packing.width + 1, device=device)
        self._ones = torch.ones(n_models, 1, device=device)

    def of(self, model: int) -> MetricSums:
        """Return the sums of one model, as a view."""
        sums = MetricSums(self._packing, self._device)
        sums.row = self._rows[model]
        return sums

    def read(self) -> list[Figures | None]:
        """Return the means of each model, None where nothing was added; waits for the device, once."""
        return [Figures.of_sums(row, self._packing) for row in self._rows.tolist()]

    def add(self, rows: Tensor, refused: Tensor) -> None:
        """Add the packed means of one update, but not of models that refused it."""
        added = self._rows + torch.cat((rows, self._ones), dim=1)
        torch.where(refused.bool().unsqueeze(1), self._rows, added, out=self._rows)

    def add_weighted(self, means: StackedMeans, weight: int) -> None:
        """Add the means over `weight` images."""
        self._rows += torch.cat((means.rows, self._ones), dim=1) * weight
