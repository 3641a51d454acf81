"""Adam whose updates are predicated on the device: one that is not finite changes neither weights nor moments."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vae_explorer.model.model import Model


class GuardedAdam:
    """Adam (Kingma & Ba 2015) with the learning rate as a device scalar and a latch against divergence.

    The first loss or gradient that is not finite sets the latch, and no update is applied until `release`. Nothing
    here waits for the device but `is_latched`.
    """

    def __init__(self, model: Model, *, learning_rate: float) -> None:
        self._named = dict(model.named_parameters())
        self._parameters = list(self._named.values())
        self._scale = model.learnt_log_scale
        self._scale_floor = model.log_scale_floor
        device = model.device
        self._learning_rate = torch.tensor(learning_rate, dtype=torch.float32, device=device)
        self._latch = torch.zeros((), device=device)
        self._adam = torch.optim.Adam(self._parameters, lr=self._learning_rate, fused=True)
        for parameter in self._parameters:
            self._adam.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        # The fused kernels skip the whole update where `found_inf` is 1 (the protocol of torch.amp.GradScaler).
        self._adam.grad_scale = None  # type: ignore[attr-defined]
        self._adam.found_inf = self._latch  # type: ignore[attr-defined]

    def set_learning_rate(self, value: float) -> None:
        """Use `value` from the next update on."""
        self._learning_rate.fill_(value)

    def minimise(self, loss: Tensor) -> Tensor:
        """Apply one update for a scalar loss; return the latch, 1 where it was not applied, else 0."""
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._latch.copy_(torch.isfinite(norm + loss.detach()).logical_not_().logical_or_(self._latch))
        self._adam.step()
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
        """Return the moments and counts by name, as they are on the device (not copied)."""
        return {
            f"{key}.{name}": self._adam.state[parameter][key]
            for name, parameter in self._named.items()
            for key in ("step", "exp_avg", "exp_avg_sq")
        }
