"""`RunWatch`: looks again and again, in a thread of its own, what another program has added to a run folder."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from vae_explorer.errors import VaeExplorerError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.listing import modified_s
from vae_explorer.runs.lock import LockHolder
from vae_explorer.runs.log_tail import LogNews, LogTail
from vae_explorer.runs.tensor_file import AnyArray

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY_S = 1.0
PATIENCE_S = 2.0
QUIET_INTERVALS, LEAST_QUIET_S = 3, 30.0
"""A writer is called quiet when nothing has come for so many intervals of its checkpoints, and this long."""


@dataclass(frozen=True)
class StoredState:
    """A checkpoint that was read: arrays and plain values, as `RunFolder.read_checkpoint` gives them."""

    step: int
    arrays: dict[str, AnyArray]
    meta: dict[str, Any]


@dataclass(frozen=True)
class RunNews:
    """What one look found. writer: who writes now, or None; is_quiet: nothing has come for long; state: a newer
    checkpoint; log: what was added."""

    writer: LockHolder | None
    is_quiet: bool
    log: LogNews
    state: StoredState | None


class RunWatch:
    """Watches a folder by listing and reading it, so that it works on any file system and never writes.

    on_news is called in the watching thread when `take` would return something.
    """

    def __init__(self, folder: RunFolder, tail: LogTail, *, step: int, on_news: Callable[[], None]) -> None:
        """tail: has read the log so far; step: of the checkpoint that is known already."""
        self._folder, self._tail = folder, tail
        self._on_news = on_news
        self._step = step
        self._marks: dict[int, tuple[int, int]] = {}
        self._known: tuple[int, tuple[int, int] | None] | None = None
        self._shown: tuple[LockHolder | None, bool] | None = None
        self._news_s = time.monotonic() - max(0.0, time.time() - modified_s(folder.path))
        self._news: list[RunNews] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vae-explorer watch", daemon=True)
        self._thread.start()

    def take(self) -> list[RunNews]:
        """Return what was found since the last call, in order; of several checkpoints the newest alone."""
        with self._lock:
            news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End the watching; waits for a look that is under way, unless a file system holds it up."""
        self._is_over.set()
        self._thread.join(PATIENCE_S)

    # ---- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._offer(self._look())
            self._is_over.wait(LOOK_EVERY_S)

    def _offer(self, news: RunNews) -> None:
        shown = (news.writer, news.is_quiet)
        if shown == self._shown and not news.log.records and not news.log.is_anew and news.state is None:
            return
        self._shown = shown
        with self._lock:
            if news.state is not None:
                self._news = [replace(earlier, state=None) for earlier in self._news]
            self._news.append(news)
        self._on_news()

    def _look(self) -> RunNews:
        # First: what a writer did before it ended is then seen in the same look.
        writer = self._folder.writer()
        added = self._tried(self._tail.read) or LogNews()
        state = self._tried(self._new_state)
        now_s = time.monotonic()
        if added.records or added.is_anew or state is not None:
            self._news_s = now_s
        patience_s = max(LEAST_QUIET_S, QUIET_INTERVALS * self._folder.config.train.checkpoint_every_s)
        return RunNews(writer, writer is not None and now_s - self._news_s > patience_s, added, state)

    def _tried(self, read: Callable[[], T]) -> T | None:
        """Read, or try again at the next look: a network may be away for a while, a file have just gone."""
        try:
            return read()
        except (OSError, VaeExplorerError) as error:
            log.info("%s: could not be looked at (%s)", self._folder.name, error)
            return None

    def _new_state(self) -> StoredState | None:
        """Read the newest sound checkpoint if it is another one than before."""
        marks = self._folder.checkpoint_marks()
        if marks == self._marks:
            return None
        entry, _ = self._folder.find_sound_checkpoint()
        found = (entry.step, marks.get(entry.step))
        is_known = entry.step == self._step if self._known is None else found == self._known
        state = None if is_known else StoredState(entry.step, *self._folder.read_checkpoint(entry))
        self._marks, self._known = marks, found
        return state
