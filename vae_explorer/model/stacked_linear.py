"""Fully connected layers of several models at once: one batched product for all, in the layouts that products like.

What vmap makes of a linear layer copies weights and gradients into other layouts, which takes a third of an update.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class StackableLinear(nn.Linear):
    """A linear layer that vmap works as `stacked_linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out) for x (..., in)."""
        return _Stackable.apply(x, self.weight, self.bias)


def stacked_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return (M, B, out) for weights (M, out, in), biases (M, out), and x (M, B, in), or (B, in) common to all."""
    return _StackedLinear.apply(x, weight, bias)


class _Stackable(torch.autograd.Function):
    """A linear layer whose rule for vmap is `stacked_linear`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        return

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, int]:
        rows = x.flatten(0, -2) if in_dims[0] is None else x.movedim(in_dims[0], 0).flatten(1, -2)
        batch = x.shape[:-1] if in_dims[0] is None else x.movedim(in_dims[0], 0).shape[1:-1]
        return stacked_linear(rows, weight, bias).unflatten(1, batch), 0


class _StackedLinear(torch.autograd.Function):
    """Where x is common to all models, all their weights are one matrix: x is read once, not once for each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if x.dim() == 3:
            return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))
        together = torch.addmm(bias.flatten(), x, weight.flatten(0, 1).t())  # (B, M out)
        return together.view(len(x), *bias.shape).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        of_bias = gradient.sum(1)
        if x.dim() == 3:
            of_weight = torch.bmm(gradient.transpose(1, 2), x)  # (M, out, in), as the weights lie
            return torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None, of_weight, of_bias
        together = gradient.transpose(0, 1).reshape(len(x), -1)  # (B, M out)
        of_x = together @ weight.flatten(0, 1) if ctx.needs_input_grad[0] else None
        return of_x, (together.t() @ x).view_as(weight), of_bias
