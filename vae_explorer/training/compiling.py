"""Functions that are compiled where a compiler is there: plain ones where not, and from the first failure on."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from types import FunctionType, MethodType
from typing import Any, Generic, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")

COMPILE_STEPS = 50_000
"""Updates of the shortest run that is compiled: a compiler takes about as long as some 100,000 updates do, and what it
saves is a part of each."""

_log = logging.getLogger(__name__)


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile has what it needs for a CUDA device: Triton, and a C compiler for its launchers."""
    has_compiler = "CC" in os.environ or any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    return device.type == "cuda" and find_spec("triton") is not None and has_compiler


class Compiled(Generic[P, T]):
    """A function or method compiled at its first call, which takes some ten seconds; a compiler may be there and not
    work."""

    def __init__(self, plain: Callable[P, T]) -> None:
        self._plain = plain
        self._work: Callable[P, T] = torch.compile(_with_own_code(plain), dynamic=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the plain function does, but for rounding."""
        try:
            return self._work(*args, **kwargs)
        except Exception as error:  # whatever a compiler's backend raises
            if self._work is self._plain:
                raise
            _log.warning("a part of the training step is not compiled: %s", error)
            self._work = self._plain
            return self._plain(*args, **kwargs)


def _with_own_code(plain: Callable[P, T]) -> Callable[P, T]:
    """The same function or method once more. torch keeps what it compiled with the code, some 8 times in all: without
    this, a session would be left without what others before it have used up."""
    function: Any = plain.__func__ if isinstance(plain, MethodType) else plain
    code, name, defaults = function.__code__.replace(), function.__name__, function.__defaults__
    own = FunctionType(code, function.__globals__, name, defaults, function.__closure__)
    own.__kwdefaults__ = function.__kwdefaults__
    return MethodType(own, plain.__self__) if isinstance(plain, MethodType) else own
