"""Turns exceptions into the one sentence that people read."""

from __future__ import annotations

import traceback

from vae_explorer.engine.messages import EngineFailed
from vae_explorer.errors import VaeExplorerError


def sentence_of(error: BaseException) -> str:
    """Return one sentence for people; errors that are meant for people say their own."""
    if isinstance(error, VaeExplorerError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There was not enough memory for this model and batch; take a smaller batch, network or image side."
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else ""
        return f"A file{place} could not be read or written: {error.strerror or error}."
    return f"Something unexpected went wrong in the engine ({type(error).__name__}: {error})."


def failed(error: BaseException, during: str) -> EngineFailed:
    """Return the event of an exception, its traceback kept for the log."""
    details = "" if isinstance(error, VaeExplorerError) else "".join(traceback.format_exception(error))
    return EngineFailed(sentence_of(error), details, during)
