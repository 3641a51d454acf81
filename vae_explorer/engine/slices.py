"""What leaves the engine: worked in slices, so that the loop can turn in between, and sealed."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from vae_explorer.evaluation.slices import Slices, T, drain

__all__ = ["Slices", "T", "drain", "read_only"]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array`, sealed against writing before it leaves the engine."""
    array.flags.writeable = False
    return array
