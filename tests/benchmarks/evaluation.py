"""What evaluation costs, as JSON: importance samples beside a plain loop, the shared lattice, clicked images.

Run: python -m tests.benchmarks.evaluation [samples] [exact]      (MNIST from VAE_EXPLORER_TEST_DATA or ../shared/data)
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.benchmarks.training import mnist_config
from vae_explorer.data.catalog import open_data
from vae_explorer.evaluation import exact_posterior
from vae_explorer.evaluation.cells import Refinement
from vae_explorer.evaluation.exact_posterior import grid_slices, inspect_slices
from vae_explorer.evaluation.importance import figures_slices, images_at_once
from vae_explorer.evaluation.slices import drain
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.training.session import TrainingSession

PLAIN_BATCH, PLAIN_SAMPLES = 64, 16
"""Images and samples of them that the plain loop decodes at once: about what is fastest on two cores."""
KNOWN_EVERY = 4
"""Of so many images one is worked out to the last digits too, which takes a second."""


def trained(latent_dim: int, epochs: int) -> tuple[FrozenModel, np.ndarray]:
    """A 784-400-latent_dim model after some epochs, and the indices of the test images."""
    config = mnist_config(latent_dim, **{"train.epochs": epochs})
    data = open_data(config.data)
    session = TrainingSession.new(config, data)
    while session.step < session.target_step:
        session.advance()
    return session.frozen(), data.indices("test")


@torch.no_grad()
def plain_log_px(model: FrozenModel, x: Tensor, samples: int) -> Tensor:
    """log p(x) of images (B, C, H, W) as one would write it by hand, some samples of all images at a time."""
    parameters = model.model.encoder(x)
    loc, log_scale = parameters.chunk(2, dim=-1)
    flat = x.flatten(1)
    parts = []
    for _ in range(-(-samples // PLAIN_SAMPLES)):
        noise = torch.randn(PLAIN_SAMPLES, *loc.shape)
        z = loc + log_scale.exp() * noise
        logits = model.model.decoder(z.flatten(0, 1)).view(PLAIN_SAMPLES, *flat.shape)
        log_likelihood = -F.binary_cross_entropy_with_logits(logits, flat.expand_as(logits), reduction="none").sum(-1)
        log_prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
        log_posterior = -0.5 * (noise.square() + math.log(2 * math.pi) + 2 * log_scale).sum(-1)
        parts.append(log_likelihood + log_prior - log_posterior)
    weights = torch.cat(parts)
    return torch.logsumexp(weights, 0) - math.log(len(weights))


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def importance(images: int, samples: int = 5000, pairs: int = 3) -> dict[str, Any]:
    """Seconds per decoded sample of ours and of the plain loop in turn, and what memory ours took at most."""
    model, test = trained(20, 1)

    def ours(n: int) -> None:
        at_once = images_at_once(model, samples)
        for first in range(0, n, at_once):
            drain(figures_slices(model, test[first : min(first + at_once, n)], samples=samples, seed=0))

    def plain(n: int) -> None:
        for first in range(0, n, PLAIN_BATCH):
            plain_log_px(model, model.pixels.take_seeded(test[first : min(first + PLAIN_BATCH, n)], 0), samples)

    ours(2)
    plain(PLAIN_BATCH // 8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = []
    for _ in range(pairs):
        own = seconds(lambda: ours(images))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows.append((own, seconds(lambda: plain(images)), after))
    codes = images * samples
    return {
        "images": images, "samples": samples,
        "ours_us_a_sample": 1e6 * statistics.median(own for own, _, _ in rows) / codes,
        "plain_us_a_sample": 1e6 * statistics.median(other for _, other, _ in rows) / codes,
        "ratio": statistics.median(own / other for own, other, _ in rows),
        "peak_growth_mib": (rows[0][2] - before) / 1024,
    }  # fmt: skip


def exact(images: int, epochs: int = 3) -> dict[str, Any]:
    """Seconds of the lattice and of inspections of a trained 2-D model, with errors told, and true of some images."""
    model, test = trained(2, epochs)
    lattice = [seconds(lambda: drain(grid_slices(model))) for _ in range(3)]
    grid = drain(grid_slices(model))
    figures: dict[str, Any] = {"lattice_s": statistics.median(lattice), "images": images}
    finest = Refinement(tolerance=1e-4, share=2e-5, most_codes=100_000)
    known = {index: _inspect_with(model, grid, index, finest) for index in test[:images:KNOWN_EVERY].tolist()}
    for name, is_fine in (("coarse", False), ("fine", True)):
        rows = []
        drain(inspect_slices(model, grid, int(test[0]), is_fine=is_fine))
        for index in test[:images].tolist():
            started = time.perf_counter()
            found = drain(inspect_slices(model, grid, index, is_fine=is_fine))
            took = time.perf_counter() - started
            true = abs(found.gap - known[index].gap) if index in known else math.nan
            rows.append((1000 * took, found.error, true))
        for what, values in zip(("ms", "error_told", "error_true"), np.array(rows).T, strict=True):
            p90 = float(np.nanpercentile(values, 90))
            figures[f"{name}_{what}"] = {
                "median": float(np.nanmedian(values)), "p90": p90, "most": float(np.nanmax(values)),
            }  # fmt: skip
    return figures


def _inspect_with(model: FrozenModel, grid: Any, index: int, refinement: Refinement) -> Any:
    kept, exact_posterior.FINE = exact_posterior.FINE, refinement
    try:
        return drain(inspect_slices(model, grid, index, is_fine=True))
    finally:
        exact_posterior.FINE = kept


def main(parts: list[str]) -> None:
    """Print one JSON object with the parts that are asked for; a number is how many images are taken."""
    numbers = [int(part) for part in parts if part.isdecimal()]
    figures: dict[str, Any] = {"threads": torch.get_num_threads()}
    names = [part for part in parts if not part.isdecimal()] or ["samples", "exact"]
    if "samples" in names:
        figures["samples"] = importance(numbers[0] if numbers else 1000)
    if "exact" in names:
        figures["exact"] = exact(numbers[0] if numbers else 60)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
