"""Bernoulli likelihoods of several models at once, in as few passes over the pixels as one model takes.

What vmap makes of torch's cross-entropy takes three times as many passes, a fifth of an update.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from vae_explorer.model.heads import BernoulliHead
from vae_explorer.model.likelihoods import Bernoulli


class StackableBernoulliHead(BernoulliHead):
    """Reads a decoder's output as logits, under vmap too."""

    def forward(self, raw: Tensor) -> Bernoulli:
        """Return p(x|z) for raw (..., C, H, W)."""
        return _StackableBernoulli(raw)


class _StackableBernoulli(Bernoulli):
    __slots__ = ()

    def log_prob(self, x: Tensor) -> Tensor:
        return _LogProb.apply(self.logits, x)


class _LogProb(torch.autograd.Function):
    """sum over pixels of x logits - log(1 + exp(logits)), (...,), for logits (..., C, H, W) and images x."""

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        return (logits * x).sub_(F.softplus(logits)).flatten(-3).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, x = ctx.saved_tensors
        return (x - logits.sigmoid()).mul_(gradient[..., None, None, None]), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor, x: Tensor) -> tuple[Tensor, int]:
        # Only logits differ from model to model; images common to all are broadcast against them.
        of_models = logits.movedim(in_dims[0] or 0, 0)
        return _LogProb.apply(of_models, x if in_dims[1] is None else x.movedim(in_dims[1], 0)), 0
