"""Sums of metrics kept on the device, read only where a record is written."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_explorer.objective.terms import TermMeans


@dataclass(frozen=True)
class Figures:
    """Means in nats per image as plain numbers; kl and elbo are None for an autoencoder."""

    loss: float
    distortion: float
    kl_per_dim: tuple[float, ...] | None

    @property
    def kl(self) -> float | None:
        """Sum of kl_per_dim."""
        return None if self.kl_per_dim is None else sum(self.kl_per_dim)

    @property
    def elbo(self) -> float | None:
        """-(distortion + kl)."""
        return None if self.kl is None else -(self.distortion + self.kl)


class MetricSums:
    """Weighted sums of term means: one row on the device, (2 + latent_dim + 1,), the last its total weight."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.row = torch.zeros(width + 1, device=device)
        self._ones = torch.ones(1, device=device)

    def add(self, means: TermMeans, refused: Tensor) -> None:
        """Add the means of one update, unless it was refused (1, else 0): what is not applied is not counted."""
        added = self.row + torch.cat((means.packed(), self._ones))
        torch.where(refused.bool(), self.row, added, out=self.row)

    def add_weighted(self, means: TermMeans, weight: int) -> None:
        """Add the means over `weight` images."""
        self.row += torch.cat((means.packed(), self._ones)) * weight

    def reset(self) -> None:
        """Begin anew."""
        self.row.zero_()

    @property
    def weight(self) -> int:
        """How much was added; waits for the device."""
        return int(self.row[-1].item())

    def read(self) -> Figures | None:
        """Return the means, None when nothing was added; waits for the device."""
        *sums, weight = self.row.tolist()
        if weight == 0:
            return None
        loss, distortion, *kl_per_dim = (value / weight for value in sums)
        return Figures(loss=loss, distortion=distortion, kl_per_dim=tuple(kl_per_dim) or None)
