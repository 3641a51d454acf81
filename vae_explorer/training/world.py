"""The processes that train one model together: each works on its own rows of one batch, and gradients are averaged.

What they do is what one process does with the whole batch: same images, same noise, same state of the generator, and
gradients that differ by rounding alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.errors import ConfigError, RunError, UsageError


class LostError(RunError):
    """Another process of the training has ended, or does not answer."""


@dataclass(frozen=True)
class World:
    """This process among `size` that train together; rank: its number, 0 for the one that writes and speaks.

    What talks to the others must be called by all of them, in the same order; it raises LostError where one is gone. A
    single process talks to nobody.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run and speaks."""
        return self.rank == 0

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Put the means over all processes in the place of the tensors: one exchange of one flat buffer."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _talking():
            dist.all_reduce(flat)
        parts = flat.div_(self.size).split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    # ---- quantities of the whole batch, in an objective (as `terms.Peers`) ------------------------------------------

    def mean(self, own: Tensor) -> Tensor:
        """Return the mean over the whole batch of what is one over the own rows; its gradient is that of `own`."""
        whole = own.detach().clone()
        with _talking():
            dist.all_reduce(whole)
        return own + (whole / self.size - own).detach()

    def rows(self, own: Tensor) -> Tensor:
        """Return the rows of the whole batch, those of each process in turn, for own rows (B, ...).

        The gradient of what all processes compute from them reaches the own rows alone, `size` times, so that its
        average over the processes is the gradient.
        """
        parts = [torch.empty_like(own, requires_grad=False) for _ in range(self.size)]
        with _talking():
            dist.all_gather(parts, own.detach().contiguous())
        parts[self.rank] = own.detach() + self.size * (own - own.detach())
        return torch.cat(parts)

    # ---- what the processes tell each other beside the training, on the host ----------------------------------------

    def largest(self, values: Sequence[float]) -> list[float]:
        """Return the largest of each value over all processes."""
        told = torch.tensor(values, dtype=torch.float64)
        with _talking():
            dist.all_reduce(told, dist.ReduceOp.MAX)
        largest: list[float] = told.tolist()
        return largest

    def check_alike(self, text: str, *, what: str) -> None:
        """Raise RunError, in every process, unless all have the same text."""
        own = torch.frombuffer(bytearray(hashlib.sha256(text.encode()).digest()), dtype=torch.uint8)
        told = [torch.empty_like(own) for _ in range(self.size)]
        with _talking():
            dist.all_gather(told, own)
        others = [rank for rank, digest in enumerate(told) if not torch.equal(digest, told[0])]
        if others:
            raise RunError(
                f"Process {others[0]} has another {what} than process 0; start all with the same options, images and "
                "run folder."
            )


ALONE = World()


@contextmanager
def _talking() -> Iterator[None]:
    """Say in one sentence that the others are gone; torch says so by its own kinds of RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise LostError(
            f"Another process of this training has ended or does not answer ({reason_of(error)}); torchrun with "
            "--max-restarts goes on from the last checkpoint by itself, --resume by hand."
        ) from error


def reason_of(error: Exception) -> str:
    """Return the first sentence of what torch says, without the place in its source that gloo begins with."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^\[\S+:\d+\] ", "", line).partition(". ")[0].rstrip(".")


class Share:
    """The rows of a whole batch that a process works on: an equal part of the labelled first ones and of the rest.

    The noise and the drawn zeros and ones of a whole batch are drawn by every process and cut here, so that all
    generators stay in the same state; that costs `size` times the drawing, and nothing else.
    """

    def __init__(self, world: World, *, batch_size: int, n_labelled: int = 0) -> None:
        """batch_size: of the whole batch; n_labelled: images at its beginning whose label is told."""
        self._is_whole = world.size == 1
        first, rest = n_labelled // world.size, (batch_size - n_labelled) // world.size
        spans = [(world.rank * first, first), (n_labelled + world.rank * rest, rest)]
        self._spans = [(begin, length) for begin, length in spans if length > 0]
        self._labelled = spans[0]

    def of(self, whole: Tensor, *, dim: int = 0) -> Tensor:
        """Return the own rows of a whole batch; the batch itself where nobody else is there."""
        if self._is_whole:
            return whole
        parts = [whole.narrow(dim, begin, length) for begin, length in self._spans]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim)

    def of_labels(self, labels: Tensor | None) -> Tensor | None:
        """Return the own ones of the labels that a whole batch has at its beginning."""
        return labels if labels is None or self._is_whole else labels.narrow(0, *self._labelled)


def whole_config(config: RunConfig, world: World) -> RunConfig:
    """Return the configuration of one process that does what all do together: its batch is that of all.

    config: with the batch of one process. Raises ConfigError where so large a batch cannot be.
    """
    if world.size == 1:
        return config
    try:
        return config.with_values({key: config.get(key) * world.size for key in batch_keys(config)})
    except ConfigError as error:
        raise ConfigError(f"With {world.size} processes, {error}") from None


def own_config(config: RunConfig, world: World) -> RunConfig:
    """Return the configuration with the batch of one process, of one with the batch of all.

    Raises UsageError where that cannot be shared out evenly.
    """
    if world.size == 1:
        return config
    for key in batch_keys(config):
        if config.get(key) % world.size:
            raise UsageError(
                f"{key} = {config.get(key)} of the run cannot be shared out evenly among {world.size} processes; start "
                f"{_largest_divisor(config, below=world.size)} of them, or another number that divides it."
            )
    return config.with_values({key: config.get(key) // world.size for key in batch_keys(config)})


def batch_keys(config: RunConfig) -> tuple[str, ...]:
    """Return the settings that are numbers of images in a batch."""
    labelled = ("train.labelled_batch",) if config.model.kind in LABELLED else ()
    return ("train.batch_size", *labelled)


def _largest_divisor(config: RunConfig, *, below: int) -> int:
    """The most processes that share out every batch evenly; one always does."""
    batches = [config.get(key) for key in batch_keys(config)]
    return next(size for size in range(below - 1, 0, -1) if not any(batch % size for batch in batches))
