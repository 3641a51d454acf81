"""`PartSteps`: the bound after each step that was looked at, and whose weights had led there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.widgets.ascent_plot import Climb, StepKind
from vae_explorer.runs.records import LogRecord, MarkRecord

MOST_STEPS = 500
KINDS: tuple[StepKind, ...] = ("all", "encoder", "decoder")
"""By the value of a mark `part`."""


class PartSteps:
    """Filled from the log's marks and the snapshots of the codes of one run."""

    def __init__(self) -> None:
        self._marks: list[MarkRecord] = []
        self._bounds: dict[int, float] = {}
        self.n_images = 0
        """Images of the newest snapshot that was taken."""

    def add_records(self, records: Iterable[LogRecord]) -> None:
        """Take the marks of parts among records of the log."""
        marks = (record for record in records if isinstance(record, MarkRecord) and record.name == "part")
        self._marks = [*self._marks, *marks][-2 * MOST_STEPS :]

    def add_codes(self, codes: CodesSnapshot) -> None:
        """Take the bound of a snapshot of all images, which is there once it stands still.

        Those of a sample are left out: their draws differ by more than a step wins. Steps past the snapshot's are those
        of weights that are no more.
        """
        finite = codes.elbo[np.isfinite(codes.elbo)]
        if not codes.is_complete or not len(finite):
            return
        self._bounds = {step: bound for step, bound in self._bounds.items() if step < codes.step}
        self._bounds[codes.step] = float(finite.mean(dtype=np.float64))
        self.n_images = len(finite)
        if len(self._bounds) > MOST_STEPS:
            self._bounds.pop(next(iter(self._bounds)))

    @property
    def climbs(self) -> tuple[Climb, ...]:
        """The steps, oldest first."""
        return tuple(Climb(float(step), bound, kind=self._kind(step)) for step, bound in self._bounds.items())

    def _kind(self, step: int) -> StepKind:
        """Whose updates led to a step: a mark at s tells of the updates after s."""
        before = [mark for mark in self._marks if mark.step < step]
        value = int(before[-1].value) if before else 0
        return KINDS[value] if 0 <= value < len(KINDS) else "all"
