"""Long work in slices, so that whoever has asked can do other things in between, and end it there."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import torch
from torch import Tensor

from vae_explorer.objective.blocks import BLOCK_NUMBERS
from vae_explorer.objective.reading import ModelReader

T = TypeVar("T")
Slices = Generator[float, None, T]
"""Yields the share that is done, 0 to 1, and returns the result."""

_CODES = {"mlp": 1024, "conv": 64}
_NUMBERS = 1 << 22
"""Pixels decoded at once, at most: 16 MiB an intermediate result."""


def codes_at_once(model: ModelReader) -> int:
    """Return how many codes are decoded in one slice: some milliseconds' work, in bounded memory."""
    pixels = torch.Size(model.model.shape).numel() * max(1, model.model.n_classes)
    if model.pixels.device.type == "cuda":
        return max(1, BLOCK_NUMBERS["cuda"] // pixels)  # fewer would leave it waiting for the next kernel
    return max(1, min(_CODES[model.config.model.network], _NUMBERS // pixels))


def drain(slices: Slices[T]) -> T:
    """Work all slices at once and return the result."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: T = end.value
            return result


def between(slices: Slices[T], low: float, high: float) -> Slices[T]:
    """Work `slices` as the part of something larger that goes from share `low` to share `high`."""
    while True:
        try:
            share = next(slices)
        except StopIteration as end:
            result: T = end.value
            return result
        yield low + share * (high - low)


def rising(slices: Slices[T]) -> Slices[T]:
    """Work `slices`, whose parts take as many turns as they need, so that the share told never falls."""
    done = 0.0
    while True:
        try:
            done = max(done, next(slices))
        except StopIteration as end:
            result: T = end.value
            return result
        yield done


def code_tensor(model: ModelReader, codes: object) -> Tensor:
    """Return codes as float32 on the model's device."""
    return torch.as_tensor(codes, dtype=torch.float32).to(model.pixels.device)
