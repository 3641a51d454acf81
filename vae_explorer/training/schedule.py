"""What is due at which step: lengths and held-out evaluations in absolute steps, never by the clock."""

from __future__ import annotations

from vae_explorer.config import TrainConfig


def target_step(train: TrainConfig, n_images: int) -> int:
    """Return the step at which a run ends: train.steps, or ceil(epochs N / B)."""
    if train.steps is not None:
        return train.steps
    return -(-train.epochs * n_images // train.batch_size)


def is_evaluation_due(step: int, train: TrainConfig, n_images: int) -> bool:
    """Whether the held-out images are evaluated after `step` updates: every evaluate_every, or once an epoch.

    Epoch k ends with step ceil(k N / B), the first that has seen k N images.
    """
    if train.evaluate_every is not None:
        return step % train.evaluate_every == 0
    return step * train.batch_size // n_images > (step - 1) * train.batch_size // n_images
