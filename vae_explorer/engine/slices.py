"""Work in slices: what takes long is a generator that yields now and then, so that the loop can turn in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from numpy.typing import NDArray

T = TypeVar("T")
Slices = Generator[float, None, T]
"""Yields the share that is done, 0 to 1, and returns the result."""


def drain(slices: Slices[T]) -> T:
    """Work all slices at once and return the result."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: T = end.value
            return result


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array`, sealed against writing before it leaves the engine."""
    array.flags.writeable = False
    return array
