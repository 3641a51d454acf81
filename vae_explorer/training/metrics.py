"""Sums of metrics kept on the device, read only where a record is written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_explorer.objective.terms import Packing, TermMeans


@dataclass(frozen=True)
class Figures:
    """Means in nats per image as plain numbers, as in a metric record; None where an objective has no such figure."""

    loss: float
    distortion: float
    kl: float | None = None
    kl_per_dim: tuple[float, ...] | None = None
    bound: float | None = None
    mmd: float | None = None
    total_correlation: float | None = None
    similarity: float | None = None
    classification_loss: float | None = None
    classification_error: float | None = None

    @property
    def elbo(self) -> float | None:
        """-(distortion + kl)."""
        return None if self.kl is None else -(self.distortion + self.kl)

    @classmethod
    def unpacked(cls, row: list[float], packing: Packing) -> Figures:
        """Read a row of means (packing.width,); a scalar that is NaN was not known, and is None."""
        loss, distortion, *rest = row
        scalars = {name: None if math.isnan(value) else value for name, value in zip(packing.names, rest, strict=False)}
        kl_per_dim = tuple(rest[len(packing.names) :]) or None
        if kl_per_dim is not None:
            scalars.setdefault("kl", sum(kl_per_dim))
        return cls(loss=loss, distortion=distortion, kl_per_dim=kl_per_dim, **scalars)

    @classmethod
    def of_sums(cls, row: list[float], packing: Packing) -> Figures | None:
        """Read a row of sums (packing.width + 1,), the last their total weight; None where nothing was added."""
        *sums, weight = row
        return None if weight == 0 else cls.unpacked([value / weight for value in sums], packing)


class MetricSums:
    """Weighted sums of term means: one row on the device, (packing.width + 1,), the last its total weight."""

    def __init__(self, packing: Packing, device: torch.device) -> None:
        self._packing = packing
        self.row = torch.zeros(packing.width + 1, device=device)
        self._ones = torch.ones(1, device=device)

    def add(self, row: Tensor, refused: Tensor | None = None) -> None:
        """Add the packed means of one update, unless it was refused (1, else 0 or None): then it is not counted."""
        one = torch.cat((row, self._ones))
        self.row.add_(one if refused is None else torch.where(refused > 0, 0.0, one))

    def add_weighted(self, means: TermMeans, weight: int) -> None:
        """Add the means over `weight` images."""
        self.row += torch.cat((means.packed(self._packing), self._ones)) * weight

    def reset(self) -> None:
        """Begin anew."""
        self.row.zero_()

    @property
    def weight(self) -> int:
        """How much was added; waits for the device."""
        return int(self.row[-1].item())

    def read(self) -> Figures | None:
        """Return the means, None when nothing was added; waits for the device."""
        return Figures.of_sums(self.row.tolist(), self._packing)
