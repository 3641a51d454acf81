"""Steers one session: start, pause, step, stop, live values; when it is saved, and what the window is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.companion import Companion
from vae_explorer.engine.failures import failed
from vae_explorer.engine.meeting import Meeting
from vae_explorer.engine.messages import Elsewhere, EngineState, Notice, Part, RecordsAdded, RunOpened, RunStatus
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock, SpeedMeter, StepClock
from vae_explorer.engine.run_keeper import RunKeeper
from vae_explorer.engine.silent_keeper import SilentKeeper
from vae_explorer.errors import DivergedError, UsageError, VaeExplorerError
from vae_explorer.model.fence import SliceFence
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LiveName, LogRecord
from vae_explorer.training.session import Advance, TrainingSession

STATUS_EVERY_S = 0.4


class RunControl:
    """One open run: its session, its folder and its state. All in the engine thread.

    state: what it is doing. until_step: where training ends by itself. step_clock: how long units of training take.
    companion: the autoencoder that is trained along, or None.
    """

    def __init__(
        self,
        session: TrainingSession,
        data: ImageData,
        path: Path,
        outbox: Outbox,
        *,
        clock: Clock,
        on_written: Callable[[], None],
        source: RunFolder | None = None,
        meeting: Meeting | None = None,
        keeper: RunKeeper | None = None,
    ) -> None:
        """meeting: with the other processes that train this run too, None where there are none.

        keeper: of the folder, where it is another than a run's own.
        """
        self.session, self.data = session, data
        self._meeting = meeting
        kind = RunKeeper if meeting is None or meeting.is_first else SilentKeeper
        self.keeper = keeper or kind(session, data, path, on_written=on_written, source=source)
        self.step_clock = StepClock()
        self.until_step = session.target_step
        self.companion: Companion | None = None
        self._outbox, self._clock = outbox, clock
        self._source = source
        self._speed = SpeedMeter(clock=clock)
        self._fence = SliceFence.on(session.device)
        self._unit_s = 0.0
        self._n_told = len(session.notes)
        self._is_single_step = self._is_stopping = False
        self._status_s = self._save_s = clock()
        self._was_saved = True
        self._told_companion_step: int | None = None
        self.elsewhere: Elsewhere | None = None
        self.state = self._resting

    @property
    def is_running(self) -> bool:
        """Whether the loop is to train."""
        return self.state is EngineState.RUNNING

    @property
    def looker(self) -> Any:
        """Who answers questions between updates."""
        return self.session

    @property
    def run_path(self) -> Path:
        """The folder of the run that is shown."""
        return self.keeper.path

    @property
    def run_paths(self) -> tuple[Path, ...]:
        """The folders of all runs that are trained here."""
        return (self.keeper.path,)

    @property
    def view_share(self) -> float:
        """What of the time for live views is for those of one model."""
        return 1.0

    @property
    def has_own_work(self) -> bool:
        """Whether `tend` has something to do although nothing is trained."""
        return False

    def finish_views(self, sample: NDArray[np.int64], *, within_s: float) -> None:
        """Keep what the next window shows of models that are open and not shown: here there are none."""

    def read_records(self) -> Iterator[LogRecord]:
        """Read the log of the training up to the step of now; nothing before the first training."""
        folder = self.keeper.folder or self._source
        return iter(()) if folder is None else folder.iter_records(up_to_step=self.session.step)

    def announce(self, records: Sequence[LogRecord] | None = None) -> None:
        """Tell the window that this run is open now; records: of its log, None: those up to the step of now."""
        session, source = self.session, self._source
        if records is None:
            records = () if source is None else tuple(source.iter_records(up_to_step=session.step))
        self._outbox.put(
            RunOpened(
                config=session.config,
                run_path=self.keeper.path,
                step=session.step,
                is_read_only=source is not None and source.is_read_only,
                records=tuple(records),
                n_parameters=session.n_parameters,
                labelled=session.labelled,
                notes=session.notes,
            )
        )
        self.publish_status()

    # ---- trained elsewhere ------------------------------------------------------------------------------------------

    def catch_up(self, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Go on to a newer checkpoint of the opened folder; RunError when it does not fit, and nothing is changed."""
        self.session.load(arrays, meta)
        self.keeper.note_newer()

    def follow(self, elsewhere: Elsewhere | None) -> None:
        """Be trained by another program, or (None) by none any more; the next status says so."""
        self.elsewhere = elsewhere
        self.state = EngineState.FOLLOWING if elsewhere is not None else self._resting

    # ---- commands -------------------------------------------------------------------------------------------------

    def start(self, until_step: int | None) -> None:
        """Train until a step; None: the configuration's length, and that much again once it is reached."""
        length = self.session.target_step
        self._begin(until_step if until_step is not None else length * (self.session.step // length + 1))
        self._rest_at_end()

    def step_once(self) -> None:
        """Do one update within the next turns, then be paused; asked again before it is done, do one more."""
        first = self.until_step if self.is_running and self._is_single_step else self.session.step
        self._begin(first + 1)
        self._is_single_step = True

    def step_part(self, part: Part, steps: int) -> None:
        """Do `steps` updates of one part's weights alone, then be paused; asked again before that, so many more.

        UsageError where there are no two parts."""
        if self.session.config.model.kind == "autoencoder":
            raise UsageError("An autoencoder has no q and no bound, so no part of it to update alone; press Step.")
        if steps < 1:
            raise UsageError(f"{steps} updates of the {part} cannot be done; expected at least 1.")
        is_under_way = self.is_running and self._is_single_step and self.session.part == part
        first = self.until_step if is_under_way else self.session.step
        self._begin(first + steps, part)
        self._is_single_step = True

    def pause(self) -> None:
        """Stand still and save."""
        if self.is_running:
            self._come_to_rest(EngineState.PAUSED)

    def stop(self) -> None:
        """End the run: evaluate what is due, save."""
        if self.state in (EngineState.RUNNING, EngineState.PAUSED):
            self.state, self._is_stopping, self._is_single_step = EngineState.RUNNING, True, False
            self._rest_at_end()

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value before the next update; its mark goes into the log. UsageError when out of range."""
        self.session.set_live(name, value)
        if self.companion is not None:
            self.companion.set_learning_rate(self.session.learning_rate)
        self._take_records()
        self.publish_status()

    def set_companion(self, companion: Companion | None) -> None:
        """Have an autoencoder trained along from now on, or none."""
        self.companion = companion
        if companion is not None:
            companion.set_learning_rate(self.session.learning_rate)
        self.publish_status()

    def save(self) -> None:
        """Write a checkpoint now, unless there is nothing to save."""
        if not self.keeper.is_saved:
            self.keeper.prepare()
            self.keeper.save()
            self._save_s = self._clock()
        self.publish_status()

    def give_up(self) -> None:
        """Stand still for good: what the session holds may be half done, so that it is not saved over what is good."""
        self.state = EngineState.FAILED
        self.publish_status()

    def close(self) -> None:
        """Save what is unsaved, wait until it is written, give the folder back."""
        if self.is_running:
            self.state = EngineState.PAUSED
        is_worth_saving = self.state not in (EngineState.FAILED, EngineState.READY) and self.keeper.folder is not None
        try:
            if is_worth_saving and not self.keeper.is_saved:
                self.keeper.save()
        except Exception as error:
            self._outbox.put(failed(error, "saving"))
        for failure in self.keeper.close():
            self._outbox.put(failed(failure, "saving"))
        self.publish_status()

    # ---- training -------------------------------------------------------------------------------------------------

    def train_slice(self) -> None:
        """Train for about SLICE_S: as many updates as fit, one where it is longer."""
        start_s, first_step, n_units = self._clock(), self.session.step, 0
        while self.is_running:
            before = n_units
            self._advance()
            # A unit is an update or a chunk of an evaluation; a captured slice has many updates.
            n_units = max(n_units + 1, self.session.step - first_step)
            # On an accelerator two slices are under way at once: there, what would pass the time is not begun.
            next_units = n_units - before if self._fence.is_needed else 0
            if self._clock() - start_s >= SLICE_S or (n_units + next_units) * self._unit_s >= SLICE_S:
                break
        self._fence.pass_slice()
        # On an accelerator only this, with the waiting in it, tells how long a unit really takes.
        self._unit_s = (self._clock() - start_s) / max(n_units, 1)
        self._take_records()
        self._tell_notes()
        self._speed.add(self.session.step)
        if self._meeting is None:
            self._save_if_due()

    def tend(self) -> None:
        """Tell what the writer thread has done and, a few times a second, how far it is."""
        for error in self.keeper.collect():
            self._outbox.put(failed(error, "saving"))
        has_moved = self.is_running or self._companion_step != self._told_companion_step
        is_due = has_moved and self._clock() - self._status_s >= STATUS_EVERY_S
        has_caught_up = has_moved and self._companion_step == self.session.step and not self.is_running
        if is_due or has_caught_up or self.keeper.is_saved != self._was_saved:
            self.publish_status()

    def publish_status(self) -> None:
        """Tell the window where the run is now."""
        session = self.session
        speed = self._speed.steps_per_s if self.is_running else 0.0
        self._status_s, self._was_saved = self._clock(), self.keeper.is_saved
        self._told_companion_step = self._companion_step
        self._outbox.put(
            RunStatus(
                state=self.state,
                step=session.step,
                target_step=self.until_step,
                epoch=session.epoch,
                steps_per_s=speed,
                seconds_left=(self.until_step - session.step) / speed if speed > 0 else None,
                device=session.device,
                run_path=self.run_path,
                is_saved=self._was_saved,
                learning_rate=session.learning_rate,
                beta=session.beta,
                scale=session.scale,
                is_scale_at_floor=session.is_scale_at_floor,
                time_s=session.time_s,
                free_bits=session.free_bits,
                companion_step=self._companion_step,
                elsewhere=self.elsewhere,
            )
        )

    @property
    def _companion_step(self) -> int | None:
        return None if self.companion is None else self.companion.step

    @property
    def _resting(self) -> EngineState:
        if self.session.step == 0:
            return EngineState.READY
        is_done = self.session.step >= self.session.target_step
        return EngineState.FINISHED if is_done else EngineState.PAUSED

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, until_step: int, part: Part | None = None) -> None:
        """Be running, until a step; the folder is made, forked or locked first. RunError, UsageError, DataError (the
        images' file was cut): then nothing has changed."""
        self.data.check_whole()
        made_new = self.keeper.prepare()
        if made_new and self._source is not None:
            self._outbox.put(Notice(f"{self._source.name} is read-only; training goes on in {self.keeper.path}."))
        self._is_single_step = self._is_stopping = False
        self.session.set_part(part)
        self.until_step = until_step
        if not self.is_running:
            self.state = EngineState.RUNNING
            self._speed.restart()
            self._speed.add(self.session.step)
            self._save_s = self._clock()
        self.publish_status()

    def _advance(self) -> None:
        """Do one unit of work, and stand still where it says so."""
        before_s = self._clock()
        did = self.session.advance(None if self._is_stopping else self.until_step)
        self.step_clock.add(did, self._clock() - before_s)
        if did is Advance.DIVERGED:
            self._on_diverged()
            return
        if self._meeting is not None and did is Advance.STEP and self._meeting.is_due(self.session.step):
            self._meet(self._meeting)
        self._rest_at_end()

    def _meet(self, meeting: Meeting) -> None:
        """Pause where any process was told to, else save if that is due."""
        if meeting.hold(self.session):
            self._come_to_rest(EngineState.PAUSED)
        else:
            self._save_if_due()

    def _rest_at_end(self) -> None:
        """Stand still once the last update is done; an evaluation that is due then is done before, unless stepping."""
        is_at_end = self.is_running and (self._is_stopping or self.session.step >= self.until_step)
        if not is_at_end or (self.session.is_evaluating and not self._is_single_step):
            return
        if self._has_refused():
            return  # the next unit of work says so
        if self._is_single_step:
            self._come_to_rest(EngineState.PAUSED, saves=False)
        else:
            self._come_to_rest(EngineState.FINISHED)

    def _has_refused(self) -> bool:
        """Whether an update was refused and nobody knew: nothing need have been due since; waits for the device."""
        was_diverged = self.session.is_diverged
        self.session.settle()
        return self.session.is_diverged and not was_diverged

    def _come_to_rest(self, state: EngineState, *, saves: bool = True) -> None:
        self.state = state
        self._is_single_step = self._is_stopping = False
        self.session.set_part(None)
        self._take_records()
        if saves:
            self._save()
        self.publish_status()

    def _on_diverged(self) -> None:
        try:
            self.session.raise_if_diverged()
        except DivergedError as error:
            self._outbox.put(failed(error, "training"))
        self._come_to_rest(EngineState.DIVERGED)

    def _tell_notes(self) -> None:
        """Tell of how the session works, where that turned out only now."""
        notes = self.session.notes
        for note in notes[self._n_told :]:
            self._outbox.put(Notice(note))
        self._n_told = len(notes)

    def _take_records(self) -> None:
        records = self.session.take_records()
        if not records:
            return
        self._outbox.put(RecordsAdded(tuple(records)))
        try:
            self.keeper.add_records(records)
        except VaeExplorerError as error:
            self._outbox.put(failed(error, "writing the metrics log"))
            if self.is_running:
                self.state = EngineState.PAUSED
                self.publish_status()

    def _save_if_due(self) -> None:
        is_due = self._clock() - self._save_s >= self.session.config.train.checkpoint_every_s
        if self.is_running and is_due and not self.keeper.is_saving:
            self._save()

    def _save(self) -> None:
        """Save; where the disk refuses, say so and go on with the last good checkpoint."""
        self._save_s = self._clock()
        try:
            self.keeper.save()
        except VaeExplorerError as error:
            self._outbox.put(failed(error, "saving"))
