"""The engine's loop: commands, then each small question once, then a slice of training, of jobs and of live views."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import messages as m
from vae_explorer.engine.asking import Questions
from vae_explorer.engine.companion import Companion, companion_config
from vae_explorer.engine.failures import failed
from vae_explorer.engine.follow import Following
from vae_explorer.engine.jobs import JobQueue
from vae_explorer.engine.mailbox import Mailbox, is_small
from vae_explorer.engine.meeting import Meeting
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock
from vae_explorer.engine.priority import yield_to_window
from vae_explorer.engine.reader import Reader
from vae_explorer.engine.run_control import RunControl
from vae_explorer.engine.serve import answer, answer_slices
from vae_explorer.engine.showcase import Showcase
from vae_explorer.engine.snapshots import live_sample
from vae_explorer.engine.sweep_control import NO_COMPANION as NO_COMPANION_OF_SWEEP
from vae_explorer.engine.sweep_control import SweepControl
from vae_explorer.engine.threads import threads_for
from vae_explorer.engine.views import LiveViews
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.sweep_folder import SweepFolder
from vae_explorer.training.session import TrainingSession
from vae_explorer.training.sweep_session import SweepSession

log = logging.getLogger(__name__)

NO_MODEL = "There is no model to do that with; open a run or make a new one first."
NO_COMPANION = "No autoencoder is trained beside this run; let one be trained first."

CLOSING_S = {True: 1.0, False: 20.0}
"""How long leaving a run waits for the view that the next window shows first: while somebody looks on, and else."""


@dataclass(frozen=True)
class _Open:
    """What belongs to the run that is open."""

    run: RunControl
    views: LiveViews
    showcase: Showcase
    following: Following | None = None

    @property
    def is_working(self) -> bool:
        """Whether a turn would find something to do."""
        run = self.run
        has_companion_work = run.companion is not None and run.companion.has_work(run.session.step)
        has_views = self.views.has_work(is_running=False) or self.showcase.has_work
        return run.is_running or has_views or has_companion_work or run.has_own_work


class EngineLoop:
    """Owns everything that is torch, in the one thread that calls `run` (or `turn` again and again).

    sessions: what builds sessions, `TrainingSession` itself or a fake with its `new` and `resume`. meeting: with the
    other processes that train the run too. device: overrules that of the configuration. is_watched: whether anybody
    looks on, so that snapshots of the codes are worth their time.
    n_turns: turns so far; error: what the last command or turn that failed ended with.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        outbox: Outbox,
        *,
        sessions: Any = TrainingSession,
        device: str | None = None,
        is_watched: bool = True,
        meeting: Meeting | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._mailbox, self._outbox, self._clock = mailbox, outbox, clock
        self._sessions, self._device, self._is_watched = sessions, device, is_watched
        self._meeting = meeting
        self._commands: deque[m.Command] = deque()
        self._open: _Open | None = None
        self._n_threads = torch.get_num_threads()
        self._jobs = JobQueue(outbox, clock=clock)
        self._free_questions = Questions(outbox, lambda request: answer_slices(request, None, None))
        self._reader = Reader(mailbox, outbox)
        self.n_turns = 0
        self.is_over = False
        self.error: Exception | None = None

    @property
    def has_work(self) -> bool:
        """Whether the next turn would do something without any mail."""
        has_open_work = self._open is not None and not self._has_failed and self._open.is_working
        has_questions = self._free_questions.has_work
        return bool(self._commands) or self._jobs.has_work or has_questions or has_open_work

    def run(self) -> None:
        """Serve a window until ShutDown, then leave no thread behind."""
        # Before the priority falls: whoever clicks waits for the reader as for the window.
        self._reader.begin()
        yield_to_window()
        while not self.is_over:
            self.turn()

    def turn(self) -> None:
        """Take the mail and do one round of everything; blocks while there is nothing to do."""
        if not self.has_work:
            self._mailbox.wait()
        self.n_turns += 1
        mail = self._mailbox.take_all()
        self._commands.extend(mail.commands)
        try:
            self._apply_commands()
            if not self.is_over:
                self._serve(mail.requests)
                self._take_jobs(mail.jobs)
                self._work()
        except Exception as error:
            self._fail(error)

    # ---- a turn's parts -------------------------------------------------------------------------------------------

    def _apply_commands(self) -> None:
        """Apply all commands in order; one that fails says so, the others are applied all the same."""
        while self._commands and not self.is_over:
            command = self._commands.popleft()
            try:
                self._apply(command)
            except VaeExplorerError as error:
                self.error = error
                self._outbox.put(failed(error, type(command).__name__))

    def _serve(self, requests: tuple[m.Request, ...]) -> None:
        for request in requests:
            if self._open is None or self._has_failed:
                self._serve_without_model(request)
            elif isinstance(request, m.Decode | m.Encode) and request.of == "companion":
                self._serve_companion(request, self._open.run)
            elif is_small(request):
                run = self._open.run
                self._outbox.put(answer(request, run.looker, run.data))
            else:
                self._open.views.ask(request)

    def _serve_without_model(self, request: m.Request) -> None:
        """EM works on the points that come with the question; all others need a model."""
        if isinstance(request, m.FitMixture):
            self._free_questions.ask(request)
        else:
            self._outbox.put(m.RequestFailed(request.channel, request.id, NO_MODEL))

    def _serve_companion(self, request: m.Decode | m.Encode, run: RunControl) -> None:
        if run.companion is None:
            self._outbox.put(m.RequestFailed(request.channel, request.id, NO_COMPANION))
        elif is_small(request):
            self._outbox.put(answer(request, run.companion.model, run.data))
        else:
            run.companion.ask(request)

    def _take_jobs(self, jobs: tuple[m.Job | m.CancelJob, ...]) -> None:
        for job in jobs:
            if isinstance(job, m.CancelJob):
                self._jobs.cancel(job.job)
            elif self._open is None or self._has_failed:
                self._outbox.put(m.JobFailed(job.job, NO_MODEL))
            else:
                run = self._open.run
                self._jobs.add(job, self._open.views.frozen, run.data, records=run.read_records)

    def _work(self) -> None:
        """A slice of training, then of jobs, of live views, and of what is kept for the next look at the run."""
        if self._jobs.has_work:
            self._jobs.work()
        if self._free_questions.has_work:
            self._free_questions.work_slice()
        if self._open is None or self._has_failed:
            return
        run, views, showcase = self._open.run, self._open.views, self._open.showcase
        if run.is_running:
            showcase.interrupt()
            before_s = self._clock()
            run.train_slice()
            views.earn(run.view_share * (self._clock() - before_s))
        self._work_companion(run)
        self._keep_reader(run, views)
        views.work(is_running=run.is_running, slice_s=math.inf if self._reader.is_on else SLICE_S)
        showcase.work()
        run.tend()
        if self._open.following is not None:
            self._open.following.work()

    def _work_companion(self, run: RunControl) -> None:
        """A slice of the autoencoder beside the run; whatever goes wrong with it ends it alone."""
        if run.companion is None:
            return
        try:
            run.companion.work(run.session.step, is_running=run.is_running)
        except Exception as error:
            log.exception("the autoencoder beside the run failed")
            self._outbox.put(failed(error, m.SetCompanion.__name__))
            run.set_companion(None)

    def _keep_reader(self, run: RunControl, views: LiveViews) -> None:
        """Where a step takes long, let the reader answer, from a copy that is refreshed between steps."""
        if not (self._is_watched and run.is_running and run.step_clock.is_slow):
            self._reader.turn_off()
            return
        now_s = self._clock()
        if self._reader.is_due(now_s):
            self._reader.turn_on(views.frozen, run.data, now_s=now_s)

    def _on_snapshot(self, model: Any) -> None:
        """Let the reader have the copy that a snapshot is made of: what is clicked there is of no older weights."""
        if self._reader.is_on and self._open is not None:
            self._reader.turn_on(model, self._open.run.data, now_s=self._clock())

    @property
    def _has_failed(self) -> bool:
        return self._open is not None and self._open.run.state is m.EngineState.FAILED

    def _fail(self, error: Exception) -> None:
        """Say what failed, stand still, and go on serving: NewRun and OpenRun begin anew."""
        if not isinstance(error, VaeExplorerError):
            log.error("a turn of the engine failed", exc_info=error)
        self.error = error
        self._outbox.put(failed(error, "a turn of the engine"))
        self._reader.turn_off()
        if self._open is not None:
            self._open.run.give_up()

    # ---- commands -------------------------------------------------------------------------------------------------

    def _apply(self, command: m.Command) -> None:
        match command:
            case m.NewRun():
                self._new_run(command)
            case m.OpenRun():
                self._open_run(command)
            case m.NewSweep():
                sweep = SweepSession.new(command.configs, command.data, device=self._device)
                self._replace_by_sweep(sweep, command.data, command.path)
            case m.OpenSweep():
                self._open_sweep(command)
            case m.ShutDown():
                self._shut_down()
            case _ if self._open is None or self._has_failed:
                raise UsageError(NO_MODEL)
            case _:
                if self._open.following is not None:
                    self._open.following.check(command)
                self._steer(self._open.run, command)

    def _steer(self, run: RunControl, command: m.Command) -> None:
        match command:
            case m.Start():
                run.start(command.until_step)
            case m.Pause():
                run.pause()
            case m.StepOnce():
                run.step_once()
            case m.StepPart():
                run.step_part(command.part, command.steps)
            case m.Stop():
                run.stop()
            case m.SetLive():
                run.set_live(command.name, command.value)
            case m.SetCompanion():
                self._set_companion(run, command.is_on)
            case m.Save():
                run.save()
            case m.ShowModel():
                self._show_model(run, command.place)

    def _set_companion(self, run: RunControl, is_on: bool, /) -> None:
        if not is_on:
            run.set_companion(None)
        elif isinstance(run, SweepControl):
            raise UsageError(NO_COMPANION_OF_SWEEP)
        elif run.companion is None:
            session = self._sessions.new(companion_config(run.session.config), run.data, device=self._device)
            run.set_companion(Companion(session, run.data, self._outbox, clock=self._clock))

    def _new_run(self, command: m.NewRun) -> None:
        session = self._sessions.new(command.config, command.data, device=self._device)
        self._replace(session, command.data, command.run_path)

    def _open_run(self, command: m.OpenRun) -> None:
        folder = RunFolder.open(command.path)
        self._close_if_open([folder])
        session = self._sessions.resume(folder, command.data, device=self._device)
        self._replace(session, command.data, command.fork_path, source=folder)

    def _replace(self, session: Any, data: ImageData, path: Path, *, source: RunFolder | None = None) -> None:
        """Leave the open run for another."""
        self._close_run()
        clock = self._clock
        n_threads = threads_for(session.config, n_parameters=session.n_parameters, available=self._n_threads)
        torch.set_num_threads(n_threads)
        run = RunControl(
            session, data, path, self._outbox, clock=clock, on_written=self._mailbox.poke, source=source,
            meeting=self._meeting,
        )  # fmt: skip
        showcase = Showcase(run.keeper, data, session.target_step, clock=clock)
        views = LiveViews(
            session, data, self._outbox, showcase=showcase, is_watched=self._is_watched, clock=clock,
            on_snapshot=self._on_snapshot,
        )  # fmt: skip
        writer = source.writer() if source is not None and self._is_watched else None
        if source is None or writer is None:
            self._open = _Open(run, views, showcase)
            run.announce()
        else:
            following = Following(run, source, writer, self._outbox, on_news=self._mailbox.poke)
            self._open = _Open(run, views, showcase, following)
            following.begin()

    def _open_sweep(self, command: m.OpenSweep) -> None:
        folder = SweepFolder.open(command.path)
        self._close_if_open(folder.runs)
        sweep = SweepSession.resume(folder, command.data, device=self._device)
        self._replace_by_sweep(sweep, command.data, folder.path, source=folder)

    def _replace_by_sweep(
        self, sweep: SweepSession, data: ImageData, path: Path, *, source: SweepFolder | None = None
    ) -> None:
        """Leave the open run for a sweep."""
        self._close_run()
        config = sweep.members[0].config
        torch.set_num_threads(threads_for(config, n_parameters=sweep.n_parameters, available=self._n_threads))
        run = SweepControl(
            sweep, data, path, self._outbox, clock=self._clock, on_written=self._mailbox.poke,
            is_watched=self._is_watched, source=source,
        )  # fmt: skip
        self._look_at_shown(run)
        run.announce()

    def _show_model(self, run: RunControl, place: int) -> None:
        if not isinstance(run, SweepControl):
            raise UsageError("The open run is no sweep, so it has no other models to show.")
        run.show(place)
        self._look_at_shown(run)

    def _look_at_shown(self, run: SweepControl) -> None:
        """Let the live views be of the shown model; frames of a timeline are kept of none."""
        self._reader.turn_off()
        member, clock = run.looker, self._clock
        showcase = Showcase(run.shown_keeper, run.data, member.target_step, clock=clock)
        views = LiveViews(
            member, run.data, self._outbox, showcase=None, is_watched=self._is_watched, clock=clock,
            on_snapshot=self._on_snapshot,
        )  # fmt: skip
        self._open = _Open(run, views, showcase)

    def _close_if_open(self, folders: Sequence[RunFolder]) -> None:
        """Leave the open run where it, or one of its sweep, is among those to be read: else what is not written yet
        would be missed, and later be taken for another program's work."""
        asked = {folder.path.resolve() for folder in folders}
        if self._open is not None and any(path.resolve() in asked for path in self._open.run.run_paths):
            self._close_run()

    def _close_run(self) -> None:
        """Save and leave the open run; what fails on the way is told, and keeps nobody from leaving."""
        self._reader.turn_off()
        self._jobs.cancel_all()
        closing, has_failed = self._open, self._has_failed
        self._open = None
        if closing is None:
            return
        if closing.following is not None:
            closing.following.close()
        try:
            if not has_failed:
                sample = closing.views.sample if self._is_watched else live_sample(len(closing.run.data))
                closing.showcase.finish(closing.views.frozen, sample, within_s=CLOSING_S[self._is_watched])
                closing.run.finish_views(sample, within_s=CLOSING_S[self._is_watched])
        except Exception as error:
            log.exception("the view of a run could not be made")
            self._outbox.put(failed(error, "leaving a run"))
        closing.run.close()
        if closing.run.session.device != "cpu":
            # What a session holds on an accelerator refers to itself in circles, and is free once collected.
            del closing
            gc.collect()

    def _shut_down(self) -> None:
        """Save, and end every thread whatever happens on the way."""
        self.is_over = True
        try:
            self._close_run()
        finally:
            self._mailbox.close()
            self._reader.close()
            torch.set_num_threads(self._n_threads)
