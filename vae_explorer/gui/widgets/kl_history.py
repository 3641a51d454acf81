"""`KlHistory`: the KL of each latent dimension over training, in bounded memory however long the log grows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vae_explorer.runs.records import LogRecord, MetricRecord

Floats = NDArray[np.float64]
MAX_ROWS = 2000


class KlHistory:
    """steps (n,) ascending and kl (n, d), nats, of the training records; neighbours are merged two by two when full.

    A merged row has the mean of its records and the step of the last, so that `stride` records make one row.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows // 2 * 2
        self.clear()

    def clear(self) -> None:
        """Forget everything (another run)."""
        self._steps = np.empty(self._max_rows, dtype=np.int64)
        self._kl: Floats = np.empty((0, 0))
        self._pending: list[tuple[float, ...]] = []
        self._n = 0
        self.stride = 1

    def __len__(self) -> int:
        return self._n

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps of the rows, (n,)."""
        return self._steps[: self._n]

    @property
    def kl(self) -> Floats:
        """The KL of each dimension, (n, d), nats; (0, 0) while there is none."""
        return self._kl[: self._n]

    def add(self, records: Iterable[LogRecord]) -> None:
        """Take records in order; those without a KL of each dimension, or not finite, are left out."""
        for record in records:
            if isinstance(record, MetricRecord) and record.split == "train" and record.kl_per_dim is not None:
                values = record.kl_per_dim
                if np.isfinite(values).all():
                    self._add(record.step, values)

    def _add(self, step: int, values: tuple[float, ...]) -> None:
        if self._kl.shape[1] != len(values):
            self.clear()
            self._kl = np.empty((self._max_rows, len(values)))
        self._pending.append(values)
        if len(self._pending) < self.stride:
            return
        if self._n == self._max_rows:
            self._merge()
            if len(self._pending) < self.stride:
                return
        self._steps[self._n], self._kl[self._n] = step, np.mean(self._pending, axis=0)
        self._n += 1
        self._pending.clear()

    def _merge(self) -> None:
        half = self._n // 2
        self._kl[:half] = self._kl[: 2 * half].reshape(half, 2, -1).mean(axis=1)
        self._steps[:half] = self._steps[1 : 2 * half : 2]
        self._n, self.stride = half, 2 * self.stride
