"""What is due at which step, and what beta and learning rate are there: functions of the step, never of the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vae_explorer.config import ObjectiveConfig, TrainConfig


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


def updates_until_due(step: int, most: int, is_due: Callable[[int], bool]) -> int:
    """Return how many of at most `most` updates may follow `step` at once, 1 at least: nothing is due but after the
    last of them."""
    return next((n for n in range(1, most) if is_due(step + n)), max(1, most))


@dataclass(frozen=True)
class Warmup:
    """The share of beta that is in force, from 0 to 1, by the step.

    linear: from 0 at `start` to 1 after `steps` steps (Bowman et al. 2016). cyclic: again and again, each cycle of
    `steps` steps climbing in its first half and staying at 1 in its second (Fu et al. 2019).
    """

    kind: Literal["none", "linear", "cyclic"] = "none"
    start: int = 0
    steps: int = 1

    @classmethod
    def of(cls, objective: ObjectiveConfig) -> Warmup:
        """Return the warm-up that a run begins with."""
        return cls(kind=objective.warmup, steps=objective.warmup_steps)

    def share(self, step: int) -> float:
        """Return the share of beta in the update that follows `step` updates."""
        if self.kind == "none":
            return 1.0
        since = max(0, step - self.start)
        if self.kind == "linear":
            return min(1.0, since / self.steps)
        return min(1.0, 2.0 * (since % self.steps) / self.steps)


class RateSteps:
    """Factors of the learning rate that hold from an epoch on: '10: 0.5, 20: 0.1'; 1 before the first."""

    def __init__(self, text: str, *, batch_size: int, n_images: int) -> None:
        pairs = (part.split(":") for part in text.split(",") if part.strip())
        # Epoch k begins with the first update that comes after k N images.
        self._from = [(-(-int(epoch) * n_images // batch_size), float(factor)) for epoch, factor in pairs]

    def factor(self, step: int) -> float:
        """Return the factor in the update that follows `step` updates."""
        if not self._from:
            return 1.0
        return next((factor for first, factor in reversed(self._from) if step >= first), 1.0)
