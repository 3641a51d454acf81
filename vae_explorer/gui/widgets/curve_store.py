"""`CurveStore`: the figures of a run as arrays for plotting, in bounded memory however long the log grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.runs.records import LogRecord, MarkRecord, MetricRecord

Term = Literal[
    "elbo", "kl", "distortion", "objective", "bound", "beta", "mmd", "total_correlation", "similarity",
    "classification_error", "classification_loss",
]  # fmt: skip
XAxis = Literal["step", "epoch", "time"]
Split = Literal["train", "held_out"]
Floats = NDArray[np.float64]

TERMS: tuple[Term, ...] = ("elbo", "kl", "distortion")
"""What every run with a bound has, each with a plot."""
OVERLAYS: tuple[Term, ...] = ("objective", "bound")
"""What is drawn beside the ELBO in its plot, where a run has it and it differs: minus the loss, and IWAE's bound."""
EXTRAS: tuple[Term, ...] = (
    "beta", "mmd", "total_correlation", "similarity", "classification_error", "classification_loss",
)  # fmt: skip
"""What gets a plot of its own where a run has it and the person wants it."""
X_COLUMNS: dict[XAxis, int] = {"step": 0, "epoch": 1, "time": 2}
TERM_COLUMNS: dict[Term, int] = {term: 3 + i for i, term in enumerate((*TERMS, *OVERLAYS, *EXTRAS))}
_N_COLUMNS = 3 + len(TERM_COLUMNS)

SAME = 1e-4
"""Minus the loss is no curve of its own while it is within this share of the ELBO."""

MAX_POINTS = 20_000
MAX_MARKS = 500


class SplitCurves:
    """The points of one split, ascending in step; when `max_points` are held, neighbours are merged two by two.

    A merged point has the means of its records' figures and the place of the last of them, so `stride` records make
    one point, and memory and drawing time stay the same however long it trains.
    """

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._rows = np.empty((max_points // 2 * 2, _N_COLUMNS))
        self._pending: list[tuple[float, ...]] = []
        self._n = 0
        self.stride = 1

    def __len__(self) -> int:
        return self._n

    def add(self, row: tuple[float, ...]) -> None:
        """Take one record: step, epoch, seconds and all of TERM_COLUMNS, NaN where there is no such figure."""
        self._pending.append(row)
        if len(self._pending) < self.stride:
            return
        if self._n == len(self._rows):
            self._merge()
            if len(self._pending) < self.stride:
                return
        self._rows[self._n] = _merged(np.array(self._pending)[None])[0]
        self._n += 1
        self._pending.clear()

    def column(self, index: int) -> Floats:
        """Return one column of the points, (n,)."""
        return self._rows[: self._n, index]

    def _merge(self) -> None:
        half = self._n // 2
        self._rows[:half] = _merged(self._rows[: 2 * half].reshape(half, 2, _N_COLUMNS))
        self._n = half
        self.stride *= 2


def _merged(groups: Floats) -> Floats:
    """Merge points (n, k, columns) to (n, columns): the last place, the mean figures."""
    merged = groups[:, -1].copy()
    merged[:, 3:] = groups[:, :, 3:].mean(axis=1)
    return merged


@dataclass(frozen=True)
class Reading:
    """What the curves say at one place: the train and held-out points nearest to it, values in nats per image."""

    step: int
    epoch: float
    time_s: float
    train: dict[Term, float]
    held_out: dict[Term, float]


class CurveStore:
    """Both splits' curves and the marks of a run, filled from its log."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self.clear()

    def clear(self) -> None:
        """Forget everything (another run)."""
        self.splits: dict[Split, SplitCurves] = {
            "train": SplitCurves(self._max_points),
            "held_out": SplitCurves(self._max_points),
        }
        self.marks: list[MarkRecord] = []
        self.newest: MetricRecord | None = None
        """The newest record of training."""
        self.known: set[Term] = set()
        """Overlays and extras of which a record had a value (minus the loss: one that is not the ELBO)."""

    def add(self, records: Iterable[LogRecord]) -> None:
        """Take rows and marks of the log, in order; rows with a loss that is not finite are left out."""
        for record in records:
            if isinstance(record, MarkRecord):
                self.marks = [*self.marks[-MAX_MARKS + 1 :], record]
            elif np.isfinite(record.distortion):
                row = _row(record)
                self.splits[record.split].add(row)
                if record.split == "train":
                    self.newest = record
                self._know(row)

    def _know(self, row: tuple[float, ...]) -> None:
        for term in (*OVERLAYS, *EXTRAS):
            if term not in self.known and np.isfinite(row[TERM_COLUMNS[term]]):
                elbo, value = row[TERM_COLUMNS["elbo"]], row[TERM_COLUMNS[term]]
                # An autoencoder's loss is its reconstruction loss, and beta at 1 throughout says nothing.
                is_news = term != "objective" or abs(value - elbo) > SAME * max(1.0, abs(elbo))
                if is_news and not (term == "beta" and value == 1.0):
                    self.known.add(term)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        return not any(len(curves) for curves in self.splits.values())

    def curve(self, split: Split, term: Term, x_axis: XAxis) -> tuple[Floats, Floats]:
        """Return x and y, (n,) each, of the points that have this term."""
        curves = self.splits[split]
        x, y = curves.column(X_COLUMNS[x_axis]), curves.column(TERM_COLUMNS[term])
        has_value = np.isfinite(y)
        return x[has_value], y[has_value]

    def mark_places(self, x_axis: XAxis) -> Iterator[tuple[float, MarkRecord]]:
        """Yield each mark with its place on the axis; epochs lie between those of the neighbouring records."""
        for mark in self.marks:
            yield self._mark_place(mark, x_axis), mark

    def _mark_place(self, mark: MarkRecord, x_axis: XAxis) -> float:
        if x_axis == "step":
            return mark.step
        if x_axis == "time":
            return mark.time_s
        curves = max(self.splits.values(), key=len)
        steps, epochs = curves.column(0), curves.column(1)
        if not len(steps):
            return 0.0
        if mark.step <= steps[0] or len(steps) == 1:
            return float(epochs[0] * mark.step / max(steps[0], 1))
        return float(np.interp(mark.step, steps, epochs))

    def places(self, x_axis: XAxis) -> Floats:
        """Return the places that a reading can stand at: those of the longer split."""
        return max(self.splits.values(), key=len).column(X_COLUMNS[x_axis])

    def read_at(self, x: float, x_axis: XAxis) -> Reading | None:
        """Return the figures nearest to a place, None while there are none."""
        if self.is_empty:
            return None
        rows = {split: self._nearest_row(split, x, x_axis) for split in self.splits}
        place = next(row for row in sorted(rows.values(), key=lambda r: _distance(r, x, x_axis)) if row is not None)
        values = {split: _values(row) for split, row in rows.items()}
        return Reading(int(place[0]), float(place[1]), float(place[2]), values["train"], values["held_out"])

    def _nearest_row(self, split: Split, x: float, x_axis: XAxis) -> Floats | None:
        curves = self.splits[split]
        if not len(curves):
            return None
        index = nearest_index(curves.column(X_COLUMNS[x_axis]), x)
        return np.array([curves.column(i)[index] for i in range(_N_COLUMNS)])


def nearest_index(places: Floats, x: float) -> int:
    """Return the index of the place nearest to x; places (n,), ascending, n >= 1."""
    right = int(np.clip(np.searchsorted(places, x), 0, len(places) - 1))
    left = max(right - 1, 0)
    return left if x - places[left] <= places[right] - x else right


def smooth(y: Floats, weight: float, *, stride: int = 1) -> Floats:
    """Return the exponential moving average of y (n,), unbiased at the start.

    weight: share of the past kept from record to record, 0 (none) to below 1; a point of `stride` records keeps
    weight ** stride. Computed by doubling, sum_{j < 2m} = sum_{j < m} + w^m (the same, m earlier): log n passes.
    """
    keep = weight**stride
    if not len(y) or keep <= 0:
        return y.copy()
    total, power, span = y.copy(), keep, 1
    while span < len(y) and power > 1e-12:
        total[span:] += power * total[:-span]
        power, span = power * power, 2 * span
    return total * (1 - keep) / (1 - keep ** np.arange(1, len(y) + 1))


def robust_range(curves: Iterable[Floats]) -> tuple[float, float] | None:
    """Return (low, high) that show the curves well: the first wild values and rare outliers do not count."""
    settled = [y[len(y) // 20 + 1 :] if len(y) > 4 else y for y in curves if len(y)]
    if not settled:
        return None
    values = np.concatenate(settled)
    low, high = np.quantile(values, (0.01, 0.99))
    spread = max(high - low, 1e-3 * max(abs(high), abs(low)), 1e-9)
    low, high = max(values.min(), low - spread / 2), min(values.max(), high + spread / 2)
    return float(low - 0.06 * spread), float(high + 0.06 * spread)


def _row(record: MetricRecord) -> tuple[float, ...]:
    values = [-record.loss if term == "objective" else getattr(record, term) for term in TERM_COLUMNS]
    if record.elbo is None:
        values = [record.distortion if term == "distortion" else None for term in TERM_COLUMNS]
    return (record.step, record.epoch, record.time_s, *(np.nan if value is None else value for value in values))


def _values(row: Floats | None) -> dict[Term, float]:
    if row is None:
        return {}
    return {term: float(row[column]) for term, column in TERM_COLUMNS.items() if np.isfinite(row[column])}


def _distance(row: Floats | None, x: float, x_axis: XAxis) -> float:
    return np.inf if row is None else abs(float(row[X_COLUMNS[x_axis]]) - x)
