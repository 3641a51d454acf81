"""What is due at which step: lengths and held-out evaluations in absolute steps, never by the clock."""

from __future__ import annotations

from vae_explorer.config import TrainConfig


def target_step(train: TrainConfig, n_images: int) -> int:
    """Return the step at which a run ends: train.steps, or ceil(epochs N / B)."""
    if train.steps is not None:
        return train.steps
    return -(-train.epochs * n_images // train.batch_size)


FIRST_RECORDS = (1, 2, 5, 10, 20, 50, 100)
"""Steps that have a record although train.log_every is larger: a slow model, or a short run, shows figures at once."""


def is_record_due(step: int, train: TrainConfig) -> bool:
    """Whether the training figures since the last record are written after `step` updates."""
    return step % train.log_every == 0 or (step < train.log_every and step in FIRST_RECORDS)


def is_evaluation_due(step: int, train: TrainConfig, n_images: int) -> bool:
    """Whether the held-out images are evaluated after `step` updates: every evaluate_every, or once an epoch.

    Epoch k ends with step ceil(k N / B), the first that has seen k N images.
    """
    if train.evaluate_every is not None:
        return step % train.evaluate_every == 0
    return step * train.batch_size // n_images > (step - 1) * train.batch_size // n_images
