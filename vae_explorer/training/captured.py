"""Slices of many updates, recorded once and played again: on a GPU as one CUDA graph, without Python in between.

What an update reads lies in buffers that stay where they are: indices, labels and live values of each update of a slice
are written there before it is played, so that a change of them records nothing anew. Slices have 1, 2, 4, .. updates,
so that any number is a few of them, and what is due at a step is done exactly there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from vae_explorer.objective.terms import Live
from vae_explorer.training.batches import Batches
from vae_explorer.training.live_values import Numbers

MOST_UPDATES = 64
"""Updates of the longest slice."""
SLICE_S = 0.004
"""How long a slice may take: whoever asks something waits for two of them at most (DESIGN.md, section 3)."""
_TIMED = 4

Replay = Callable[[], None]


@dataclass(frozen=True, slots=True)
class StepInputs:
    """What an update reads beside model, images and noise, on the device.

    indices: int64 (B,), of the whole batch. labels: int64 (n,), of its first n images, or None. rate: the learning
    rate; with live all that is steered, scalars, or (M,) of M models that are trained side by side.
    """

    indices: Tensor
    labels: Tensor | None
    rate: Tensor
    live: Live


class Recorder(Protocol):
    """What records the work of a device: CUDA graphs, or a stand-in."""

    def warm_up(self, body: Replay) -> None:
        """Do the work some times, so that nothing is built or allocated for good while it is recorded."""

    def record(self, body: Replay) -> Replay:
        """Return what does again what `body` does, on the same tensors."""

    def seconds(self, replay: Replay) -> float:
        """Return how long the device takes; waits for it."""


InForceAt = Callable[[int], Sequence[Numbers]]
"""From a step to learning rate, beta and free bits in the update that follows it, of each model."""


class SliceBuffers:
    """The inputs of MOST_UPDATES updates, in tensors that stay where they are."""

    def __init__(
        self,
        batches: Batches,
        in_force: InForceAt,
        *,
        shape: tuple[int, ...] = (),
        batch_size: int,
        device: torch.device,
        most: int = MOST_UPDATES,
    ) -> None:
        """shape: of each live value as an update reads it, (M,) where `in_force` is of M models side by side."""
        self._batches, self._in_force, self._shape = batches, in_force, torch.Size(shape)
        # All that an update reads begins at a multiple of 16 bytes: a compiled function would copy it first otherwise.
        self._indices = _even_rows(most, batch_size, device=device)
        self._labels = _even_rows(most, batches.n_labelled, device=device)
        self._values = torch.zeros(most, 3, -(-self._shape.numel() // 4) * 4, device=device)
        self._written: list[Sequence[Numbers]] = []
        self._has_labels = False

    def fill(self, step: int, n: int) -> None:
        """Write what the n updates that follow `step` updates read; nothing is waited for."""
        self._indices[:n].copy_(self._batches.span(step, n))
        labels = self._batches.labels_span(step, n)
        self._has_labels = labels is not None
        if labels is not None:
            self._labels[:n].copy_(labels)
        values = [self._in_force(step + place) for place in range(n)]
        if values != self._written[:n]:
            table = torch.zeros(n, *self._values.shape[1:])
            table[..., : self._shape.numel()] = torch.tensor(values).transpose(1, 2)
            # From memory that is not pinned: CUDA has taken it over before it returns, and waits for nothing.
            self._values[:n].copy_(table, non_blocking=True)
            self._written[:n] = values

    def row(self, place: int) -> StepInputs:
        """Return the inputs of the update with this number in a slice, views; with labels where they were filled."""
        rate, beta, free_bits = (of[: self._shape.numel()].view(self._shape) for of in self._values[place])
        labels = self._labels[place] if self._has_labels else None
        return StepInputs(self._indices[place], labels, rate, Live(beta=beta, free_bits=free_bits))


def _even_rows(n_rows: int, width: int, *, device: torch.device) -> Tensor:
    """Zeros (n_rows, width), int64, each row of which begins at a multiple of 16 bytes."""
    return torch.zeros(n_rows, width + width % 2, dtype=torch.int64, device=device)[:, :width]


@dataclass(slots=True)
class _Recorded:
    """The slices of one shape, by their number of updates. most: updates that fit in SLICE_S."""

    most: int = 1
    replays: dict[int, Replay] = field(default_factory=dict)


class CapturedSlices:
    """Does updates by slices that are recorded when they are first needed.

    one: does an update of a shape, from its inputs. rehearsing: what makes updates change nothing meanwhile, the state
    of the generator included.
    n_recorded: slices recorded so far.
    """

    def __init__(
        self,
        buffers: SliceBuffers,
        one: Callable[[StepInputs], None],
        recorder: Recorder,
        *,
        rehearsing: Callable[[], AbstractContextManager[None]],
        most: int = MOST_UPDATES,
    ) -> None:
        self._buffers, self._one, self._recorder = buffers, one, recorder
        self._rehearsing, self._most = rehearsing, most
        self._shapes: dict[Hashable, _Recorded] = {}
        self.n_recorded = 0

    def work(self, step: int, n: int, *, shape: Hashable) -> int:
        """Do at most n of the updates that follow `step` updates; return how many. shape: what they have in common,
        beside their inputs: another one is recorded anew."""
        recorded = self._shapes.get(shape)
        if recorded is None:
            self._buffers.fill(step, 1)
            recorded = self._shapes[shape] = self._begun()
        size = 1 << (min(n, recorded.most).bit_length() - 1)
        self._buffers.fill(step, size)
        replay = recorded.replays.get(size)
        if replay is None:
            replay = recorded.replays[size] = self._record(size)
        replay()
        return size

    def _begun(self) -> _Recorded:
        """Record a slice of one update, and find out how many take SLICE_S."""
        with self._rehearsing():
            self._recorder.warm_up(self._body(1))
            first = self._record(1)
            seconds = self._recorder.seconds(first)
        fitting = int(SLICE_S / seconds) if seconds > 0 else self._most
        return _Recorded(most=max(1, min(fitting, self._most)), replays={1: first})

    def _record(self, size: int) -> Replay:
        replay = self._recorder.record(self._body(size))
        self.n_recorded += 1
        return replay

    def _body(self, size: int) -> Replay:
        rows = [self._buffers.row(place) for place in range(size)]

        def body() -> None:
            for row in rows:
                self._one(row)

        return body


class GraphRecorder:
    """Records CUDA graphs in one memory pool: they are never played at the same time."""

    def __init__(self, device: torch.device, generator: torch.Generator) -> None:
        """generator: draws what is random in the work; each playing draws on from where it is."""
        self._device, self._generator = device, generator
        self._stream = _side_stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, body: Replay) -> None:
        """As in `Recorder`; on a stream of its own, as CUDA graphs want it."""
        present = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            for _ in range(3):
                body()
        present.wait_stream(self._stream)

    def record(self, body: Replay) -> Replay:
        """As in `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        try:
            # The outer `stream` is left whatever happens: `graph` stays on its stream where a capture was broken off.
            # Other threads may use the device meanwhile: the reader answers from a copy of the weights.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                body()
        except BaseException:
            _BROKEN_OFF.append(graph)
            raise
        return graph.replay

    def seconds(self, replay: Replay) -> float:
        """As in `Recorder`."""
        with torch.cuda.device(self._device):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            replay()
            begin.record()
            for _ in range(_TIMED):
                replay()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) / 1000 / _TIMED


_BROKEN_OFF: list[torch.cuda.CUDAGraph] = []
"""Graphs whose capture failed, never freed: torch's allocator goes on asking them which memory is theirs."""


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """The one stream of a device on which is recorded: for each stream torch keeps a workspace for good."""
    return torch.cuda.Stream(device)
