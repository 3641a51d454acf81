"""`ModelController`: the one object that panels know. Methods in, signals out, and the shared selection."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QObject, Signal

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.config_rules import check_together
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.labelled import names_of_classes
from vae_explorer.engine import messages as m
from vae_explorer.errors import ConfigError
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.channel import Channel
from vae_explorer.gui.coming_runs import ComingRun, ComingRuns
from vae_explorer.gui.data_loader import is_same_reading
from vae_explorer.gui.selecting import SelectionModel
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.sweeps import Sweeps
from vae_explorer.latent.mixture import Mixture
from vae_explorer.latent.statistics import place_of
from vae_explorer.runs.records import LiveName
from vae_explorer.sweep_config import configs_of

log = logging.getLogger(__name__)

TURN = "a turn of the engine"
"""What `EngineFailed.during` says when an error was of no command, or one that nobody foresaw."""

BUILDING = tuple(command.__name__ for command in (m.NewRun, m.OpenRun, m.NewSweep, m.OpenSweep))
"""The same for the commands that open something."""

__all__ = ["Channel", "ModelController"]


class ModelController(QObject):
    """Owns what the window knows of the model. Everything runs in the GUI thread; `send` puts into the mailbox.

    Attributes (read-only for panels): config (of the open run), draft (what the form holds for the next run), data
    (images of the open run), draft_images (the newest that were read, and how; a new run may be made of them), status,
    opened, codes (newest snapshot), selection, is_drawing, mixture (of codes, to draw samples from), has_companion
    (whether an autoencoder is trained along), companion_codes and sweeps (what is known of a sweep of beta). `data`,
    `opened`, `codes`, `selection`, `mixture` and the companion always belong to one run: they change together when the
    engine has opened another.

    Signals, emitted on real change only:
      status_changed(RunStatus)   run_opened(RunOpened)   data_changed(ImageData)   draft_changed(RunConfig)
      records_added(tuple)        codes_changed(CodesSnapshot)
      selection_changed(Selection)   drawing_changed(bool)   mixture_changed(object: Mixture | None)
      label_changed(object: int | None)   the class that codes are decoded as (M2); None: auto
      companion_changed(bool)     companion_codes_changed(CodesSnapshot)
      job_progressed(int, float)  job_ended(object: JobDone | JobFailed)
      noticed(str, str)           a sentence and its level: 'info', 'warning' or 'error'
      engine_reported(object: Notice | EngineFailed)   what the engine has to say, with details
    """

    status_changed = Signal(object)
    run_opened = Signal(object)
    data_changed = Signal(object)
    draft_changed = Signal(object)
    records_added = Signal(object)
    codes_changed = Signal(object)
    selection_changed = Signal(object)
    drawing_changed = Signal(bool)
    mixture_changed = Signal(object)
    label_changed = Signal(object)
    companion_changed = Signal(bool)
    companion_codes_changed = Signal(object)
    job_progressed = Signal(int, float)
    job_ended = Signal(object)
    noticed = Signal(str, str)
    engine_reported = Signal(object)

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
        self._exports: set[int] = set()
        self._coming = ComingRuns()
        self.sweeps = Sweeps(self)
        self._coming_sweep: ComingRun | None = None
        self._stored: m.RunOpened | None = None
        self._stored_answer: Callable[[m.Request], m.Answer | None] | None = None
        self.config: RunConfig | None = None
        self.draft = RunConfig()
        self.draft_images: tuple[DataConfig, ImageData] | None = None
        self.data: ImageData | None = None
        self.status: m.RunStatus | None = None
        self.opened: m.RunOpened | None = None
        self.codes: m.CodesSnapshot | None = None
        self.has_companion = False
        self.companion_codes: m.CodesSnapshot | None = None
        self.is_drawing = False
        self._draw_seed = 0
        self.mixture: Mixture | None = None
        self.label: int | None = None
        self._selecting = SelectionModel(self.channel("selected image"), self._code_of, self)
        self._selecting.changed.connect(self.selection_changed)

    # ---- questions ------------------------------------------------------------------------------------------------

    def channel(self, name: str) -> Channel:
        """Return the request stream of a panel, made on first use."""
        if name not in self._channels:
            self._channels[name] = Channel(name, self._ask, self)
        return self._channels[name]

    def _ask(self, question: m.Request) -> None:
        """Send a question; until the engine has opened the run, what its folder can answer is shown meanwhile."""
        self._send(question)
        answer = None if self._stored_answer is None else self._stored_answer(question)
        if answer is not None:
            self._channels[question.channel].offer(answer)

    @property
    def is_waiting(self) -> bool:
        """Whether any panel's newest question is still unanswered."""
        return any(channel.is_waiting for channel in self._channels.values())

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

    def set_mixture(self, mixture: Mixture | None) -> None:
        """Take a mixture of codes of the open model to draw samples from; another run forgets it."""
        if mixture is not self.mixture:
            self.mixture = mixture
            self.mixture_changed.emit(mixture)

    @property
    def decodes_classes(self) -> bool:
        """Whether what a code decodes to depends on a class (M2 alone)."""
        return self.config is not None and self.config.model.kind == "m2"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that a model of these data tells apart, by label."""
        return () if self.data is None else names_of_classes(self.data)

    @property
    def label_here(self) -> int | None:
        """The class that the selected code is decoded as: the chosen one, else the selected image's most probable."""
        if self.label is not None or not self.decodes_classes or self.codes is None or self.codes.predicted is None:
            return self.label
        image = self.selection.image
        place = None if image is None else place_of(image, self.codes.indices)
        return None if place is None else int(self.codes.predicted[place])

    def set_label(self, label: int | None) -> None:
        """Decode codes as this class; None: as the most probable of the selected image, else the mean over all."""
        if label != self.label:
            self.label = label
            self.label_changed.emit(label)

    # ---- the run --------------------------------------------------------------------------------------------------

    def set_draft(self, draft: RunConfig) -> None:
        """Change what the form holds for the next run; the open run is not touched."""
        if draft != self.draft:
            self.draft = draft
            self.draft_changed.emit(draft)

    def show_data(self, data: ImageData) -> None:
        """Show images that no model was opened for; those of a run are shown once the engine has opened it."""
        if data is not self.data:
            self.data, self.codes = data, None
            self.data_changed.emit(data)

    def images_for(self, config: DataConfig) -> ImageData | None:
        """Return the images of a configuration where they were read already, else None."""
        if self.draft_images is not None and is_same_reading(self.draft_images[0], config):
            return self.draft_images[1]
        is_of_open_run = self.config is not None and is_same_reading(self.config.data, config)
        # The images of the open run leave with it.
        return self.data if is_of_open_run and self._coming.newest is None else None

    def offer_images(self, config: DataConfig, data: ImageData) -> None:
        """Take images that were read for the form: shown at once as an untrained run, unless a training runs.

        That one is never ended by a choice in the form: the images are then kept until `press_train` or `new_run`.
        """
        if data is self._newest_data or not is_same_reading(config, self.draft.data):
            return  # nothing new, or the form has moved on while they were read
        if self.status is not None and self.status.state is m.EngineState.RUNNING:
            self.draft_images = (config, data)
            text = self.tr("{title} is read. The training goes on; Train new run ends it and begins with these images.")
            self.noticed.emit(text.format(title=data.provenance.title), "info")
        else:
            self.new_run(self.draft, data)

    @property
    def _newest_data(self) -> ImageData | None:
        newest = self._coming.newest
        return newest.data if newest is not None else self.data

    def new_run(self, config: RunConfig, data: ImageData) -> None:
        """Build an untrained model; its folder is made when training starts."""
        self.draft_images = (config.data, data)
        self.set_draft(config)
        self._begin(config, data)

    def _begin(self, config: RunConfig, data: ImageData) -> None:
        path = self._new_run_path(config, data)
        self.sweeps.expect(None)
        self._coming.add(path, config, data)
        self._send(m.NewRun(config, data, path))

    def new_sweep(self, configs: tuple[RunConfig, ...], data: ImageData) -> None:
        """Build untrained models that differ in beta alone; their folders are made when training starts."""
        path = self._new_run_path(configs[0], data)
        path = path.with_name(f"{path.name}-sweep")
        self.draft_images = (configs[0].data, data)
        self.sweeps.expect(configs)
        self._coming.add(path, configs[0], data)
        self._send(m.NewSweep(configs, data, path))

    def open_sweep(self, path: Path, config: RunConfig, data: ImageData) -> None:
        """Open the folder of a sweep whose images were read already; the configuration of one of its runs."""
        self.draft_images = (config.data, data)
        self._coming.add(path, config, data)
        self.set_draft(config)
        self._send(m.OpenSweep(path, data))

    def show_model(self, place: int) -> None:
        """Show another model of the open sweep as the open run; all are trained on."""
        self._send(m.ShowModel(place))

    def open_run(self, path: Path, config: RunConfig, data: ImageData) -> None:
        """Open a run folder whose images were read already; its configuration, with the place they were read from."""
        self.draft_images = (config.data, data)
        self._coming.add(path, config, data)
        self.sweeps.expect(None)
        self.sweeps.set_betas(None)
        self.set_draft(config)
        self._send(m.OpenRun(path, data, self._new_run_path(config, data)))

    def show_stored(
        self,
        event: m.RunOpened,
        data: ImageData,
        answer: Callable[[m.Request], m.Answer | None] | None = None,
    ) -> None:
        """Show a run from its folder before the engine has opened it; its own RunOpened of that step adds nothing.

        answer: what the folder says to a question at once, if anything, until the engine has opened the run."""
        self._stored, self._stored_answer = event, answer
        self._open(event, data)

    def retell(self) -> None:
        """Say again what is known of the open run, for panels that were built after it was said."""
        if self.data is not None:
            self.data_changed.emit(self.data)
        if self.opened is not None:
            self.run_opened.emit(self.opened)
            self.selection_changed.emit(self.selection)
        if self.status is not None:
            self.status_changed.emit(self.status)
        if self.codes is not None:
            self.codes_changed.emit(self.codes)
        self.sweeps.retell()

    @property
    def data_config(self) -> DataConfig | None:
        """Where the newest images came from: those of the run that is about to open, else of the open one."""
        newest = self._coming.newest
        config = newest.config if newest is not None else self.config
        return config.data if config is not None else None

    @property
    def is_draft_new(self) -> bool:
        """Whether Train would begin a new run: the form was changed, or the open run is read-only (the demo)."""
        of_sweep = self.sweeps.is_draft_new(self.draft)
        if of_sweep is not None:
            return of_sweep
        newest, opened = self._coming.newest, self.opened
        if newest is not None and (opened is None or newest.path != opened.run_path):
            return self.draft != newest.config
        is_read_only = opened is not None and opened.is_read_only
        return self.config is not None and (is_read_only or self.draft != self.config)

    def press_train(self) -> None:
        """What the Train button does: go on with the open run, or begin a new one where `is_draft_new`.

        A new one whose settings do not go together is refused with a notice."""
        data = self.images_for(self.draft.data)
        if data is None and self.data is None:
            self.noticed.emit(self.tr("There are no images yet; open a data set first."), "warning")
            return
        if data is None:
            self.noticed.emit(
                self.tr("The images of the form are not loaded yet; wait for them, then train."), "warning"
            )
            return
        if self.is_draft_new:
            try:
                check_together(self.draft)
                configs = None if self.sweeps.betas is None else configs_of(self.draft, self.sweeps.betas)
            except ConfigError as error:
                self.noticed.emit(str(error), "warning")
                return
            if configs is None:
                self.new_run(self.draft, data)
            else:
                self.new_sweep(configs, data)
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

    def step_part(self, part: m.Part, steps: int) -> None:
        """Do some updates of the encoder's weights alone, or of all others, then be paused."""
        self._send(m.StepPart(part, steps))

    def stop(self) -> None:
        """End the run and save it."""
        self._send(m.Stop())

    def reset(self) -> None:
        """Start over: the open run's settings with new weights, in a folder of its own; the form keeps its edits."""
        if self.sweeps.opened is not None and self.data is not None:
            self.new_sweep(self.sweeps.opened.configs, self.data)
        elif self.config is not None and self.data is not None:
            self._begin(self.config, self.data)

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value of the open run, such as beta or the learning rate."""
        self._send(m.SetLive(name, value))

    def set_companion(self, is_on: bool, /) -> None:
        """Train an autoencoder of the same settings and data along with the open run, or forget it."""
        if is_on != self.has_companion:
            self._send(m.SetCompanion(is_on))
            if is_on:
                self.has_companion = True
                self.companion_changed.emit(True)
            else:
                self._forget_companion()

    def _forget_companion(self) -> None:
        """The engine has none any more: another run is open, or it was not wanted or could not be made."""
        if self.has_companion:
            self.has_companion, self.companion_codes = False, None
            self.companion_changed.emit(False)

    def save(self) -> None:
        """Write a checkpoint now."""
        self._send(m.Save())

    def export(self, recipe: Recipe, path: Path) -> int:
        """Write a picture or table as a job; returns its number."""
        job = next(self._jobs)
        self._exports.add(job)
        self._send(m.Export(job, recipe, path))
        return job

    def assess(
        self,
        split: Literal["train", "validation", "test", "all"],
        *,
        samples: int = 64,
        exact_images: int = 200,
        seed: int = 0,
    ) -> int:
        """Work out as a job what the model is worth on a split; returns its number."""
        job = next(self._jobs)
        self._send(m.Assess(job, split, samples, exact_images, seed))
        return job

    def is_export(self, job: int) -> bool:
        """Whether the job of a number is one that writes a file."""
        return job in self._exports

    def cancel_job(self, job: int) -> None:
        """Ask a job to end."""
        self._send(m.CancelJob(job))

    # ---- the selection --------------------------------------------------------------------------------------------

    @property
    def selection(self) -> Selection:
        """What is looked at, and the ends of the path."""
        return self._selecting.selection

    def select_code(self, code: ArrayLike, *, image: int | None = None, is_final: bool = True) -> None:
        """Look at a code (latent_dim,). is_final: False while dragging, so that only the end enters the history."""
        self._selecting.select_code(code, image=image, is_final=is_final)

    def select_image(self, index: int) -> None:
        """Look at an image of the data; its code is the posterior mean, of the newest snapshot if that has it.

        Else the engine is asked, and the code follows with the answer. ValueError when there is no such image."""
        if self.data is not None and not 0 <= index < len(self.data):
            raise ValueError(f"image {index}: the data has images 0 to {len(self.data) - 1}")
        self._selecting.select_image(index)

    def set_end(self, which: Literal["a", "b"], code: ArrayLike, *, is_final: bool = True) -> None:
        """Move an end point of the interpolation."""
        self._selecting.set_end(which, code, is_final=is_final)

    def swap_ends(self) -> None:
        """Exchange A and B."""
        self._selecting.swap_ends()

    def set_path(self, path: Literal["linear", "spherical"]) -> None:
        """Choose the shape of the path between A and B."""
        self._selecting.set_path(path)

    def select_back(self) -> None:
        """Undo the last change of the selection."""
        self._selecting.go_back()

    def select_forward(self) -> None:
        """Redo a change of the selection that was undone."""
        self._selecting.go_forward()

    @property
    def can_select_back(self) -> bool:
        """Whether `select_back` would do something."""
        return self._selecting.can_go_back

    @property
    def can_select_forward(self) -> bool:
        """Whether `select_forward` would do something."""
        return self._selecting.can_go_forward

    def _code_of(self, index: int) -> NDArray[np.float32] | None:
        if self.codes is None:
            return None
        place = place_of(index, self.codes.indices)
        return None if place is None else self.codes.loc[place]

    # ---- events from the engine -----------------------------------------------------------------------------------

    def handle(self, event: m.Event) -> None:
        """Take one event of the outbox; called by the event pump in the GUI thread."""
        match event:
            case _ if isinstance(event, m.Answer):
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
                self._on_codes(event)
            case m.SweepOpened():
                self._on_sweep_opened(event)
            case m.SweepShown() | m.SweepRecordsAdded() | m.SweepSnapshot():
                self.sweeps.take(event)
            case m.JobProgress():
                self.job_progressed.emit(event.job, event.fraction)
            case m.JobDone() | m.JobFailed():
                self.job_ended.emit(event)
            case m.Notice() | m.EngineFailed():
                self._on_report(event)

    def _on_codes(self, event: m.CodesSnapshot) -> None:
        is_companion = event.of == "companion"
        shown = self.companion_codes if is_companion else self.codes
        # Paused, the engine sends a sample before all codes; what a stored run shows already is not taken away for it.
        if shown is not None and shown.is_complete and shown.step == event.step and not event.is_complete:
            return
        if not is_companion:
            self.codes = event
            self.codes_changed.emit(event)
        elif self.has_companion:  # else it was on its way when the companion was let go
            self.companion_codes = event
            self.companion_codes_changed.emit(event)

    def _on_report(self, event: m.Notice | m.EngineFailed) -> None:
        if isinstance(event, m.EngineFailed):
            log.error("engine failed during %s: %s\n%s", event.during, event.message, event.details)
            if event.during in (*BUILDING, TURN):
                self._coming.fail_oldest()
                self.sweeps.expect(None)
            if event.during == m.SetCompanion.__name__:
                self._forget_companion()
        self.engine_reported.emit(event)

    def _on_sweep_opened(self, event: m.SweepOpened) -> None:
        """Its shown model opens next, with the images that came for the sweep."""
        coming = self._coming_sweep = self._coming.take(event.path)
        self.sweeps.take(event, data=None if coming is None else coming.config.data)
        if self.sweeps.opened is not None:
            self.set_draft(self.sweeps.opened.configs[0])

    def _on_run_opened(self, event: m.RunOpened) -> None:
        coming = self._coming.take(event.run_path)
        sweep = self.sweeps.opened
        if coming is None and sweep is not None and event.run_path in sweep.run_paths:
            coming = self._coming_sweep
        else:  # a run that was asked for by itself, be it one of the sweep's
            self.sweeps.close()
        if coming is not None:
            # The folder still names the place that images have moved away from.
            event = replace(event, config=msgspec.structs.replace(event.config, data=coming.config.data))
        elif self.config is not None and self.opened is not None and event.run_path == self.opened.run_path:
            # The open run again: another program, which trains it, has gone back to an earlier checkpoint.
            event = replace(event, config=msgspec.structs.replace(event.config, data=self.config.data))
        stored, self._stored, self._stored_answer = self._stored, None, None
        if stored is not None and (stored.run_path, stored.step) == (event.run_path, event.step):
            self.opened = event
        else:
            self._open(event, coming.data if coming is not None else None)
        for note in event.notes:
            self.noticed.emit(note, "info")

    def _open(self, event: m.RunOpened, data: ImageData | None) -> None:
        has_new_data = data is not None and data is not self.data
        self.config, self.opened, self.codes = event.config, event, None
        self.data = data if has_new_data else self.data
        for channel in self._channels.values():
            channel.forget()
        self._selecting.restart(event.config.model.latent_dim)
        self._forget_companion()
        self.set_mixture(None)
        self.set_label(None)
        if has_new_data:
            self.data_changed.emit(self.data)
        self.run_opened.emit(event)
        self.selection_changed.emit(self.selection)
