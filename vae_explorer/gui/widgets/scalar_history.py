"""`ScalarHistory`: a few figures of training by name, thinned to what a small curve can show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vae_explorer.runs.records import LogRecord, MetricRecord

MAX_POINTS = 512


class ScalarHistory:
    """Every `stride`-th training record; newest: the last one, whatever the stride."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.clear()

    def clear(self) -> None:
        """Forget everything (another run)."""
        self._rows: list[tuple[float, ...]] = []
        self._n_seen = 0
        self._stride = 1
        self.newest: MetricRecord | None = None

    def add(self, records: Iterable[LogRecord]) -> None:
        """Take records in order."""
        for record in records:
            if isinstance(record, MetricRecord) and record.split == "train":
                self.newest = record
                if self._n_seen % self._stride == 0:
                    values = (getattr(record, name) for name in self._names)
                    self._rows.append(tuple(np.nan if value is None else value for value in values))
                self._n_seen += 1
        while len(self._rows) >= 2 * MAX_POINTS:
            self._rows = self._rows[::2]
            self._stride *= 2

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the figures by name, (n,) each, those that are not finite left out."""
        if not self._rows:
            return {}
        table = np.array(self._rows, dtype=np.float64)
        return {name: table[np.isfinite(table[:, at]), at] for at, name in enumerate(self._names)}
