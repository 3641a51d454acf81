"""The records of a run's metrics log: a row of figures at a logging step, and a mark for every change by hand."""

from __future__ import annotations

from typing import Literal

import msgspec

LiveName = Literal["learning_rate", "beta", "free_bits", "warmup"]
"""What can be changed while it trains; 'warmup' lets beta climb from 0 over `value` steps from that step on, 0: as
configured."""

MarkName = Literal[LiveName, "part"]
"""What a mark can tell; 'part': whose weights are updated from there on: all (0), the encoder's (1), all others (2)."""


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
    """The weight of the KL at `step`, its warm-up included."""
    learning_rate: float
    scale: float | None = None
    """The learnt standard deviation of a Gaussian likelihood."""
    free_bits: float = 0.0
    bound: float | None = None
    """The importance-weighted bound of objective.samples codes, where that is trained."""
    mmd: float | None = None
    """The unbiased estimate of the squared maximum mean discrepancy (no nats), where it is in the loss."""
    total_correlation: float | None = None
    """Minibatch estimate, nats, where it is in the loss."""
    similarity: float | None = None
    """Mean over images of what stands for the KL in the loss (reverse KL, squared W2, Renyi)."""
    classification_loss: float | None = None
    """M2: mean of -log q(y|x), nats, over labelled images (train) or over all that have a label (held_out)."""
    classification_error: float | None = None
    """M2: share of images whose most probable class is not their label."""


class MarkRecord(msgspec.Struct, frozen=True, kw_only=True, tag="mark", tag_field="type"):
    """A change by hand: before the update `step` + 1 the live value `name` became `value`."""

    step: int
    time_s: float
    name: MarkName
    value: float


LogRecord = MetricRecord | MarkRecord
