"""Keeps the traceback of an error that nobody foresaw in a log file, so that people see one sentence instead."""

from __future__ import annotations

import platform
import sys
import traceback
from datetime import datetime
from pathlib import Path

from vae_explorer import __version__

MAX_LOG_BYTES = 1_000_000
"""A log that has grown beyond this is begun anew."""


def describe_crash(error: BaseException) -> str:
    """Append the traceback to the log, and return the sentence that says what happened and where the log is."""
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300].rstrip(": .")
    try:
        path = _write_log(error)
    except OSError as failure:
        return f"Something unexpected went wrong ({what}), and the log could not be written ({failure}); try --debug."
    return f"Something unexpected went wrong ({what}); the details are in {path}."


def _write_log(error: BaseException) -> Path:
    from platformdirs import user_log_path

    path = user_log_path("vae-explorer", appauthor=False, ensure_exists=True) / "errors.log"
    is_large = path.exists() and path.stat().st_size > MAX_LOG_BYTES
    with path.open("w" if is_large else "a", encoding="utf-8") as log:
        where = f"vae-explorer {__version__}, Python {platform.python_version()}, {platform.platform()}"
        log.write(f"--- {datetime.now().astimezone().isoformat(timespec='seconds')} {where}: {sys.argv}\n")
        log.writelines(traceback.format_exception(error))
    return path
