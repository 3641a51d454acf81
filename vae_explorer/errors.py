"""The errors that reach people: one sentence that says what, where, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VaeExplorerError(Exception):
    """Base of all errors meant for people; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(VaeExplorerError):
    """A name, key, value or option that cannot be used as given."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key or value that is unknown or out of range."""


class DataError(VaeExplorerError):
    """An input file or folder that is missing or cannot be read as images."""

    exit_code = 3


class RunError(VaeExplorerError):
    """A run folder that is missing, damaged, locked, or does not fit what is asked of it."""

    exit_code = 3


class ScreenError(VaeExplorerError):
    """There is no screen to open a window on; its own exit code lets a script go on without one."""

    exit_code = 4


class DivergedError(VaeExplorerError):
    """Training met a loss or gradient that is not finite; the last finite weights are kept."""

    exit_code = 5


class DownloadError(VaeExplorerError):
    """A data set could not be fetched."""


class CancelledError(VaeExplorerError):
    """Something long was cancelled by the person who had asked for it."""

    exit_code = 130


def nearest_hint(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the known word nearest to `word`, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else ""
