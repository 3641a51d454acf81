"""What `train` says while it works: a bar on a terminal, else a line now and then, all on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

from vae_explorer.commands.console import say
from vae_explorer.runs.records import MetricRecord

if TYPE_CHECKING:
    from vae_explorer.engine.hand_turned import Progress

LINE_EVERY_S = 5.0
"""Shortest time between two lines where there is no terminal; the first comes with the first evaluation."""


class TrainTalk:
    """Shows progress. first_step: where this training begins, so that speed and time left are of it alone."""

    def __init__(self, *, first_step: int) -> None:
        self._bar = tqdm(initial=first_step, unit=" steps", disable=None, file=sys.stderr, dynamic_ncols=True)
        self._told: MetricRecord | None = None
        self._told_s = -LINE_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def on_progress(self, progress: Progress) -> None:
        """Move the bar, or write a line when there is a new evaluation to tell of."""
        newest = progress.last_held_out or progress.last_train
        if not self._bar.disable:
            self._bar.total = progress.target_step
            if newest is not self._told:
                self._bar.set_postfix_str(figures_line(newest, step=progress.step).removeprefix(", "), refresh=False)
            self._bar.update(progress.step - self._bar.n)
        elif newest is not None and newest is not self._told and time.monotonic() - self._told_s >= LINE_EVERY_S:
            self._told_s = time.monotonic()
            say(f"step {newest.step:,} of {progress.target_step:,}{figures_line(newest, step=newest.step)}")
        self._told = newest


def figures_line(record: MetricRecord | None, *, step: int) -> str:
    """Return ', held-out elbo -21.40 (distortion 16.50, kl 4.90)', with the record's step where it is not `step`."""
    if record is None:
        return ""
    of = "held-out" if record.split == "held_out" else "training"
    at = "" if record.step == step else f" at step {record.step:,}"
    if record.elbo is None or record.kl is None:
        return f", {of} distortion {record.distortion:.2f}{at}"
    return f", {of} elbo {record.elbo:.2f} (distortion {record.distortion:.2f}, kl {record.kl:.2f}){at}"
