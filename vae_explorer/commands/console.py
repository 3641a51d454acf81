"""How commands speak: results on stdout, talk and progress on stderr, Ctrl-C as a flag that is asked for."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from vae_explorer.errors import CancelledError

LAST_WORD = "interrupted; press Ctrl-C again to leave without saving"
PATIENT_WORD = "interrupted; all processes stop at the same step, and the first one saves"


def say(sentence: str) -> None:
    """Write one line of talk to stderr."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def say_from_handler(sentence: str) -> None:
    """Write one line to stderr although the signal may have come in the middle of `say`, whose file must not be entered
    twice."""
    try:
        os.write(sys.stderr.fileno(), f"{sentence}\n".encode())
    except (OSError, ValueError):  # no file, or one in memory, which may be entered twice
        say(sentence)


def write_line(text: str) -> None:
    """Write one line of a result to stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_json(value: Any) -> None:
    """Write one JSON document to stdout; numbers that are not finite become null, which JSON can hold."""
    write_line(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class Interrupts:
    """Whether Ctrl-C or SIGTERM has come since the command began. Calling it asks; nothing is raised by the first.

    is_patient: nor by any other, since torchrun passes on what its processes may have had themselves; it is the one who
    ends those that do not stop.
    """

    def __init__(self, *, is_patient: bool = False) -> None:
        self._flag = threading.Event()
        self._is_patient = is_patient

    def __call__(self) -> bool:
        return self._flag.is_set()

    def check(self) -> None:
        """Raise CancelledError when interrupted; for work that has nothing to save."""
        if self():
            raise CancelledError("interrupted.")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._flag.is_set() and self._is_patient:
            return
        if self._flag.is_set():
            raise KeyboardInterrupt
        self._flag.set()
        say_from_handler(PATIENT_WORD if self._is_patient else LAST_WORD)


@contextmanager
def catch_interrupts(*, is_patient: bool = False) -> Iterator[Interrupts]:
    """Turn Ctrl-C and SIGTERM into a flag while the block runs; a second one leaves at once by KeyboardInterrupt, but
    for a patient one."""
    interrupts = Interrupts(is_patient=is_patient)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupts._on_signal) for number in numbers}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(what: str, interrupts: Interrupts) -> Iterator[Callable[..., None]]:
    """Yield a function of a fraction in [0, 1] (and, if given, a sentence) that moves a bar on a terminal's stderr.

    Each call also asks for interrupts and raises CancelledError.
    """
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc=what, bar_format=layout, disable=None, leave=False, file=sys.stderr) as bar:

        def on_progress(fraction: float, sentence: str = "") -> None:
            interrupts.check()
            if sentence:
                bar.set_description(sentence, refresh=False)
            bar.update(max(0.0, min(fraction, 1.0) - bar.n))

        yield on_progress
