"""The engine's loop: commands, then each small question once, then a slice of training, of jobs and of live views."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from vae_explorer.engine import messages as m
from vae_explorer.engine.failures import failed
from vae_explorer.engine.jobs import JobQueue
from vae_explorer.engine.mailbox import Mailbox, is_small
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import Clock
from vae_explorer.engine.reader import REFRESH_S, Reader
from vae_explorer.engine.run_control import RunControl
from vae_explorer.engine.serve import answer
from vae_explorer.engine.views import LiveViews
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.session import TrainingSession

log = logging.getLogger(__name__)


class EngineLoop:
    """Owns everything that is torch, in the one thread that calls `run` (or `turn` again and again).

    sessions: what builds sessions, `TrainingSession` itself or a fake with its `new` and `resume`.
    is_watched: whether anybody looks on, so that snapshots of the codes are worth their time.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        outbox: Outbox,
        *,
        sessions: Any = TrainingSession,
        is_watched: bool = True,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._mailbox, self._outbox, self._clock = mailbox, outbox, clock
        self._sessions, self._is_watched = sessions, is_watched
        self._commands: deque[m.Command] = deque()
        self._run: RunControl | None = None
        self._views: LiveViews | None = None
        self._jobs = JobQueue(outbox, clock=clock)
        self._reader = Reader(mailbox, outbox)
        self._refreshed_s = 0.0
        self.n_turns = 0
        self.is_over = False
        self.error: Exception | None = None
        """What the last failed command or turn ended with."""

    def run(self) -> None:
        """Serve until ShutDown, then leave no thread behind."""
        while not self.is_over:
            self.turn()

    def turn(self) -> None:
        """Take the mail and do one round of everything; blocks while there is nothing to do."""
        if not self._has_work():
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

    def _has_work(self) -> bool:
        return bool(
            self._commands
            or self._jobs.has_work
            or (self._run is not None and self._run.is_running)
            or (self._views is not None and self._views.has_work(is_running=False))
        )

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
            if self._run is None or self._views is None:
                self._outbox.put(
                    m.RequestFailed(request.channel, request.id, "There is no model yet; open or make one.")
                )
            elif is_small(request):
                session = self._run.session
                self._outbox.put(answer(request, session, self._run.data, session.config.model.latent_dim))
            else:
                self._views.ask(request)

    def _take_jobs(self, jobs: tuple[m.Job | m.CancelJob, ...]) -> None:
        for job in jobs:
            if isinstance(job, m.CancelJob):
                self._jobs.cancel(job.job)
            elif self._run is None or self._views is None:
                self._outbox.put(m.JobFailed(job.job, "There is no model yet; open or make one."))
            else:
                self._jobs.add(job, self._views.frozen, self._run.data)

    def _work(self) -> None:
        run, views = self._run, self._views
        if run is None or views is None:
            return
        if run.is_running:
            run.train_slice()
            if not run.is_running:
                views.settle()
        self._keep_reader()
        if self._jobs.has_work:
            self._jobs.work()
        views.work(is_running=run.is_running)
        run.tend()

    def _keep_reader(self) -> None:
        """Where a step takes long, let the reader answer, from a copy that is refreshed between steps."""
        run, views = self._run, self._views
        assert run is not None
        assert views is not None
        if not (run.is_running and run.step_clock.is_slow):
            self._reader.turn_off()
        elif not self._reader.is_on or self._clock() - self._refreshed_s >= REFRESH_S:
            self._refreshed_s = self._clock()
            self._reader.turn_on(views.frozen, run.data, run.session.config.model.latent_dim)

    def _fail(self, error: Exception) -> None:
        """Say what failed, stand still, and go on serving: NewRun and OpenRun begin anew."""
        log.exception("a turn of the engine failed")
        self.error = error
        self._outbox.put(failed(error, "a turn of the engine"))
        self._reader.turn_off()
        if self._run is not None:
            self._run.give_up()
            self._views = None

    # ---- commands -------------------------------------------------------------------------------------------------

    def _apply(self, command: m.Command) -> None:
        match command:
            case m.NewRun():
                self._new_run(command)
            case m.OpenRun():
                self._open_run(command)
            case m.ShutDown():
                self._shut_down()
            case _ if self._run is None or self._views is None:
                raise UsageError("There is no model yet; open a run or make a new one first.")
            case _:
                self._steer(self._run, command)

    def _steer(self, run: RunControl, command: m.Command) -> None:
        match command:
            case m.Start():
                run.start(command.until_step)
            case m.Pause():
                run.pause()
            case m.StepOnce():
                run.step_once()
            case m.Stop():
                run.stop()
            case m.SetLive():
                run.set_live(command.name, command.value)
            case m.Save():
                run.save()

    def _new_run(self, command: m.NewRun) -> None:
        session = self._sessions.new(command.config, command.data)
        self._replace(RunControl(session, command.data, command.run_path, self._outbox, **self._surroundings))

    def _open_run(self, command: m.OpenRun) -> None:
        folder = RunFolder.open(command.path)
        if self._run is not None and self._run.keeper.path == folder.path:
            self._close_run()
        session = self._sessions.resume(folder, command.data)
        run = RunControl(session, command.data, command.fork_path, self._outbox, source=folder, **self._surroundings)
        notes = session.notes
        if folder.device != session.device:
            notes = (*notes, f"Trained on {folder.device}, opened on {session.device}: going on is not bit-exact.")
        self._replace(run, notes)

    @property
    def _surroundings(self) -> dict[str, Any]:
        return {"clock": self._clock, "on_written": self._mailbox.poke}

    def _replace(self, run: RunControl, notes: tuple[str, ...] = ()) -> None:
        self._close_run()
        self._run = run
        self._views = LiveViews(run.session, run.data, self._outbox, clock=self._clock)
        run.announce(notes)

    def _close_run(self) -> None:
        """Save and leave the open run."""
        self._reader.turn_off()
        self._jobs.cancel_all()
        run, self._run, self._views = self._run, None, None
        if run is not None:
            run.close()

    def _shut_down(self) -> None:
        self.is_over = True
        try:
            self._close_run()
        finally:
            self._mailbox.close()
            self._reader.close()
