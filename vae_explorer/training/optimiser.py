"""An optimiser whose updates are predicated on the device: one that is not finite changes no weight and no moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor, nn

from vae_explorer.config import TrainConfig
from vae_explorer.model.model import Model
from vae_explorer.training.compiling import Compiled
from vae_explorer.training.flat import FlatLayout, flattened
from vae_explorer.training.metrics import MetricSums
from vae_explorer.training.precision import HalfWeights
from vae_explorer.training.update_rules import Pieces, update_rule
from vae_explorer.training.world import ALONE, World

Part = Literal["encoder", "decoder"]


class GuardedOptimiser:
    """Adam, Adagrad or RMSprop with a latch against divergence.

    Parameters, gradients and moments lie in flat buffers. On an accelerator runs of them are updated by one kernel
    each; gradients are gathered into their buffer by one more, which costs less than having autograd add them there:
    that would be one kernel a parameter, and one to set zeros. On a CPU nothing is gathered, since copying would cost
    more than a kernel does: each parameter is a piece of its own.

    world: the processes whose gradients are averaged before they are looked at, so that all decide alike. halves: the
    weights in half precision that are differentiated in the place of the model's, or None.
    part: whose weights are updated: 'encoder' those of q(z|x) and q(y|x), 'decoder' all others, None all. The first
    loss or gradient that is not finite sets the latch, and no update is applied until `release`. Nothing here waits for
    the device but `is_latched`.
    """

    def __init__(
        self,
        model: Model,
        train: TrainConfig,
        *,
        world: World = ALONE,
        halves: HalfWeights | None = None,
        is_flat: bool | None = None,
    ) -> None:
        """is_flat: whether pieces are runs of buffers; None: as it is best on the model's device."""
        self._world, self._halves = world, halves
        self._names, parameters = zip(*model.named_parameters(), strict=True)
        self._parameters: list[nn.Parameter] = list(parameters)
        self._leaves = self._parameters if halves is None else halves.leaves
        self._layout = FlatLayout([parameter.shape for parameter in self._parameters])
        self._values = flattened(self._parameters, self._layout)
        self._is_flat = model.device.type != "cpu" if is_flat is None else is_flat
        self._rule = update_rule(train, is_fused=not self._is_flat)
        self._moments = [torch.zeros_like(self._values) for _ in self._rule.moments]
        self._gradients = torch.zeros_like(self._values) if self._is_flat else self._values.new_zeros(0)
        self._counts = torch.zeros(len(self._parameters), device=model.device)
        self._refused = torch.zeros((), device=model.device)
        self._scale, self._scale_floor = model.learnt_log_scale, model.log_scale_floor
        self._known: dict[tuple[int, ...], _Apart | _Flat] = {}
        self._follow: Callable[[_Flat, Tensor, Tensor, MetricSums], None] = self._plain_follow
        self.restrict(None)

    def restrict(self, part: Part | None) -> None:
        """Update the weights of one part alone, or all again; the moments of the others stand still with them."""
        self.part: Part | None = part
        self._wanted = tuple(
            place
            for place, name in enumerate(self._names)
            if part is None or _is_of_encoder(name) == (part == "encoder")
        )
        self._differentiated = [self._leaves[place] for place in self._wanted]

    def compile(self) -> None:
        """Have what follows from the gradients compiled at the next update, which takes some seconds."""
        self._follow = Compiled(self._plain_follow)

    def minimise(self, differentiated: Tensor, *, row: Tensor, rate: Tensor, sums: MetricSums) -> None:
        """Apply one update by the gradient of a scalar and add its figures to the sums, unless it is refused.

        row: figures of the update, its loss first; they become those of all processes. rate: the learning rate, a
        scalar on the device.
        """
        moving, found = self._gradients_of(differentiated)
        if isinstance(moving, _Apart):
            gradients = [gradient.float().contiguous() for gradient in found]
            self._world.average_([*gradients, row])
            self._look_and_update(moving, gradients, row, rate, sums)
        else:
            torch._foreach_copy_(moving.into, found)
            self._world.average_([*self._cut(self._gradients, moving), row])
            self._follow(moving, row, rate, sums)
        self._finish()

    def _look_and_update(
        self, moving: _Apart, gradients: list[Tensor], row: Tensor, rate: Tensor, sums: MetricSums
    ) -> None:
        """On a CPU, where looking costs less than predicating."""
        norms = torch._foreach_norm(gradients)
        if self._refused.item() or not math.isfinite(row[0].item() + sum(norm.item() for norm in norms)):
            self._refused.fill_(1.0)
            return
        self._counts.add_(moving.counted)
        self._rule.update(moving.pieces, gradients, rate=rate, refused=self._refused)
        sums.add(row)

    def _plain_follow(self, moving: _Flat, row: Tensor, rate: Tensor, sums: MetricSums, /) -> None:
        """All that follows from the gradients in their buffer, nothing of which is waited for."""
        # Buffers are cut here, not before: a compiler would copy what comes to it as views that share memory.
        gradients, values = self._cut(self._gradients, moving), self._cut(self._values, moving)
        moments = tuple(self._cut(moment, moving) for moment in self._moments)
        total = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).sum() + row[0]
        # 0 times what is not finite is not 0.
        self._refused.copy_((total * 0.0).ne(0.0).logical_or(self._refused))
        self._counts.add_(torch.where(self._refused > 0, 0.0, moving.counted))
        pieces = Pieces(values, moments, [self._counts[run.start] for run in moving.runs])
        self._rule.update(pieces, gradients, rate=rate, refused=self._refused)
        sums.add(row, self._refused)

    def _cut(self, flat: Tensor, moving: _Flat) -> list[Tensor]:
        return [self._layout.run(flat, run) for run in moving.runs]

    def _finish(self) -> None:
        """Bring up to date what follows from the weights."""
        if self._scale is not None:
            # Projected after the update, not clamped in the model: a gradient can lead away from the floor again.
            self._scale.detach().clamp_(min=self._scale_floor)
        if self._halves is not None:
            self._halves.refresh()

    def _gradients_of(self, differentiated: Tensor) -> tuple[_Apart | _Flat, list[Tensor]]:
        """What an update moves, all that the loss depends on, and one gradient for each parameter of it."""
        # Not by `backward`: autograd would add to gradients that it keeps, on streams of its own choice.
        found = torch.autograd.grad(differentiated, self._differentiated, allow_unused=True)
        places, present = self._wanted, [gradient for gradient in found if gradient is not None]
        if len(present) < len(found):
            places = tuple(place for place, one in zip(places, found, strict=True) if one is not None)
        moving = self._known.get(places)
        if moving is None:
            moving = self._known[places] = self._moving(places)
        return moving, present

    def _moving(self, places: tuple[int, ...]) -> _Apart | _Flat:
        counted = torch.zeros_like(self._counts)
        counted[list(places)] = 1.0
        if self._is_flat:
            views = self._layout.views(self._gradients)
            return _Flat(counted, runs=tuple(self._runs(places)), into=[views[place] for place in places])
        chosen = [[self._layout.views(flat)[place] for place in places] for flat in (self._values, *self._moments)]
        counts = [self._counts[place] for place in places]
        return _Apart(counted, pieces=Pieces(chosen[0], tuple(chosen[1:]), counts))

    def _runs(self, places: tuple[int, ...]) -> Iterator[range]:
        """Neighbours that are always updated together, so that they have one count."""
        for _, group in groupby(enumerate(places), key=lambda pair: (pair[1] - pair[0], _kind(self._names[pair[1]]))):
            run = [place for _, place in group]
            yield range(run[0], run[-1] + 1)

    # ---- the latch --------------------------------------------------------------------------------------------------

    def is_latched(self) -> bool:
        """Whether an update was refused since the last `release`; waits for the device."""
        return bool(self._refused.item())

    def release(self) -> None:
        """Apply updates again."""
        self._refused.zero_()

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Refuse every update meanwhile: they are worked out, and change nothing."""
        before = self._refused.clone()
        self._refused.fill_(1.0)
        try:
            yield
        finally:
            self._refused.copy_(before)

    # ---- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """Return the moments and counts as 'adam.exp_avg.<parameter>' and so on, on the device (not copied)."""
        by_moment = dict(zip(self._rule.moments, map(self._layout.views, self._moments), strict=True))
        if self._rule.has_count:
            by_moment = {"step": list(self._counts), **by_moment}
        return {
            f"{self._rule.name}.{key}.{name}": tensors[place]
            for place, name in enumerate(self._names)
            for key, tensors in by_moment.items()
        }

    def restored(self) -> None:
        """Bring what follows from the weights up to date: they were changed from outside."""
        if self._halves is not None:
            self._halves.refresh()


@dataclass(frozen=True, slots=True)
class _Apart:
    """What an update moves where each parameter is a piece. counted: 1 for each parameter that is among it, else 0."""

    counted: Tensor
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class _Flat:
    """What an update moves where pieces are runs of neighbours. into: where the gradients of the parameters are
    gathered."""

    counted: Tensor
    runs: tuple[range, ...]
    into: list[Tensor]


def _is_of_encoder(name: str) -> bool:
    return not {"encoder", "classifier"}.isdisjoint(name.split("."))


def _kind(name: str) -> tuple[bool, bool]:
    """What decides when a parameter is updated: its part, and whether it belongs to M2 or to the VAE below."""
    return _is_of_encoder(name), name.startswith("parts.")
