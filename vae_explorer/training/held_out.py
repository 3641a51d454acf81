"""One evaluation of the held-out images, a chunk at a time, so that a loop can answer people in between."""

from __future__ import annotations

import numpy as np
import torch

from vae_explorer.config import RunConfig
from vae_explorer.model.model import Model
from vae_explorer.model.noise import Stream, seeded_generator
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.elbo import elbo_terms
from vae_explorer.training.metrics import Figures, MetricSums

MAX_CHUNK = 1024


class HeldOutEvaluation:
    """Means over all held-out images with the weights of `step`, which stand still meanwhile.

    One code an image, from a generator seeded by (seed, step): training noise is not touched, and the same weights give
    the same figures whenever they are asked. beta: the live value at that step, for the loss.
    """

    def __init__(self, config: RunConfig, pixels: Pixels, indices: np.ndarray, *, step: int, beta: float) -> None:
        device = pixels.device
        self._pixels = pixels
        self._indices = torch.tensor(indices, dtype=torch.int64, device=device)
        # An image costs a third of what it costs in an update: a chunk is about one update and a half.
        self._chunk = min(MAX_CHUNK, max(64, 4 * config.train.batch_size))
        self._done = 0
        self.beta = beta
        self._beta = torch.tensor(beta, device=device)
        self._generator = seeded_generator(config.train.seed, Stream.HELD_OUT, step, device=device)
        width = 2 + (0 if config.model.kind == "autoencoder" else config.model.latent_dim)
        self._sums = MetricSums(width, device)

    @torch.no_grad()
    def advance(self, model: Model) -> bool:
        """Evaluate one more chunk; return whether that was the last."""
        part = self._indices[self._done : self._done + self._chunk]
        x = self._pixels.take(part, self._generator)
        noise = torch.empty(len(part), model.latent_dim, device=x.device).normal_(generator=self._generator)
        self._sums.add_weighted(elbo_terms(model, x, noise).mean(self._beta), len(part))
        self._done += len(part)
        return self._done >= len(self._indices)

    def figures(self) -> Figures:
        """Return the means once all chunks are done; waits for the device."""
        figures = self._sums.read()
        if figures is None:
            raise RuntimeError("no held-out image was evaluated")
        return figures
