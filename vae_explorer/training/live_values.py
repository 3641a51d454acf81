"""The live values of a session: as they were set, and as they are in force at a step under the schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import check_together
from vae_explorer.objective.terms import Live
from vae_explorer.runs.records import LiveName
from vae_explorer.training.schedule import RateSteps, Warmup
from vae_explorer.training.state import SessionMeta

_KEYS: dict[LiveName, str] = {
    "learning_rate": "train.learning_rate",
    "beta": "objective.beta",
    "free_bits": "objective.free_bits",
    "warmup": "objective.warmup_steps",
}


Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class InForce:
    """What holds in one update, schedules included: as in a metric record."""

    learning_rate: float
    beta: float
    free_bits: float


class LiveValues:
    """Learning rate, beta, free bits and warm-up as they were set, and as they are in force at a step.

    learning_rate, beta, free_bits: as set by the configuration or by hand, before any schedule. on_device: beta and
    free bits in force, and rate: the learning rate in force, as scalars that a step reads.
    """

    def __init__(self, config: RunConfig, *, n_images: int, device: torch.device) -> None:
        self._config = config
        self._rate_steps = RateSteps(config.train.lr_schedule, batch_size=config.train.batch_size, n_images=n_images)
        self._warmup = Warmup.of(config.objective)
        self._is_warmup_by_hand = False
        self._has_penalty = config.objective.similarity != "mmd"
        self.learning_rate = config.train.learning_rate
        self.beta = config.objective.beta
        self.free_bits = config.objective.free_bits
        self.rate, beta, free_bits = (torch.zeros((), dtype=torch.float32, device=device) for _ in range(3))
        self.on_device = Live(beta=beta, free_bits=free_bits)
        self._applied: InForce | None = None

    def in_force(self, step: int) -> InForce:
        """Return what holds in the update that follows `step` updates. beta: 0 where nothing is weighted with it."""
        return InForce(*self.numbers(step))

    def numbers(self, step: int) -> Numbers:
        """Return learning rate, beta and free bits as `in_force`, for those who ask for many steps of many models."""
        rate = self.learning_rate * self._rate_steps.factor(step)
        beta = self.beta * self._warmup.share(step) if self._has_penalty else 0.0
        return rate, beta, self.free_bits

    def apply(self, step: int) -> None:
        """Bring the scalars on the device to what holds in the update after `step`; nothing is waited for."""
        wanted = self.in_force(step)
        if wanted != self._applied:
            self.rate.fill_(wanted.learning_rate)
            self.on_device.beta.fill_(wanted.beta)
            self.on_device.free_bits.fill_(wanted.free_bits)
            self._applied = wanted

    def change(self, name: LiveName, value: float, *, step: int) -> float:
        """Set a value from the update that follows `step` updates on; return it as it was understood.

        A warm-up of 0 steps is none by hand: beta follows the configured schedule again, as if it always had.
        Raises ConfigError when it is out of range or does not go with the configuration; then nothing is changed.
        """
        if name == "warmup" and value == 0:
            self._warmup, self._is_warmup_by_hand = Warmup.of(self._config.objective), False
            return 0.0
        key = _KEYS[name]
        config = self._config.with_values({key: int(value) if name == "warmup" and value % 1 == 0 else value})
        if name == "free_bits":
            check_together(config)
        taken = float(config.get(key))
        if name == "warmup":
            self._warmup, self._is_warmup_by_hand = Warmup("linear", start=step, steps=int(taken)), True
        else:
            setattr(self, name, taken)
        return taken

    def state(self) -> dict[str, Any]:
        """Return what a session's meta keeps of these values."""
        return {
            "learning_rate": self.learning_rate, "beta": self.beta, "free_bits": self.free_bits,
            "warmup_start": self._warmup.start if self._is_warmup_by_hand else None,
            "warmup_steps": self._warmup.steps if self._is_warmup_by_hand else None,
        }  # fmt: skip

    def restore(self, meta: SessionMeta) -> None:
        """Take over the values of a state."""
        self.learning_rate, self.beta = meta.learning_rate, meta.beta
        objective = self._config.objective
        self.free_bits = objective.free_bits if meta.free_bits is None else meta.free_bits
        self._is_warmup_by_hand = meta.warmup_start is not None and meta.warmup_steps is not None
        self._warmup = Warmup.of(objective)
        if meta.warmup_start is not None and meta.warmup_steps is not None:
            self._warmup = Warmup("linear", start=meta.warmup_start, steps=meta.warmup_steps)
