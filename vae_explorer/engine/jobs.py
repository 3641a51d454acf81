"""Jobs: long work on a frozen copy of the weights, first in first out, in slices, with progress and cancel."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.failures import sentence_of
from vae_explorer.engine.messages import Export, JobDone, JobFailed, JobProgress
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock
from vae_explorer.engine.serve import Slices
from vae_explorer.errors import VaeExplorerError
from vae_explorer.evaluation.pictures import picture_slices
from vae_explorer.export.write import check_export_path, write_export

log = logging.getLogger(__name__)


class JobQueue:
    """Exports that wait and the one under way. A cancelled job ends within a slice and leaves no file."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox, self._clock = outbox, clock
        self._waiting: deque[tuple[Export, Any, ImageData]] = deque()
        self._current: tuple[Export, Slices[JobDone]] | None = None

    @property
    def has_work(self) -> bool:
        """Whether a job waits or is under way."""
        return self._current is not None or bool(self._waiting)

    def add(self, job: Export, model: Any, data: ImageData) -> None:
        """Queue an export of `model`, a frozen copy of the weights at the time of asking."""
        self._waiting.append((job, model, data))

    def cancel(self, number: int) -> None:
        """End a job, waiting or under way; one that is over already is left alone."""
        if self._current is not None and self._current[0].job == number:
            self._current[1].close()
            self._current = None
        elif any(job.job == number for job, _, _ in self._waiting):
            self._waiting = deque(entry for entry in self._waiting if entry[0].job != number)
        else:
            return
        self._outbox.put(JobFailed(number, "The export was cancelled.", is_cancelled=True))

    def cancel_all(self) -> None:
        """End every job."""
        numbers = [] if self._current is None else [self._current[0].job]
        for number in [*numbers, *(job.job for job, _, _ in self._waiting)]:
            self.cancel(number)

    def work(self) -> None:
        """Work the oldest job for about SLICE_S."""
        end_s = self._clock() + SLICE_S
        while self.has_work:
            self._work_slice()
            if self._clock() >= end_s:
                break

    def _work_slice(self) -> None:
        if self._current is None:
            job, model, data = self._waiting.popleft()
            self._current = (job, _export_slices(job, model, data))
        job, slices = self._current
        try:
            self._outbox.put(JobProgress(job.job, next(slices)))
        except StopIteration as end:
            self._current = None
            self._outbox.put(end.value)
        except Exception as error:
            self._current = None
            if not isinstance(error, VaeExplorerError):
                log.exception("job %s failed", job.job)
            self._outbox.put(JobFailed(job.job, sentence_of(error)))


def _export_slices(job: Export, model: Any, data: ImageData) -> Slices[JobDone]:
    check_export_path(job.path, job.recipe, overwrite=True)
    result = yield from picture_slices(model, data, job.recipe)
    write_export(job.path, result, overwrite=True)
    return JobDone(job.job, job.path, model.step)
