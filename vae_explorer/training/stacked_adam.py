"""Adam over stacked parameters, each model with a latch of its own: one that diverges holds no other up."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_explorer.config import TrainConfig
from vae_explorer.model.stacked import StackedModels
from vae_explorer.training.update_rules import LEAST_EPS


class StackedAdam:
    """Adam (Kingma & Ba 2015) by torch's fused kernels, the same that a plain run has, once for each model.

    rates: the learning rate of each model, (M,). latches: (M,), 1 from the first loss or gradient of a model that is
    not finite on: its weights and moments then stand still, bit by bit. Nothing here waits for the device.
    """

    def __init__(self, stacked: StackedModels, train: TrainConfig, *, rates: Tensor) -> None:
        self._parameters = list(stacked.parameters.values())
        self._rates = rates
        self._betas, self._eps = train.betas, max(train.eps, LEAST_EPS)
        self.latches = torch.zeros(len(stacked), device=stacked.device)
        # torch keeps a count of updates for each parameter, and so does a checkpoint.
        self._counts = torch.zeros(len(self._parameters), len(stacked), device=stacked.device)
        self._moments = [(torch.zeros_like(p).detach(), torch.zeros_like(p).detach()) for p in self._parameters]
        self._names = list(stacked.parameters)
        self._seats = [self._seat(model) for model in range(len(stacked))]
        self._floor = stacked.template.log_scale_floor
        scale = stacked.template.learnt_log_scale
        of_scale = [name for name, parameter in stacked.template.named_parameters() if parameter is scale]
        self._scales = [stacked.parameters[name].detach() for name in of_scale]

    def _seat(self, model: int) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Views of one model's parameters, first and second moments, and counts."""
        return (
            [parameter.detach()[model] for parameter in self._parameters],
            [first[model] for first, _ in self._moments],
            [second[model] for _, second in self._moments],
            [count[model] for count in self._counts],
        )

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return what a plain run's Adam stores, by the same names, of one model (not copied)."""
        _, firsts, seconds, counts = self._seats[model]
        return {
            f"adam.{key}.{name}": tensor
            for name, *tensors in zip(self._names, counts, firsts, seconds, strict=True)
            for key, tensor in zip(("step", "exp_avg", "exp_avg_sq"), tensors, strict=True)
        }

    def minimise(self, loss: Tensor, *, differentiated: Tensor) -> Tensor:
        """Apply one update for losses (M,); return the latches, 1 where a model's update was not applied."""
        gradients = torch.autograd.grad(differentiated.sum(), self._parameters)
        with torch.no_grad():
            norms = torch.stack([torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in gradients])
            is_sound = torch.isfinite(norms.sum(0) + loss)
            self.latches.copy_(is_sound.logical_not_().logical_or_(self.latches))
            self._counts.add_(1.0 - self.latches)
            by_model = zip(*(gradient.unbind() for gradient in gradients), strict=True)
            for model, (seat, of_model) in enumerate(zip(self._seats, by_model, strict=True)):
                self._update(model, seat, list(of_model))
            for scale in self._scales:
                scale.clamp_(min=self._floor)
        return self.latches

    def _update(
        self, model: int, seat: tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]], gradients: list[Tensor]
    ) -> None:
        parameters, firsts, seconds, counts = seat
        torch._fused_adam_(
            parameters, gradients, firsts, seconds, [], counts, lr=self._rates[model], beta1=self._betas[0],
            beta2=self._betas[1], weight_decay=0.0, eps=self._eps, amsgrad=False, maximize=False, grad_scale=None,
            found_inf=self.latches[model],
        )  # fmt: skip
