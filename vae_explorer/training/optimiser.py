"""An optimiser whose updates are predicated on the device: one that is not finite changes no weight and no moment."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vae_explorer.config import TrainConfig
from vae_explorer.model.model import Model
from vae_explorer.training.update_rules import Adagrad, Adam, RmsProp, UpdateRule
from vae_explorer.training.world import ALONE, World

Part = Literal["encoder", "decoder"]


class GuardedOptimiser:
    """Adam, Adagrad or RMSprop with a latch against divergence; rate: the learning rate, a scalar on the device.

    world: the processes whose gradients are averaged before they are looked at, so that all decide alike.
    part: whose weights are updated: 'encoder' those of q(z|x) and q(y|x), 'decoder' all others, None all. The first
    loss or gradient that is not finite sets the latch, and no update is applied until `release`. Nothing here waits for
    the device but `is_latched`.
    """

    def __init__(self, model: Model, train: TrainConfig, *, rate: Tensor, world: World = ALONE) -> None:
        self._world = world
        self._named = dict(model.named_parameters())
        self._parameters = list(self._named.values())
        self._scale = model.learnt_log_scale
        self._scale_floor = model.log_scale_floor
        self._latch = torch.zeros((), device=model.device)
        self._rule = _rule(train, self._parameters, rate=rate, refused=self._latch)
        self._standing: list[nn.Parameter] = []
        self.part: Part | None = None

    def restrict(self, part: Part | None) -> None:
        """Update the weights of one part alone, or all again; the moments of the others stand still with them."""
        self.part = part
        self._standing = [
            parameter
            for name, parameter in self._named.items()
            if part is not None and _is_of_encoder(name) != (part == "encoder")
        ]

    def minimise(self, differentiated: Tensor, *, row: Tensor) -> Tensor:
        """Apply one update by the gradient of a scalar; return the latch, 1 where it was not applied, else 0.

        row: figures of the update, its loss first; they become those of all processes.
        """
        differentiated.backward()
        for parameter in self._standing:
            parameter.grad = None
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        self._world.average_([*gradients, row])
        norm = nn.utils.get_total_norm(gradients)
        self._latch.copy_(torch.isfinite(norm + row[0]).logical_not_().logical_or_(self._latch))
        self._rule.step()
        for parameter in self._parameters:
            parameter.grad = None
        if self._scale is not None:
            # Projected after the update, not clamped in the model: a gradient can lead away from the floor again.
            self._scale.detach().clamp_(min=self._scale_floor)
        return self._latch

    def is_latched(self) -> bool:
        """Whether an update was refused since the last `release`; waits for the device."""
        return bool(self._latch.item())

    def release(self) -> None:
        """Apply updates again."""
        self._latch.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return the moments and counts as 'adam.exp_avg.<parameter>' and so on, on the device (not copied)."""
        return {
            f"{self._rule.name}.{key}.{name}": tensor
            for name, parameter in self._named.items()
            for key, tensor in self._rule.moments[parameter].items()
        }


def _is_of_encoder(name: str) -> bool:
    return not {"encoder", "classifier"}.isdisjoint(name.split("."))


def _rule(train: TrainConfig, parameters: list[nn.Parameter], *, rate: Tensor, refused: Tensor) -> UpdateRule:
    match train.optimizer:
        case "adagrad":
            return Adagrad(parameters, rate=rate, refused=refused, eps=train.eps)
        case "rmsprop":
            return RmsProp(parameters, rate=rate, refused=refused, decay=train.betas[1], eps=train.eps)
        case _:
            return Adam(parameters, rate=rate, refused=refused, betas=train.betas, eps=train.eps)
