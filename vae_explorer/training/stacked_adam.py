"""Adam over stacked parameters, each model with a latch of its own: one that diverges holds no other up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from vae_explorer.config import TrainConfig
from vae_explorer.model.stacked import StackedModels
from vae_explorer.training.compiling import Compiled
from vae_explorer.training.update_rules import LEAST_EPS, adam_by_shares, adam_shares

Shares = tuple[Tensor, Tensor]


class StackedAdam:
    """Adam (Kingma & Ba 2015) over parameters (M, ...): model by model, or on an accelerator all together.

    On a CPU each model is updated by the fused kernel that a plain run has, bit for bit as there. An accelerator would
    be left idle by kernels of one model's size: there a parameter of all models is updated number by number.

    latches: (M,), 1 from the first loss or gradient of a model that is not finite on: its weights and moments then
    stand still, bit by bit. Nothing here waits for the device.
    """

    def __init__(self, stacked: StackedModels, train: TrainConfig, *, is_together: bool | None = None) -> None:
        """is_together: whether all models are updated at once; None: as it is best on their device."""
        self._parameters = list(stacked.parameters.values())
        self._betas, self._eps = train.betas, max(train.eps, LEAST_EPS)
        self.latches = torch.zeros(len(stacked), device=stacked.device)
        # torch keeps a count of updates for each parameter, and so does a checkpoint.
        self._counts = torch.zeros(len(self._parameters), len(stacked), device=stacked.device)
        self._moments = [(torch.zeros_like(p).detach(), torch.zeros_like(p).detach()) for p in self._parameters]
        self._names = list(stacked.parameters)
        self._seats = [self._seat(model) for model in range(len(stacked))]
        self._rows = [_rows(p.detach(), *moments) for p, moments in zip(self._parameters, self._moments, strict=True)]
        self._floor = stacked.template.log_scale_floor
        scale = stacked.template.learnt_log_scale
        of_scale = [name for name, parameter in stacked.template.named_parameters() if parameter is scale]
        self._scales = [stacked.parameters[name].detach() for name in of_scale]
        self._is_together = stacked.device.type != "cpu" if is_together is None else is_together
        self._judge: Callable[[Sequence[Tensor], Tensor], Shares] = self._plain_judge
        self._apply: Callable[[Sequence[Tensor], Shares, Tensor], None] = self._plain_apply

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

    def compile(self) -> None:
        """Have what follows from the gradients compiled at the next update, which takes some seconds."""
        # Two functions: in one, a compiler would work out the powers of a model's shares anew for each of its weights.
        self._judge, self._apply = Compiled(self._plain_judge), Compiled(self._plain_apply)

    def minimise(self, loss: Tensor, *, differentiated: Tensor, rates: Tensor) -> Tensor:
        """Apply one update for losses (M,) by learning rates (M,); return the latches, 1 where it was not applied."""
        gradients = torch.autograd.grad(differentiated.sum(), self._parameters)
        with torch.no_grad():
            if self._is_together:
                shares = self._judge(gradients, loss.detach())
                self._apply(gradients, shares, rates)
            else:
                self._look(gradients, loss)
                by_model = zip(*(gradient.unbind() for gradient in gradients), strict=True)
                for model, of_model in enumerate(by_model):
                    self._update_one(model, list(of_model), rates[model])
            for scale in self._scales:
                scale.clamp_(min=self._floor)
        return self.latches

    def _look(self, gradients: Sequence[Tensor], loss: Tensor) -> None:
        """Set the latches of models whose loss or gradient is not finite, and count the updates of the others."""
        norms = torch.stack([torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in gradients])
        is_sound = torch.isfinite(norms.sum(0) + loss)
        self.latches.copy_(is_sound.logical_not_().logical_or_(self.latches))
        self._counts.add_(1.0 - self.latches)

    # ---- one after another ------------------------------------------------------------------------------------------

    def _update_one(self, model: int, gradients: list[Tensor], rate: Tensor) -> None:
        parameters, firsts, seconds, counts = self._seats[model]
        torch._fused_adam_(
            parameters, gradients, firsts, seconds, [], counts, lr=rate, beta1=self._betas[0], beta2=self._betas[1],
            weight_decay=0.0, eps=self._eps, amsgrad=False, maximize=False, grad_scale=None,
            found_inf=self.latches[model],
        )  # fmt: skip

    # ---- together ---------------------------------------------------------------------------------------------------

    def _plain_judge(self, gradients: Sequence[Tensor], loss: Tensor, /) -> Shares:
        """Look, and return what `adam_shares` says of each parameter and model, (parameters, M)."""
        self._look(gradients, loss)
        return adam_shares(self._counts, betas=self._betas)

    def _plain_apply(self, gradients: Sequence[Tensor], shares: Shares, rates: Tensor, /) -> None:
        rate, refused = rates.unsqueeze(1), self.latches.unsqueeze(1)
        first, second = (share.unsqueeze(-1).unbind() for share in shares)  # of each parameter (M, 1)
        for (values, *moments), gradient, *share in zip(self._rows, gradients, first, second, strict=True):
            adam_by_shares(
                values, tuple(moments), (share[0], share[1]), gradient.reshape(values.shape), rate, refused,
                betas=self._betas, eps=self._eps,
            )  # fmt: skip

    # ---- rehearsing -------------------------------------------------------------------------------------------------

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Refuse the updates of all models meanwhile: they are worked out, and change nothing."""
        before = self.latches.clone()
        self.latches.fill_(1.0)
        try:
            yield
        finally:
            self.latches.copy_(before)


def _rows(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Views (M, n) of tensors (M, ...)."""
    return tuple(tensor.view(len(tensor), -1) for tensor in tensors)
