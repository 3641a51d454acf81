"""`DataLoader`: reads images and run folders on threads of their own, without torch, with progress and cancel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QObject, QThread, Signal, Slot

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.data.catalog import open_data, preview_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import CancelledError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.033

Report = Callable[[float, str], None]
Work = Callable[[Report, Callable[[], bool]], Any]


@dataclass(frozen=True)
class LoadedRun:
    """A run folder and its images, read and not yet opened by the engine.

    config: of the folder, but with the place that the images were read from.
    """

    folder: RunFolder
    config: RunConfig
    data: ImageData


@dataclass(frozen=True)
class RunWithoutImages:
    """A run folder whose images are not where they were, or are others now; `message` says which.

    place: where they were looked for, None: where the folder says.
    """

    folder: RunFolder
    message: str
    place: str | None


def is_same_reading(a: DataConfig, b: DataConfig) -> bool:
    """Whether both say the same images and splits: binarising is no part of reading, the model does it."""
    return msgspec.structs.replace(a, binarize=b.binarize) == b


def read_run(
    path: Path, *, progress: Report | None = None, is_cancelled: Callable[[], bool] | None = None
) -> LoadedRun:
    """Read a run folder and its images in the calling thread; VaeExplorerError when either cannot be read."""
    return read_images(RunFolder.open(path), None, progress=progress, is_cancelled=is_cancelled)


def read_images(
    folder: RunFolder,
    place: str | None,
    *,
    progress: Report | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> LoadedRun:
    """Read the images of a run from a place (None: where they were); VaeExplorerError when they are not its own."""
    config = folder.config if place is None else folder.config.with_values({"data.name": place})
    data = open_data(config.data, progress=progress, is_cancelled=is_cancelled)
    folder.check_data(data)
    return LoadedRun(folder, config, data)


class DataLoader(QObject):
    """One load and one preview at a time: a new one cancels the one before, whose answer is then never given.

    All signals are emitted in the thread that the loader lives in:
      loaded(DataConfig, ImageData)   run_loaded(LoadedRun)   failed(str): one sentence   cancelled()
      images_missing(RunWithoutImages)  the run can be read, its images have to be located
      progress(float, str)            share of the load from 0 to 1, and what is being done
      previewed(DataConfig, Preview)  preview_failed(DataConfig, str)
      busy_changed(bool)              a load has begun, or none is under way any more
      idle()                          the last thread has ended
    """

    loaded = Signal(object, object)
    run_loaded = Signal(object)
    images_missing = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    progress = Signal(float, str)
    previewed = Signal(object, object)
    preview_failed = Signal(object, str)
    busy_changed = Signal(bool)
    idle = Signal()
    _reported = Signal(object, float, str)
    _ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._newest: dict[str, _Task | None] = {"load": None, "preview": None}
        self._tasks: set[_Task] = set()
        self._reported.connect(self._on_reported)
        self._ended.connect(self._on_ended)

    @property
    def is_busy(self) -> bool:
        """Whether a load is under way."""
        return self._newest["load"] is not None

    @property
    def is_idle(self) -> bool:
        """Whether no thread is left."""
        return not self._tasks

    def load(self, config: DataConfig) -> None:
        """Read (or download) a data set; answered by `loaded`, `failed` or `cancelled`."""

        def work(report: Report, is_cancelled: Callable[[], bool]) -> ImageData:
            return open_data(config, progress=report, is_cancelled=is_cancelled)

        self._start("load", work, lambda data: self.loaded.emit(config, data), self.failed.emit)

    def load_run(self, path: Path, *, place: str | None = None) -> None:
        """Read a run folder and its images, from `place` if they have moved.

        Answered by `run_loaded`, `images_missing`, `failed` or `cancelled`.
        """

        def work(report: Report, is_cancelled: Callable[[], bool]) -> LoadedRun | RunWithoutImages:
            folder = RunFolder.open(path)
            try:
                return read_images(folder, place, progress=report, is_cancelled=is_cancelled)
            except CancelledError:
                raise
            except VaeExplorerError as error:
                return RunWithoutImages(folder, str(error), place)

        def on_done(run: LoadedRun | RunWithoutImages) -> None:
            (self.run_loaded if isinstance(run, LoadedRun) else self.images_missing).emit(run)

        self._start("load", work, on_done, self.failed.emit)

    def preview(self, config: DataConfig) -> None:
        """Look at the first images of a data set; answered by `previewed` or `preview_failed`."""

        def work(report: Report, is_cancelled: Callable[[], bool]) -> Any:
            return preview_data(config)

        self._start(
            "preview",
            work,
            lambda preview: self.previewed.emit(config, preview),
            lambda message: self.preview_failed.emit(config, message),
        )

    def cancel(self) -> None:
        """Ask the load to end; `cancelled` says that it has."""
        task = self._newest["load"]
        if task is not None:
            task.is_cancelled.set()

    def stop(self) -> None:
        """Cancel everything and give no more answers; `idle` says when the threads have ended."""
        self._newest = dict.fromkeys(self._newest)
        for task in self._tasks:
            task.is_cancelled.set()

    def _start(self, lane: str, work: Work, on_done: Callable[[Any], None], on_failed: Callable[[str], None]) -> None:
        before = self._newest[lane]
        if before is not None:
            before.is_cancelled.set()
        task = _Task(lane, work, on_done, on_failed, self)
        self._newest[lane] = task
        self._tasks.add(task)
        if lane == "load" and before is None:
            self.busy_changed.emit(True)
        task.start()

    @Slot(object, float, str)
    def _on_reported(self, task: _Task, fraction: float, what: str) -> None:
        if task is self._newest["load"]:
            self.progress.emit(fraction, what)

    @Slot(object)
    def _on_ended(self, task: _Task) -> None:
        task.wait()  # it has nothing left to do but return
        self._tasks.discard(task)
        is_newest = task is self._newest[task.lane]
        if is_newest:
            self._newest[task.lane] = None
            self._answer(task)
        if task.lane == "load" and is_newest and not self.is_busy:
            self.busy_changed.emit(False)
        if self.is_idle:
            self.idle.emit()

    def _answer(self, task: _Task) -> None:
        error = task.error
        if error is None:
            task.on_done(task.result)
        elif isinstance(error, CancelledError):
            self.cancelled.emit()
        elif isinstance(error, VaeExplorerError):
            task.on_failed(str(error))
        else:
            log.error("loading failed", exc_info=error)
            task.on_failed(self.tr("The images could not be read ({reason}).").format(reason=_reason(error)))


class _Task(QThread):
    """One piece of reading; its outcome is looked at after `_ended`."""

    def __init__(
        self,
        lane: str,
        work: Work,
        on_done: Callable[[Any], None],
        on_failed: Callable[[str], None],
        loader: DataLoader,
    ) -> None:
        # No parent: `deleteLater` in the slot and the parent's own end, one after the other, crash (PySide6 6.11.3).
        super().__init__()
        self.setObjectName(lane)
        self.lane, self.on_done, self.on_failed = lane, on_done, on_failed
        self.is_cancelled = threading.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self._work = work
        self._loader = loader
        self._reported_at = -PROGRESS_EVERY_S

    def run(self) -> None:
        try:
            self.result = self._work(self._report, self.is_cancelled.is_set)
        except Exception as error:
            self.error = error
        self._loader._ended.emit(self)

    def _report(self, fraction: float, what: str) -> None:
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_EVERY_S:
            self._reported_at = now
            self._loader._reported.emit(self, fraction, what)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
