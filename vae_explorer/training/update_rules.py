"""The rules by which a gradient becomes an update: Adam, Adagrad, RMSprop; each may be refused on the device.

`refused` is a device scalar: where it is 1 neither values nor moments change by a bit, and nothing waits for the device
to know. `rate` is one too, the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_explorer.config import TrainConfig

LEAST_EPS = 1e-30
"""Stands for an epsilon of 0: a weight whose gradient is exactly 0 would become 0 / 0."""

Work = Callable[[Tensor, tuple[Tensor, ...], Tensor, Tensor, Tensor, Tensor], None]
"""(values, moments, count, gradient, rate, refused): one update of one piece, number by number."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is updated, piece by piece: single parameters, or runs of them in flat buffers.

    values: without a gradient. moments: for each moment of the rule, one tensor a piece. counts: updates of each piece,
    the one that is under way included where it is not refused; scalars.
    """

    values: list[Tensor]
    moments: tuple[list[Tensor], ...]
    counts: list[Tensor]


class UpdateRule:
    """name: prefix of its tensors in a checkpoint. moments: their names. has_count: whether it counts updates."""

    def __init__(self, name: str, moments: tuple[str, ...], work: Work, *, has_count: bool = False) -> None:
        """work: what one update does to one piece."""
        self.name, self.moments, self.has_count = name, moments, has_count
        self._work = work

    @torch.no_grad()
    def update(self, pieces: Pieces, gradients: list[Tensor], *, rate: Tensor, refused: Tensor) -> None:
        """Apply one update, unless it is refused, by one gradient a piece."""
        rows = zip(pieces.values, zip(*pieces.moments, strict=True), pieces.counts, gradients, strict=True)
        for values, moments, count, gradient in rows:
            self._work(values, moments, count, gradient, rate, refused)


class FusedAdam(UpdateRule):
    """Adam by torch's fused kernel, which on a CPU reads and writes each number once."""

    def __init__(self, *, betas: tuple[float, float], eps: float) -> None:
        super().__init__("adam", _ADAM_MOMENTS, partial(_adam, betas=betas, eps=eps), has_count=True)
        self._constants: dict[str, Any] = {
            "beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": 0.0, "amsgrad": False, "maximize": False,
            "grad_scale": None,
        }  # fmt: skip

    def update(self, pieces: Pieces, gradients: list[Tensor], *, rate: Tensor, refused: Tensor) -> None:
        """As in `UpdateRule`."""
        # Not by torch.optim.Adam: a third of its time are checks and lists in Python. The kernel skips the whole update
        # where `found_inf` is 1 (the protocol of torch.amp.GradScaler).
        means, squares = pieces.moments
        torch._fused_adam_(
            pieces.values, gradients, means, squares, [], pieces.counts, lr=rate, found_inf=refused, **self._constants
        )


_ADAM_MOMENTS = ("exp_avg", "exp_avg_sq")


def update_rule(train: TrainConfig, *, is_fused: bool) -> UpdateRule:
    """Return the rule of a configuration; is_fused: whether Adam is torch's fused kernel, as on a CPU it should be."""
    eps = max(train.eps, LEAST_EPS)
    match train.optimizer:
        case "adagrad":
            return UpdateRule("adagrad", ("sum",), partial(_adagrad, eps=eps))
        case "rmsprop":
            return UpdateRule("rmsprop", ("square_avg",), partial(_rms_prop, decay=train.betas[1], eps=eps))
    if is_fused:
        return FusedAdam(betas=train.betas, eps=eps)
    return UpdateRule("adam", _ADAM_MOMENTS, partial(_adam, betas=train.betas, eps=eps), has_count=True)


def _adam(
    values: Tensor, moments: tuple[Tensor, ...], count: Tensor, gradient: Tensor, rate: Tensor, refused: Tensor,
    *, betas: tuple[float, float], eps: float,
) -> None:  # fmt: skip
    shares = adam_shares(count, betas=betas)
    adam_by_shares(values, moments, shares, gradient, rate, refused, betas=betas, eps=eps)


def adam_shares(count: Tensor, *, betas: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return how much of the gradients' mean and of their squares' the moments hold after so many updates."""
    updates = count.clamp(min=1.0)  # 0 where the very first is refused
    return 1.0 - betas[0] ** updates, 1.0 - betas[1] ** updates


def adam_by_shares(
    values: Tensor, moments: tuple[Tensor, ...], shares: tuple[Tensor, Tensor], gradient: Tensor, rate: Tensor,
    refused: Tensor, *, betas: tuple[float, float], eps: float,
) -> None:  # fmt: skip
    """Adam (Kingma & Ba 2015, algorithm 1), by `adam_shares`; shares, rate and refused are scalars, or one number a
    row of the values."""
    mean, square = moments
    applied = 1.0 - refused
    gradient = _unless(refused, gradient)
    mean.lerp_(gradient, (1.0 - betas[0]) * applied)
    square.add_((gradient.square() - square) * ((1.0 - betas[1]) * applied))
    values.sub_(mean / ((square / shares[1]).sqrt() + eps) * (rate * applied / shares[0]))


def _adagrad(
    values: Tensor, moments: tuple[Tensor, ...], count: Tensor, gradient: Tensor, rate: Tensor, refused: Tensor,
    *, eps: float,
) -> None:  # fmt: skip
    """Adagrad (Duchi et al. 2011): each weight's rate falls with the sum of its squared gradients."""
    (total,) = moments
    gradient = _unless(refused, gradient)
    total.addcmul_(gradient, gradient)
    values.sub_(rate * gradient / total.sqrt().add_(eps))


def _rms_prop(
    values: Tensor, moments: tuple[Tensor, ...], count: Tensor, gradient: Tensor, rate: Tensor, refused: Tensor,
    *, decay: float, eps: float,
) -> None:  # fmt: skip
    """RMSprop (Tieleman & Hinton 2012): the rate falls with the running root mean square of the gradient."""
    (square,) = moments
    gradient = _unless(refused, gradient)
    square.add_((gradient.square() - square) * ((1.0 - decay) * (1.0 - refused)))
    values.sub_(rate * gradient / square.sqrt().add_(eps))


def _unless(refused: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, or zeros where the update is refused: 0 times what is not finite would not be 0."""
    return torch.where(refused > 0, 0.0, gradient)
