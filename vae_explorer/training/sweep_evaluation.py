"""One evaluation of the held-out images by all models of a sweep, with the images and the codes of a plain run's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vae_explorer.config import RunConfig
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.terms import Live
from vae_explorer.training.held_out import HeldOutEvaluation
from vae_explorer.training.metrics import Figures
from vae_explorer.training.sweep_member import SweepMember
from vae_explorer.training.sweep_updates import StackedSums, SweepUpdates


class SweepEvaluation(HeldOutEvaluation):
    """Means over all held-out images of each model, with the weights of `step`, which stand still meanwhile."""

    def __init__(
        self,
        config: RunConfig,
        updates: SweepUpdates,
        pixels: Pixels,
        indices: NDArray[np.int64],
        *,
        members: Sequence[SweepMember],
        step: int,
    ) -> None:
        """indices: of the images; members: whose live values are in the loss."""
        super().__init__(config, updates.single, pixels, indices, step=step, in_force=members[0].in_force)
        in_force, device = [member.in_force for member in members], pixels.device
        self._of_all, self._model = updates.objective, members[0].model
        self._live_of_all = Live(
            beta=torch.tensor([values.beta for values in in_force], device=device),
            free_bits=torch.tensor([values.free_bits for values in in_force], device=device),
        )
        self._sums_of_all = StackedSums(updates.single.packing, len(members), device=device)

    @torch.no_grad()
    def advance_all(self) -> bool:
        """Evaluate one more chunk by all models; return whether that was the last."""
        end = self._done + self._chunk
        if end == len(self._indices) - 1:
            end += 1  # as in a plain run: no image is left alone
        batch = self._batch(self._model, slice(self._done, end))
        noise = torch.empty(self._of_all.samples, len(batch.x), self._model.noise_dim, device=batch.x.device)
        noise.normal_(generator=self._generator)
        means = self._of_all.held_out_means(batch, noise=noise, live=self._live_of_all)
        self._sums_of_all.add_weighted(means, len(batch.x))
        self._done = end
        return self._done >= len(self._indices)

    def figures_of(self, model: int) -> Figures:
        """Return one model's means once all chunks are done; waits for the device."""
        figures = self._sums_of_all.of(model).read()
        if figures is None:
            raise RuntimeError("no held-out image was evaluated")
        return figures
