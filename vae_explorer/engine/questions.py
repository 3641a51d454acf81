"""Questions of the theory about one image, in slices from frozen weights: true posterior, bounds, best q, terms."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from vae_explorer.engine.messages import (
    Climb,
    Climbed,
    Improve,
    Improved,
    Inspect,
    Inspected,
    ReadTerms,
    TermsRead,
)
from vae_explorer.engine.slices import Slices, read_only
from vae_explorer.errors import UsageError
from vae_explorer.evaluation.exact_posterior import inspect_slices
from vae_explorer.evaluation.improve import improve_slices
from vae_explorer.evaluation.ladder import climb_slices
from vae_explorer.evaluation.shared_grid import LOOKED_AT, SharedGrid, grid_slices

Theory = Inspect | Climb | Improve | ReadTerms
TheoryAnswer = Inspected | Climbed | Improved | TermsRead
A = TypeVar("A", Inspected, Climbed, Improved, TermsRead)

FINE_SIDE, COARSE_SIDE, LIVE_SIDE = 201, 41, 31
"""Cells a side of the lattice that the exact posteriors of all images share: for figures, for a first look, and for
looks at weights that move."""
LIVE_LOOKED_AT = 256
"""Images whose codes the box of a live lattice holds: a posterior that reaches its edge gets a wider one."""


class Lattice:
    """The shared lattices of one frozen model, decoded once, whoever asks: begun by one question, finished by the next.

    That of MNIST takes some hundred MB, so whoever holds this lets it go together with the model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._made: dict[int, SharedGrid] = {}
        self._making: dict[int, Slices[SharedGrid]] = {}

    def slices(self, *, is_fine: bool, is_live: bool = False) -> Slices[SharedGrid]:
        """Work out the fine lattice, which also serves all other looks once it is there, the coarse or the live one.

        Raises UsageError where a model has none (latent_dim > 2, autoencoders, classes).
        """
        side = FINE_SIDE if is_fine or FINE_SIDE in self._made else LIVE_SIDE if is_live else COARSE_SIDE
        while side not in self._made:
            if side not in self._making:
                looked_at = LIVE_LOOKED_AT if side == LIVE_SIDE else LOOKED_AT
                self._making[side] = grid_slices(self.model, side=side, looked_at=looked_at)
            try:
                share = next(self._making[side])
            except StopIteration as end:
                self._made[side] = end.value
            except Exception:
                del self._making[side]
                raise
            else:
                yield share
        self._making.pop(side, None)
        return self._made[side]


def theory_slices(request: Theory, lattice: Lattice, *, n_images: int, is_live: bool = False) -> Slices[TheoryAnswer]:
    """Answer a question of the theory from the weights of `lattice`; UsageError where these have no such thing.

    is_live: whether the session's weights move on meanwhile, so that a rough answer now is worth more than a good one.
    """
    model, index = lattice.model, request.index
    if not 0 <= index < n_images:
        raise UsageError(f"Image {index} is not there: the data has images 0 to {n_images - 1}.")
    match request:
        case Inspect():
            is_rough = is_live and not request.is_fine
            grid = yield from lattice.slices(is_fine=request.is_fine, is_live=is_rough)
            posterior = yield from inspect_slices(model, grid, index, is_fine=request.is_fine, is_live=is_rough)
            return _answer(Inspected, request, posterior, step=model.step)
        case Climb():
            ladder = yield from climb_slices(model, index, samples=request.samples, seed=request.seed)
            return _answer(Climbed, request, ladder, step=model.step)
        case Improve():
            has_lattice = model.config.model.kind == "vae" and model.latent_dim <= 2
            shared = (yield from lattice.slices(is_fine=True)) if has_lattice else None
            way = yield from improve_slices(model, index, grid=shared)
            return _answer(Improved, request, way, step=model.step)
        case ReadTerms():
            terms = model.terms(index, samples=request.samples, seed=request.seed)
            yield 1.0
            return _answer(TermsRead, request, terms, step=model.step)


def _answer(kind: type[A], request: Theory, found: Any, *, step: int) -> A:
    """Return what was found as a message: the records of evaluation name their figures as the messages do."""
    values: dict[str, Any] = {"channel": request.channel, "id": request.id, "step": step, "index": request.index}
    for name in (field.name for field in fields(kind) if field.name not in values):
        value = getattr(found, name)
        values[name] = read_only(value) if isinstance(value, np.ndarray) else value
    return kind(**values)
