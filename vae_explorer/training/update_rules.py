"""The rules by which a gradient becomes an update: Adam, Adagrad, RMSprop; each may be refused on the device.

Each keeps its moments by parameter and name. `refused` is a device scalar: where it is 1 neither parameters nor moments
change by a bit, and nothing waits for the device to know.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

LEAST_EPS = 1e-30
"""Stands for an epsilon of 0: a weight whose gradient is exactly 0 would become 0 / 0."""


class UpdateRule(Protocol):
    """name: prefix of its tensors in a checkpoint. moments: of each parameter, by name."""

    name: str
    moments: dict[nn.Parameter, dict[str, Tensor]]

    def step(self) -> None:
        """Apply one update from the gradients, unless it is refused; parameters without a gradient are left alone."""


class Adam:
    """Adam (Kingma & Ba 2015), by torch's fused kernels."""

    name = "adam"

    def __init__(
        self, parameters: list[nn.Parameter], *, rate: Tensor, refused: Tensor, betas: tuple[float, float], eps: float
    ) -> None:
        self._adam = torch.optim.Adam(parameters, lr=rate, betas=betas, eps=max(eps, LEAST_EPS), fused=True)
        for parameter in parameters:
            self._adam.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=rate.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self.moments: dict[nn.Parameter, dict[str, Tensor]] = self._adam.state  # type: ignore[assignment]
        # The fused kernels skip the whole update where `found_inf` is 1 (the protocol of torch.amp.GradScaler).
        self._adam.grad_scale = None  # type: ignore[attr-defined]
        self._adam.found_inf = refused  # type: ignore[attr-defined]

    def step(self) -> None:
        """As in `UpdateRule`."""
        self._adam.step()


class Adagrad:
    """Adagrad (Duchi et al. 2011): each weight's rate falls with the sum of its squared gradients."""

    name = "adagrad"

    def __init__(self, parameters: list[nn.Parameter], *, rate: Tensor, refused: Tensor, eps: float) -> None:
        self._rate, self._refused, self._eps = rate, refused, max(eps, LEAST_EPS)
        self.moments = {parameter: {"sum": torch.zeros_like(parameter)} for parameter in parameters}

    @torch.no_grad()
    def step(self) -> None:
        """As in `UpdateRule`."""
        for parameter, moments in self.moments.items():
            if parameter.grad is None:
                continue
            gradient = _unless(self._refused, parameter.grad)
            moments["sum"].addcmul_(gradient, gradient)
            parameter.sub_(self._rate * gradient / moments["sum"].sqrt().add_(self._eps))


class RmsProp:
    """RMSprop (Tieleman & Hinton 2012): the rate falls with the running root mean square of the gradient."""

    name = "rmsprop"

    def __init__(
        self, parameters: list[nn.Parameter], *, rate: Tensor, refused: Tensor, decay: float, eps: float
    ) -> None:
        self._rate, self._refused, self._decay, self._eps = rate, refused, decay, max(eps, LEAST_EPS)
        self.moments = {parameter: {"square_avg": torch.zeros_like(parameter)} for parameter in parameters}

    @torch.no_grad()
    def step(self) -> None:
        """As in `UpdateRule`."""
        share = (1.0 - self._decay) * (1.0 - self._refused)
        for parameter, moments in self.moments.items():
            if parameter.grad is None:
                continue
            gradient = _unless(self._refused, parameter.grad)
            square_avg = moments["square_avg"]
            square_avg.add_((gradient.square() - square_avg) * share)
            parameter.sub_(self._rate * gradient / square_avg.sqrt().add_(self._eps))


def _unless(refused: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, or zeros where the update is refused: 0 times what is not finite would not be 0."""
    return torch.where(refused.bool(), torch.zeros_like(gradient), gradient)
