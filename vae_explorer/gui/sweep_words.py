"""What is said of the models of a sweep: a short line in a tile, and a whole one for the chosen model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from vae_explorer.runs.records import LogRecord, MetricRecord
from vae_explorer.sweep_config import beta_text


def _tr(text: str) -> str:
    return QCoreApplication.translate("sweep", text)


@dataclass(frozen=True)
class ModelFigures:
    """What is known of one model. record: its newest held-out one, else the newest of the training."""

    beta: float
    record: MetricRecord | None
    active_units: int | None
    latent_dim: int
    left_at: int | None
    """Step at which it diverged, None where it goes on."""

    @property
    def name(self) -> str:
        """'β 0.5'."""
        return f"β {beta_text(self.beta)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The name from the longest way to write it to the shortest."""
        return self.name, beta_text(self.beta), f"{self.beta:.3g}", f"{self.beta:.2g}"

    @property
    def bound(self) -> str:
        """The elbo alone, '' where it is not known."""
        if self.record is None or self.record.elbo is None:
            return ""
        return _tr("elbo {v}").format(v=number_text(self.record.elbo, digits=1))

    @property
    def parts(self) -> tuple[str, ...]:
        """kl, reconstruction loss and active units, from the longest way to say it to the shortest."""
        if self.left_at is not None:
            return _tr("diverged at {n:,}").format(n=self.left_at + 1), _tr("diverged")
        if self.record is None or self.record.kl is None:
            return ("",)
        kl = _tr("kl {k:.1f}").format(k=self.record.kl)
        both = _tr("{kl} · recon {d:.1f}").format(kl=kl, d=self.record.distortion)
        units = "" if self.active_units is None else f" · {self.active_units}/{self.latent_dim}"
        return both + units, both, kl

    @property
    def sentence(self) -> str:
        """Everything, in words."""
        parts = [self.name]
        record = self.record
        if self.left_at is not None:
            parts.append(_tr("diverged at step {n:,} and stands still").format(n=self.left_at + 1))
        if record is None or record.elbo is None or record.kl is None:
            parts.append(_tr("no figures yet"))
        else:
            of = _tr("held-out") if record.split == "held_out" else _tr("training")
            parts.append(_tr("{of} elbo {e} at step {n:,}").format(of=of, e=number_text(record.elbo), n=record.step))
            parts.append(_tr("kl {k:.2f}").format(k=record.kl))
            parts.append(_tr("recon {d:.2f}").format(d=record.distortion))
        if self.active_units is not None:
            units = _tr("{a} of {n} active")
            parts.append(units.format(a=self.active_units, n=self.latent_dim))
        return " · ".join(parts)


def number_text(value: float, *, digits: int = 2) -> str:
    """Return a number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def newest_record(records: Sequence[LogRecord]) -> MetricRecord | None:
    """Return the newest held-out record, else the newest of the training, None where there is none."""
    of_training = None
    for record in reversed(records):
        if isinstance(record, MetricRecord) and record.split == "held_out":
            return record
        if of_training is None and isinstance(record, MetricRecord):
            of_training = record
    return of_training


def rate_distortion(records: Sequence[LogRecord]) -> list[tuple[float, float]]:
    """Return (distortion, kl) of the held-out records in order, of the training's where nothing was held out."""
    rows = [record for record in records if isinstance(record, MetricRecord) and record.kl is not None]
    held_out = [record for record in rows if record.split == "held_out"]
    return [(record.distortion, record.kl or 0.0) for record in held_out or rows]
