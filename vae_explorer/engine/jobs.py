"""Jobs: long work on a frozen copy of the weights, first in first out, in slices, with progress and cancel."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.failures import sentence_of
from vae_explorer.engine.messages import Assess, Export, Job, JobDone, JobFailed, JobProgress
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock
from vae_explorer.engine.slices import Slices
from vae_explorer.errors import CancelledError, VaeExplorerError
from vae_explorer.evaluation.pictures import picture_slices
from vae_explorer.evaluation.report import Evaluation
from vae_explorer.evaluation.report_words import history_of
from vae_explorer.export.write import check_export_path, write_export
from vae_explorer.runs.records import LogRecord

log = logging.getLogger(__name__)

Records = Callable[[], Iterable[LogRecord]]

_CANCELLED = {Export: "The export was cancelled.", Assess: "The evaluation was cancelled."}


class JobQueue:
    """Jobs that wait and the one under way. A cancelled job ends within a slice and leaves no half-written file."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox, self._clock = outbox, clock
        self._queue: deque[tuple[Job, Slices[JobDone]]] = deque()

    @property
    def has_work(self) -> bool:
        """Whether a job waits or is under way."""
        return bool(self._queue)

    def add(self, job: Job, model: Any, data: ImageData, *, records: Records) -> None:
        """Queue a job on `model`, a frozen copy of the weights at the time of asking.

        records: reads the log of the training up to these weights, for what a report says of it.
        """
        self._queue.append((job, _slices_of(job, model, data, records)))

    def cancel(self, number: int) -> None:
        """End a job, waiting or under way; what it keeps of its work follows. One that is over is left alone."""
        entry = next((entry for entry in self._queue if entry[0].job == number), None)
        if entry is None:
            return
        self._queue.remove(entry)
        job, slices = entry
        self._outbox.put(JobFailed(number, _CANCELLED[type(job)], is_cancelled=True))
        try:
            slices.throw(CancelledError(_CANCELLED[type(job)]))
        except StopIteration as end:
            self._outbox.put(end.value)
        except CancelledError:
            pass
        finally:
            slices.close()

    def cancel_all(self) -> None:
        """End every job."""
        for job in [job.job for job, _ in self._queue]:
            self.cancel(job)

    def work(self) -> None:
        """Work the oldest job for about SLICE_S."""
        end_s = self._clock() + SLICE_S
        while self.has_work:
            self._work_slice()
            if self._clock() >= end_s:
                break

    def _work_slice(self) -> None:
        job, slices = self._queue[0]
        try:
            self._outbox.put(JobProgress(job.job, next(slices)))
        except StopIteration as end:
            self._queue.popleft()
            self._outbox.put(end.value)
        except Exception as error:
            self._queue.popleft()
            if not isinstance(error, VaeExplorerError):
                log.exception("job %s failed", job.job)
            self._outbox.put(JobFailed(job.job, sentence_of(error)))


def _slices_of(job: Job, model: Any, data: ImageData, records: Records) -> Slices[JobDone]:
    match job:
        case Export():
            return _export_slices(job, model, data)
        case Assess():
            return _assess_slices(job, model, data, records)


def _export_slices(job: Export, model: Any, data: ImageData) -> Slices[JobDone]:
    check_export_path(job.path, job.recipe, overwrite=True)
    result = yield from picture_slices(model, data, job.recipe)
    write_export(job.path, result, overwrite=True)
    return JobDone(job.job, job.path, model.step)


def _assess_slices(job: Assess, model: Any, data: ImageData, records: Records) -> Slices[JobDone]:
    """Work out the report; when it is cancelled, that of the images that were done, marked `is_partial`."""
    evaluation = Evaluation(
        model, data, split=job.split, samples=job.samples, exact_images=job.exact_images, seed=job.seed,
        history=history_of(records()),
    )  # fmt: skip
    try:
        report = yield from evaluation.slices()
    except CancelledError:
        if not evaluation.has_report:
            raise
        report = evaluation.report()
    return JobDone(job.job, None, model.step, report | {"is_partial": not report["is_complete"]})
