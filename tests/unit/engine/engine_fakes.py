"""A session without torch whose steps can be held, slowed or broken from a test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from vae_explorer.runs.records import LogRecord, MarkRecord
from vae_explorer.training.session import Advance


class FakeModel:
    """Two weights that every step changes one after the other: a copy that mixes two steps shows unequal ones."""

    def __init__(self, config: Any, step: int = 0) -> None:
        self.config, self.step = config, step
        self.first = self.second = float(step)
        self.model = SimpleNamespace(named_parameters=lambda: [])

    def decode(self, z: Any, *, draw_seed: int | None = None, label: int | None = None) -> Any:
        images = np.zeros((len(z), 1, 8, 8), dtype=np.float32)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = self.first, self.second
        return images

    def codes(self, indices: Any) -> Any:
        n = len(indices)
        zeros = np.zeros(n, dtype=np.float32)
        codes = np.zeros((n, 2), dtype=np.float32)
        return SimpleNamespace(
            loc=codes,
            scale=codes,
            elbo=zeros,
            kl=zeros,
            distortion=zeros,
            kl_per_dim=np.zeros(2, dtype=np.float32),
            predicted=None,
        )


class FakeSession(FakeModel):
    """on_step, on_decode: called in every step, every decoding. hold_at: the step to whose middle training comes and
    stays until `go_on` is set; is_held: set meanwhile."""

    def __init__(self, config: Any, data: Any) -> None:
        super().__init__(config)
        self.data = data
        self.target_step, self.n_parameters, self.device = 100_000, 2, "cpu"
        self.learning_rate, self.beta, self.time_s, self.epoch = 1e-3, 1.0, 0.0, 0.0
        self.scale, self.is_scale_at_floor, self.notes, self.run_name = None, False, (), None
        self.free_bits, self.labelled, self.part = 0.0, None, None
        self.is_evaluating = self.has_better = self.is_diverged = False
        self.hold_at: int | None = None
        self.is_held, self.go_on = threading.Event(), threading.Event()
        self.on_step: Callable[[], None] = lambda: None
        self.on_decode: Callable[[], None] = lambda: None
        self._records: list[LogRecord] = []

    def advance(self, until_step: int | None = None) -> Advance:
        self.first += 1
        if self.step + 1 == self.hold_at:
            self.is_held.set()
            self.go_on.wait()
        self.on_step()
        self.second += 1
        self.step += 1
        return Advance.STEP

    def decode(self, z: Any, *, draw_seed: int | None = None, label: int | None = None) -> Any:
        self.on_decode()
        return super().decode(z, draw_seed=draw_seed, label=label)

    def set_live(self, name: Any, value: float) -> MarkRecord:
        mark = MarkRecord(step=self.step, time_s=0.0, name=name, value=value)
        self._records.append(mark)
        if name == "learning_rate":
            self.learning_rate = value
        return mark

    def set_part(self, part: Any) -> None:
        self.part = part

    def take_records(self) -> list[LogRecord]:
        records, self._records = self._records, []
        return records

    def take_best(self) -> None:
        return None

    def frozen(self) -> FakeModel:
        copy = FakeModel(self.config, self.step)
        copy.first, copy.second = self.first, self.second
        return copy

    def state(self) -> Any:
        return {"weights": np.array([self.first, self.second])}, {"step": self.step}

    def settle(self) -> None:
        return None

    def raise_if_diverged(self) -> None:
        return None


class FakeSessions:
    """Stands for the class TrainingSession; `made` are the sessions that were built."""

    def __init__(self) -> None:
        self.made: list[FakeSession] = []
        self.prepare: Callable[[FakeSession], None] = lambda session: None

    def new(self, config: Any, data: Any, *, device: str | None = None) -> FakeSession:
        session = FakeSession(config, data)
        self.prepare(session)
        self.made.append(session)
        return session
