"""Loads torch's largest library without the interpreter's lock, which the import of torch would hold meanwhile."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path


def preload_torch() -> None:
    """Map what `import torch` is about to load, so that other threads go on: a window would stand still for 0.3 s.

    On Linux alone, and where it cannot be done nothing happens: the import does it all itself.
    """
    if sys.platform != "linux" or "torch" in sys.modules:
        return
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return
    # Python lets the lock go while it calls a foreign function, but not while it loads a library itself.
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    dlopen(os.fsencode(Path(spec.origin).parent / "lib" / "libtorch_cpu.so"), os.RTLD_NOW)
