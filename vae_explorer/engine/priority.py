"""Lets the window go first where threads have priorities of their own."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICENESS = 5
"""Enough for a window that wakes up to go first at once; a third of the usual share where other programs compete."""


def yield_to_window() -> None:
    """Lower the priority of the calling thread, and of those that it starts later, torch's workers among them.

    On Linux, where niceness is a thread's; elsewhere it would be the whole program's, window included.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
