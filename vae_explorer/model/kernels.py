"""Functions that a GPU works by kernels made for them, where there is a compiler: plain ones where not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Generic, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Kernels(Generic[P, T]):
    """A function compiled for tensors of any size, plain from the first failure on: a compiler that is there may still
    not work."""

    def __init__(self, plain: Callable[P, T]) -> None:
        self._plain = plain
        self._work: Callable[P, T] = torch.compile(plain, dynamic=True)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the plain function does, but for rounding."""
        if self._work is not self._plain:
            try:
                return self._work(*args, **kwargs)
            except Exception as error:  # whatever a compiler's backend raises
                _log.info("%s is not compiled: %s", self._plain.__name__, error)
                self._work = self._plain
        return self._plain(*args, **kwargs)


def kernels_where_possible(plain: Callable[P, T]) -> Callable[P, T]:
    """Return a function for a GPU: by kernels of its own with Triton, else as it is."""
    return plain if find_spec("triton") is None else Kernels(plain)
