"""`ModelController`: the one object that panels know. Methods in, signals out, and the shared selection."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QObject, Signal

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import messages as m
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.selection import Selection, initial_selection

log = logging.getLogger(__name__)

MAX_HISTORY = 200


class Channel(QObject):
    """One panel's stream of questions: the newest question wins, an answer older than the newest shown is dropped.

    answered(object): Decoded, Encoded or Rendered. failed(str): one sentence; the panel keeps what it shows.
    """

    answered = Signal(object)
    failed = Signal(str)

    def __init__(self, name: str, send: Callable[[m.Request], None], parent: QObject) -> None:
        super().__init__(parent)
        self.name = name
        self._send = send
        self._ids = itertools.count(1)
        self._shown = 0
        self.asked = 0
        """Id of the newest question."""

    @property
    def is_waiting(self) -> bool:
        """Whether a question is still unanswered."""
        return self._shown < self.asked

    def decode(self, z: ArrayLike, *, draw_seed: int | None = None) -> int:
        """Ask for the pictures of codes (n, latent_dim); returns the question's id."""
        codes = np.array(np.atleast_2d(z), dtype=np.float32)
        return self._ask(lambda id_: m.Decode(self.name, id_, codes, draw_seed))

    def encode(self, indices: ArrayLike, *, draw_seed: int | None = None) -> int:
        """Ask for posterior, reconstruction and figures of images by index (n,)."""
        wanted = np.array(np.atleast_1d(indices), dtype=np.int64)
        return self._ask(lambda id_: m.Encode(self.name, id_, wanted, draw_seed))

    def render(self, recipe: Recipe) -> int:
        """Ask for a gallery picture."""
        return self._ask(lambda id_: m.Render(self.name, id_, recipe))

    def deliver(self, answer: m.Answer) -> None:
        """Hand over an answer unless a newer one was already shown."""
        if answer.id <= self._shown:
            return
        self._shown = answer.id
        if isinstance(answer, m.RequestFailed):
            self.failed.emit(answer.message)
        else:
            self.answered.emit(answer)

    def forget(self) -> None:
        """Drop answers still under way (another model is shown now)."""
        self._shown = self.asked

    def _ask(self, build: Callable[[int], m.Request]) -> int:
        self.asked = next(self._ids)
        self._send(build(self.asked))
        return self.asked


class ModelController(QObject):
    """Owns what the window knows of the model. Everything runs in the GUI thread; `send` puts into the mailbox.

    Attributes (read-only for panels): config (of the open run), draft (what the form holds for the next run), data,
    status, opened, codes (newest snapshot), selection, is_drawing.

    Signals, emitted on real change only:
      status_changed(RunStatus)   run_opened(RunOpened)   data_changed(ImageData)   draft_changed(RunConfig)
      records_added(tuple)        codes_changed(CodesSnapshot)
      selection_changed(Selection)   drawing_changed(bool)
      job_progressed(int, float)  job_ended(object: JobDone | JobFailed)
      noticed(str, str)           a sentence and its level: 'info', 'warning' or 'error'
    """

    status_changed = Signal(object)
    run_opened = Signal(object)
    data_changed = Signal(object)
    draft_changed = Signal(object)
    records_added = Signal(object)
    codes_changed = Signal(object)
    selection_changed = Signal(object)
    drawing_changed = Signal(bool)
    job_progressed = Signal(int, float)
    job_ended = Signal(object)
    noticed = Signal(str, str)

    def __init__(
        self,
        send: Callable[[m.Message], None],
        new_run_path: Callable[[RunConfig, ImageData], Path],
        parent: QObject | None = None,
    ) -> None:
        """send: puts a message into the engine's mailbox, thread-safe and never blocking.
        new_run_path: names a folder for a new run of a configuration and data that does not exist yet."""
        super().__init__(parent)
        self._send = send
        self._new_run_path = new_run_path
        self._channels: dict[str, Channel] = {}
        self._jobs = itertools.count(1)
        self._back: list[Selection] = []
        self._forward: list[Selection] = []
        self.config: RunConfig | None = None
        self.draft = RunConfig()
        self.data: ImageData | None = None
        self.status: m.RunStatus | None = None
        self.opened: m.RunOpened | None = None
        self.codes: m.CodesSnapshot | None = None
        self.selection: Selection = initial_selection(2)
        self.is_drawing = False
        self._draw_seed = 0

    # ---- questions ------------------------------------------------------------------------------------------------

    def channel(self, name: str) -> Channel:
        """Return the request stream of a panel, made on first use."""
        if name not in self._channels:
            self._channels[name] = Channel(name, self._send, self)
        return self._channels[name]

    @property
    def draw_seed(self) -> int | None:
        """Seed for draws from p(x|z), or None while means are shown."""
        return self._draw_seed if self.is_drawing else None

    def set_drawing(self, is_drawing: bool) -> None:
        """Show draws from p(x|z) (True) or its mean."""
        if is_drawing != self.is_drawing:
            self.is_drawing = is_drawing
            self.drawing_changed.emit(is_drawing)

    def redraw(self) -> None:
        """Take another draw."""
        self._draw_seed += 1
        if self.is_drawing:
            self.drawing_changed.emit(True)

    # ---- the run --------------------------------------------------------------------------------------------------

    def set_draft(self, draft: RunConfig) -> None:
        """Change what the form holds for the next run; the open run is not touched."""
        if draft != self.draft:
            self.draft = draft
            self.draft_changed.emit(draft)

    def show_data(self, data: ImageData) -> None:
        """Make `data` the images that the window shows (the loader has read them)."""
        if data is not self.data:
            self.data = data
            self.data_changed.emit(data)

    def new_run(self, config: RunConfig, data: ImageData) -> None:
        """Build an untrained model; its folder is made when training starts."""
        self.show_data(data)
        self._send(m.NewRun(config, data, self._new_run_path(config, data)))

    def open_run(self, path: Path, config: RunConfig, data: ImageData) -> None:
        """Open a run folder whose configuration and data were read already."""
        self.show_data(data)
        self._send(m.OpenRun(path, data, self._new_run_path(config, data)))

    @property
    def is_draft_new(self) -> bool:
        """Whether Train would begin a new run: the form was changed, or the open run is read-only (the demo)."""
        is_read_only = self.opened is not None and self.opened.is_read_only
        return self.config is not None and (is_read_only or self.draft != self.config)

    def press_train(self) -> None:
        """What the Train button does: go on with the open run, or begin a new one where `is_draft_new`."""
        if self.data is None:
            self.noticed.emit(self.tr("There are no images yet; open a data set first."), "warning")
            return
        if self.is_draft_new:
            self.new_run(self.draft, self.data)
        self.train()

    def train(self, until_step: int | None = None) -> None:
        """Start or resume training of the open run."""
        self._send(m.Start(until_step))

    def pause(self) -> None:
        """Stop after the current step and save."""
        self._send(m.Pause())

    def step_once(self) -> None:
        """Do one update."""
        self._send(m.StepOnce())

    def stop(self) -> None:
        """End the run and save it."""
        self._send(m.Stop())

    def reset(self) -> None:
        """Start over: the open run's configuration with untrained weights, in a folder of its own."""
        if self.config is not None and self.data is not None:
            self.new_run(self.config, self.data)

    def set_live(self, name: Literal["learning_rate", "beta"], value: float) -> None:
        """Change beta or the learning rate of the open run."""
        self._send(m.SetLive(name, value))

    def save(self) -> None:
        """Write a checkpoint now."""
        self._send(m.Save())

    def export(self, recipe: Recipe, path: Path) -> int:
        """Write a picture or table as a job; returns its number."""
        job = next(self._jobs)
        self._send(m.Export(job, recipe, path))
        return job

    def cancel_job(self, job: int) -> None:
        """Ask a job to end."""
        self._send(m.CancelJob(job))

    # ---- the selection --------------------------------------------------------------------------------------------

    def select_code(self, code: ArrayLike, *, image: int | None = None, is_final: bool = True) -> None:
        """Look at a code (latent_dim,). is_final: False while dragging, so that only the end enters the history."""
        self._change(replace(self.selection, code=self._as_code(code), image=image), is_final)

    def select_image(self, index: int) -> None:
        """Look at an image of the data: its code is the posterior mean, taken from the newest snapshot that has it."""
        known = self._code_of(index)
        self._change(replace(self.selection, code=self.selection.code if known is None else known, image=index), True)

    def set_end(self, which: Literal["a", "b"], code: ArrayLike, *, is_final: bool = True) -> None:
        """Move an end point of the interpolation."""
        value = self._as_code(code)
        ends = replace(self.selection, end_a=value) if which == "a" else replace(self.selection, end_b=value)
        self._change(ends, is_final)

    def swap_ends(self) -> None:
        """Exchange A and B."""
        self._change(replace(self.selection, end_a=self.selection.end_b, end_b=self.selection.end_a), True)

    def set_path(self, path: Literal["linear", "spherical"]) -> None:
        """Choose the shape of the path between A and B."""
        if path != self.selection.path:
            self._change(replace(self.selection, path=path), True)

    def select_back(self) -> None:
        """Undo the last change of the selection."""
        if self._back:
            self._forward.append(self.selection)
            self._show_selection(self._back.pop())

    def select_forward(self) -> None:
        """Redo a change of the selection that was undone."""
        if self._forward:
            self._back.append(self.selection)
            self._show_selection(self._forward.pop())

    def _as_code(self, code: ArrayLike) -> NDArray[np.float32]:
        value = np.array(code, dtype=np.float32).reshape(-1)
        if len(value) != self.selection.latent_dim or not np.isfinite(value).all():
            raise ValueError(f"a code has {self.selection.latent_dim} finite numbers, got {code!r}")
        value.flags.writeable = False
        return value

    def _code_of(self, index: int) -> NDArray[np.float32] | None:
        if self.codes is None:
            return None
        place = int(np.searchsorted(self.codes.indices, index))
        if place < len(self.codes.indices) and self.codes.indices[place] == index:
            return self.codes.loc[place]
        return None

    def _change(self, selection: Selection, is_final: bool) -> None:
        if selection.same_as(self.selection) and not is_final:
            return
        if is_final and (not self._back or not self._back[-1].same_as(selection)):
            self._back = [*self._back[-MAX_HISTORY:], self._settled]
            self._forward = []
        self._show_selection(selection, is_settled=is_final)

    _settled: Selection = initial_selection(2)

    def _show_selection(self, selection: Selection, *, is_settled: bool = True) -> None:
        if is_settled:
            self._settled = selection
        self.selection = selection
        self.selection_changed.emit(selection)

    # ---- events from the engine -----------------------------------------------------------------------------------

    def handle(self, event: m.Event) -> None:
        """Take one event of the outbox; called by the event pump in the GUI thread."""
        match event:
            case m.Decoded() | m.Encoded() | m.Rendered() | m.RequestFailed():
                if event.channel in self._channels:
                    self._channels[event.channel].deliver(event)
            case m.RunStatus():
                self.status = event
                self.status_changed.emit(event)
            case m.RunOpened():
                self._on_run_opened(event)
            case m.RecordsAdded():
                self.records_added.emit(event.records)
            case m.CodesSnapshot():
                self.codes = event
                self.codes_changed.emit(event)
            case m.JobProgress():
                self.job_progressed.emit(event.job, event.fraction)
            case m.JobDone() | m.JobFailed():
                self.job_ended.emit(event)
            case m.Notice():
                self.noticed.emit(event.message, "info")
            case m.EngineFailed():
                log.error("engine failed during %s: %s\n%s", event.during, event.message, event.details)
                self.noticed.emit(event.message, "error")

    def _on_run_opened(self, event: m.RunOpened) -> None:
        has_other_shape = event.config.model.latent_dim != self.selection.latent_dim
        self.config, self.opened, self.codes = event.config, event, None
        for channel in self._channels.values():
            channel.forget()
        self._back, self._forward = [], []
        if has_other_shape:
            self.selection = initial_selection(event.config.model.latent_dim)
        else:
            self.selection = replace(self.selection, image=None)
        self._settled = self.selection
        self.run_opened.emit(event)
        self.selection_changed.emit(self.selection)
        for note in event.notes:
            self.noticed.emit(note, "info")
