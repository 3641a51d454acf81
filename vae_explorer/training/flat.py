"""Tensors in one buffer: each is a view of it, so that one kernel serves all of them, or any run of neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ALIGNMENT = 32
"""Numbers to which each view is aligned: 128 bytes, so that kernels read every one of them in whole vectors."""


class FlatLayout:
    """Where tensors of given shapes lie in a buffer of `size` numbers; those between them are zero, and stay so."""

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self._shapes, self._begins = list(shapes), [0]
        for shape in shapes:
            self._begins.append(self._begins[-1] + -(-shape.numel() // ALIGNMENT) * ALIGNMENT)
        self.size = self._begins[-1]

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the tensors of a buffer (size,), views of it."""
        places = zip(self._begins, self._shapes, strict=False)
        return [flat[begin : begin + shape.numel()].view(shape) for begin, shape in places]

    def run(self, flat: Tensor, neighbours: range) -> Tensor:
        """Return the part of a buffer that holds the tensors with these numbers, one after another: (n,), a view."""
        return flat[self._begins[neighbours.start] : self._begins[neighbours.stop]]


def flattened(parameters: Sequence[nn.Parameter], layout: FlatLayout) -> Tensor:
    """Move parameters into one buffer, (layout.size,), and return it; they stay the same objects, as views."""
    flat = torch.zeros(layout.size, dtype=parameters[0].dtype, device=parameters[0].device)
    for parameter, view in zip(parameters, layout.views(flat), strict=True):
        view.copy_(parameter.detach())
        parameter.data = view
    return flat
