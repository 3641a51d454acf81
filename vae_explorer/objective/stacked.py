"""One objective of several models at once: the same images and the same noise, each model with its own live values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vae_explorer.model.stacked import StackedModels
from vae_explorer.objective.objective import Objective
from vae_explorer.objective.terms import Batch, Live, Packing


@dataclass(frozen=True, slots=True)
class StackedMeans:
    """Means over the images of a batch, of M models: loss, what is differentiated (the loss itself or its surrogate),
    both (M,), and the packed figures (M, packing.width), which have no gradient."""

    loss: Tensor
    differentiated: Tensor
    rows: Tensor

    def packed(self, packing: Packing) -> Tensor:
        """Return the figures, as of `TermMeans` but with the models before them."""
        return self.rows


class StackedObjective:
    """An objective over stacked models, by vmap: its batched matrix products take all models in one call."""

    def __init__(self, objective: Objective, stacked: StackedModels) -> None:
        self.packing, self.samples = objective.packing, objective.samples
        self.needs_prior_codes = objective.needs_prior_codes
        self._parameters = stacked.parameters
        self._of_one = _OfOne(stacked.template, objective)
        # Models, their beta and their free bits are apart; images, draws and noise are common to all.
        self._of_all = torch.vmap(self._call, in_dims=(0, 0, 0, None, None, None, None))

    def means(self, batch: Batch, *, noise: Tensor, live: Live) -> StackedMeans:
        """Return the means over a batch that is trained on; noise (K, B, latent_dim); live: (M,) each."""
        return self._of(self._parameters, batch, noise=noise, live=live, is_held_out=False)

    def held_out_means(self, batch: Batch, *, noise: Tensor, live: Live) -> StackedMeans:
        """Return the means over images that are not trained on."""
        return self._of(self._parameters, batch, noise=noise, live=live, is_held_out=True)

    def _of(
        self, parameters: dict[str, Tensor], batch: Batch, *, noise: Tensor, live: Live, is_held_out: bool
    ) -> StackedMeans:
        self._of_one.is_held_out = is_held_out
        found = self._of_all(parameters, live.beta, live.free_bits, batch.x, batch.labels, batch.prior_z, noise)
        return StackedMeans(*found)

    def _call(self, parameters: dict[str, Tensor], *arguments: Any) -> Any:
        named = {f"model.{name}": parameter for name, parameter in parameters.items()}
        return functional_call(self._of_one, named, arguments)


class _OfOne(nn.Module):
    """The objective of one model as a function of tensors, which is what vmap takes."""

    def __init__(self, template: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = template
        self._objective = objective
        self.is_held_out = False

    def forward(
        self, beta: Tensor, free_bits: Tensor, x: Tensor, labels: Tensor | None, prior_z: Tensor | None, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        objective = self._objective
        means_of = objective.held_out_means if self.is_held_out else objective.means
        # No objective of these models asks for the step: only M2 stacked on a VAE does.
        means = means_of(self.model, Batch(x, labels, prior_z), noise=noise, live=Live(beta, free_bits), step=0)  # type: ignore[arg-type]
        differentiated = means.loss if means.surrogate is None else means.surrogate
        return means.loss, differentiated, means.packed(objective.packing)
