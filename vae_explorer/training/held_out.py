"""One evaluation of the held-out images, a chunk at a time, so that a loop can answer people in between."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.model import Model
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.objective import Objective
from vae_explorer.objective.terms import Batch, Live
from vae_explorer.training.live_values import InForce
from vae_explorer.training.metrics import Figures, MetricSums
from vae_explorer.training.world import ALONE, World

MAX_CHUNK = 1024
MAX_CODES = 16_384
"""Codes decoded at once, where an image has many; never fewer than an update decodes."""


def held_out_indices(config: RunConfig, data: ImageData) -> NDArray[np.int64]:
    """Return the validation images, else the test images; none where everything is trained on."""
    name = data.held_out_name
    if config.data.train_on == "all" or name is None:
        return np.empty(0, dtype=np.int64)
    return data.indices(name)


class HeldOutEvaluation:
    """Means over all held-out images with the weights of `step`, which stand still meanwhile.

    The codes come from a generator seeded by (seed, step): training noise is not touched, and the same weights give
    the same figures whenever they are asked. What is a quantity of a batch (MMD, total correlation, free bits) is that
    of the chunks. in_force: the live values at that step, for the loss. labels: int64 (n,) of the images, -1 where
    unknown. world: the processes that evaluate chunks in turn; what is drawn is drawn by all, so that the figures are
    those of one process.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        pixels: Pixels,
        indices: NDArray[np.int64],
        *,
        step: int,
        in_force: InForce,
        labels: NDArray[np.int64] | None = None,
        world: World = ALONE,
    ) -> None:
        self._world, self._n_chunks = world, 0
        device = pixels.device
        self._objective, self._pixels = objective, pixels
        self._indices = torch.tensor(indices, dtype=torch.int64, device=device)
        self._labels = None if labels is None else torch.tensor(labels, dtype=torch.int64, device=device)
        self._chunk = _chunk_size(config.train.batch_size, objective.samples)
        self._done = 0
        self._step = step
        self.in_force = in_force
        self._live = Live(
            beta=torch.tensor(in_force.beta, device=device), free_bits=torch.tensor(in_force.free_bits, device=device)
        )
        self._generator = seeded_generator(config.train.seed, Stream.HELD_OUT, step, device=device)
        self._sums = MetricSums(objective.packing, device)

    @torch.no_grad()
    def advance(self, model: Model) -> bool:
        """Evaluate one more chunk, or leave it to another process; return whether that was the last."""
        end = self._done + self._chunk
        if end == len(self._indices) - 1:
            end += 1  # no image is left alone: the MMD compares images
        part = slice(self._done, end)
        batch = self._batch(model, part)
        noise = torch.empty(self._objective.samples, len(batch.x), model.noise_dim, device=batch.x.device)
        noise.normal_(generator=self._generator)
        if self._n_chunks % self._world.size == self._world.rank:
            means = self._objective.held_out_means(model, batch, noise=noise, live=self._live, step=self._step)
            self._sums.add_weighted(means, len(batch.x))
        self._n_chunks += 1
        self._done = end
        if self._done < len(self._indices):
            return False
        self._world.average_([self._sums.row])
        return True

    def _batch(self, model: Model, part: slice) -> Batch:
        x = self._pixels.take(self._indices[part], self._generator)
        labels: Tensor | None = None if self._labels is None else self._labels[part]
        if not self._objective.needs_prior_codes:
            return Batch(x, labels)
        return Batch(x, labels, prior_z=model.prior().sample(len(x), self._generator))

    def figures(self) -> Figures:
        """Return the means once all chunks are done; waits for the device."""
        figures = self._sums.read()
        if figures is None:
            raise RuntimeError("no held-out image was evaluated")
        return figures


def _chunk_size(batch_size: int, samples: int) -> int:
    """Images at once: one costs a third of what it costs in an update, so a chunk is about one update and a half."""
    size = min(MAX_CHUNK, max(64, 4 * batch_size))
    return min(size, max(2, batch_size, MAX_CODES // samples))
