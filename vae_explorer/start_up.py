"""Garbage collection, put off while the program starts: to look through modules again and again for what could be freed
takes a twentieth of that time, and nothing of them is ever freed."""

from __future__ import annotations

import gc


def put_off_collection() -> None:
    """Collect nothing until `resume_collection`."""
    gc.disable()


def resume_collection() -> None:
    """Collect again, without what has come up to now; does nothing where collection was not put off."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
