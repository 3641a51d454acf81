"""How torch's worker threads wait for each other: they sleep soon, or another program would bring them to a halt."""

from __future__ import annotations

import os

SPINS = 1000
"""Turns of an empty loop, some microseconds, that a thread waits awake.

GNU's OpenMP waits awake for milliseconds. While one of two cores is wanted by something else, a window or another
program, the thread that waits then keeps the core that the other one needs: steps of 12 ms took 40 to 380, and take 12
to 21 so. With both cores to itself a training is as fast, or a little faster.
"""


def sleep_soon() -> None:
    """Take effect on torch if it is not loaded yet; what the person has chosen in the environment stays."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
