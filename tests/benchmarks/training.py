"""Training figures as JSON: steps a second beside a plain loop, and MNIST after ten epochs against the known figure.

Run: python -m tests.benchmarks.training [speed] [mnist]      (MNIST from VAE_EXPLORER_TEST_DATA or ../shared/data)
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vae_explorer.bench.plain_loop import PlainLoop
from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.evaluation.report import evaluate
from vae_explorer.training.session import Advance, TrainingSession

PLAIN_S = 4.0
"""Of each measurement of the plain loop: about what the session's steps take."""


def mnist_dir() -> Path:
    """The folder of MNIST's IDX files."""
    root = os.environ.get("VAE_EXPLORER_TEST_DATA")
    return (Path(root) if root else Path(__file__).resolve().parents[3] / "shared" / "data") / "mnist"


def mnist_config(latent_dim: int = 20, **changes: Any) -> RunConfig:
    """784-400-latent_dim, Bernoulli on grey pixels, batch 128, Adam 1e-3, ten epochs."""
    values = {"data.name": str(mnist_dir()), "model.latent_dim": latent_dim, "train.epochs": 10, "train.device": "cpu"}
    return RunConfig().with_values(values | changes)


def session_steps_per_s(data: ImageData, steps: int, warm_up: int = 50) -> float:
    """Updates a second of a TrainingSession with logging as configured, evaluations left out as in the plain loop."""
    session = TrainingSession.new(mnist_config(**{"train.evaluate_every": 10**9}), data)
    started = 0.0
    for step in range(warm_up + steps):
        if step == warm_up:
            started = time.perf_counter()
        session.advance()
    session.take_records()
    return steps / (time.perf_counter() - started)


def speed(pairs: int = 5, steps: int = 400) -> dict[str, Any]:
    """Session and plain loop in turn, so that a drift of the machine's speed meets both."""
    data = open_data(mnist_config().data)
    plain_loop = PlainLoop(torch.tensor(data.images[data.indices("train")]), torch.device("cpu"))
    rows = [(session_steps_per_s(data, steps), plain_loop.steps_per_s(PLAIN_S)) for _ in range(pairs)]
    return {
        "session_steps_per_s": statistics.median(ours for ours, _ in rows),
        "plain_steps_per_s": statistics.median(plain for _, plain in rows),
        "ratio_to_plain": statistics.median(ours / plain for ours, plain in rows),
        "ratios": [ours / plain for ours, plain in rows],
    }


def mnist(latent_dim: int, seed: int) -> dict[str, Any]:
    """Ten epochs; the test loss is -elbo of the test images, nats per image (the known example: 105.2 to 105.8)."""
    config = mnist_config(latent_dim, **{"train.seed": seed})
    data = open_data(config.data)
    session = TrainingSession.new(config, data)
    started = time.perf_counter()
    while session.step < session.target_step:
        if session.advance() is Advance.DIVERGED:
            raise RuntimeError("the training diverged")
    seconds = time.perf_counter() - started
    report = evaluate(session.frozen(), data, split="test", samples=4, seed=0)
    names = ("elbo", "kl", "distortion", "elbo_se", "elbo_mc_se", "n", "step")
    return {"latent_dim": latent_dim, "seed": seed, "seconds": seconds} | {name: report[name] for name in names}


def main(parts: list[str]) -> None:
    """Print one JSON object with the parts that are asked for."""
    figures: dict[str, Any] = {}
    if not parts or "speed" in parts:
        figures["speed"] = speed()
    if not parts or "mnist" in parts:
        figures["mnist"] = [mnist(20, seed) for seed in range(3)] + [mnist(2, 0)]
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
