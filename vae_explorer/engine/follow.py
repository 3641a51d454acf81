"""`Following`: keeps an open run up with the program that trains it elsewhere, and leaves its folder alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

from vae_explorer.engine.failures import sentence_of
from vae_explorer.engine.messages import (
    Command,
    Elsewhere,
    Notice,
    RecordsAdded,
    Save,
    SetLive,
    Start,
    StepOnce,
    StepPart,
    Stop,
)
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.run_control import RunControl
from vae_explorer.errors import RunError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.lock import LOCK_NAME, LockHolder
from vae_explorer.runs.records import LogRecord
from vae_explorer.runs.watch import RunNews, RunWatch

log = logging.getLogger(__name__)

Training = Start | StepOnce | StepPart | Stop | SetLive | Save
"""Commands that would change the run."""


class Following:
    """One run that was open in another program when it was opened here. All calls come from the engine thread.

    The other program may end, and one may begin again: the folder is watched until the run is trained here.
    """

    def __init__(
        self, run: RunControl, folder: RunFolder, writer: LockHolder, outbox: Outbox, *, on_news: Callable[[], None]
    ) -> None:
        """on_news: called in another thread when there is something for `work`."""
        self._run, self._folder, self._outbox, self._on_news = run, folder, outbox, on_news
        self._writer: LockHolder | None = writer
        self._is_quiet = False
        self._log_step = run.session.step
        self._watch: RunWatch | None = None
        self._told = ""

    def begin(self) -> None:
        """Announce the run with its log so far, and watch from there on."""
        tail = self._folder.log_tail()
        self._run.follow(self._elsewhere)
        self._announce(tail.read().records)
        self._watch = RunWatch(self._folder, tail, step=self._run.session.step, on_news=self._on_news)

    def work(self) -> None:
        """Take over what has come since the last time; once the run is trained here, that is over."""
        if self._run.keeper.folder is not None:
            self.close()
        for news in self._watch.take() if self._watch is not None else ():
            self._apply(news)

    def check(self, command: Command) -> None:
        """RunError, in one sentence, for a command that would change the run while another program trains it."""
        if self._writer is None or not isinstance(command, Training):
            return
        who = f"process {self._writer.pid} on {self._writer.host}"
        if self._is_quiet:
            raise RunError(
                f"The run {self._folder.name} is held by {who}, which has written nothing for a while; if that one has "
                f"ended, remove {self._folder.path / LOCK_NAME}, else wait for it."
            )
        raise RunError(
            f"The run {self._folder.name} is being trained by {who}; wait until that one has ended, or begin a new run."
        )

    def close(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _apply(self, news: RunNews) -> None:
        self._writer, self._is_quiet = news.writer, news.is_quiet
        if news.state is not None:
            try:
                self._run.catch_up(news.state.arrays, news.state.meta)
            except VaeExplorerError as error:
                self._tell(sentence_of(error))
        if news.log.is_anew:
            self._log_step = self._run.session.step
        self._run.follow(self._elsewhere)
        if news.log.is_anew:
            self._announce(news.log.records)
        else:
            self._add(news.log.records)

    def _announce(self, records: tuple[LogRecord, ...]) -> None:
        """Open the run in the window, at the step of its weights; what its log has beyond follows."""
        step = self._run.session.step
        self._run.announce([record for record in records if record.step <= step])
        self._add(tuple(record for record in records if record.step > step))

    def _add(self, records: tuple[LogRecord, ...]) -> None:
        if records:
            self._log_step = max(self._log_step, records[-1].step)
            self._outbox.put(RecordsAdded(records))
        self._run.follow(self._elsewhere)
        self._run.publish_status()

    @property
    def _elsewhere(self) -> Elsewhere | None:
        if self._writer is None:
            return None
        return Elsewhere(
            host=self._writer.host, pid=self._writer.pid, since=self._writer.since, log_step=self._log_step,
            checkpoint_every_s=self._folder.config.train.checkpoint_every_s, is_quiet=self._is_quiet,
        )  # fmt: skip

    def _tell(self, message: str) -> None:
        if message != self._told:
            self._told = message
            self._outbox.put(Notice(message))
