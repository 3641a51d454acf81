"""The records of a run's metrics log: a row of figures at a logging step, and a mark for every change by hand."""

from __future__ import annotations

from typing import Literal

import msgspec


class MetricRecord(msgspec.Struct, frozen=True, kw_only=True, tag="metrics", tag_field="type"):
    """Figures in nats per image. split 'train': the mean over the steps since the last record; 'held_out': the
    mean over the whole held-out split at `step`. elbo = -(distortion + kl) at beta 1; elbo, kl and kl_per_dim are
    None for an autoencoder, kl_per_dim also where the prior does not factorise."""

    step: int
    epoch: float
    time_s: float
    """Seconds of training since the run's beginning, pauses left out."""
    split: Literal["train", "held_out"]
    distortion: float
    loss: float
    elbo: float | None = None
    kl: float | None = None
    kl_per_dim: tuple[float, ...] | None = None
    beta: float
    learning_rate: float
    scale: float | None = None
    """The learnt standard deviation of a Gaussian likelihood."""


class MarkRecord(msgspec.Struct, frozen=True, kw_only=True, tag="mark", tag_field="type"):
    """A change by hand: before the update `step` + 1 the live value `name` became `value`."""

    step: int
    time_s: float
    name: Literal["learning_rate", "beta"]
    value: float


LogRecord = MetricRecord | MarkRecord
