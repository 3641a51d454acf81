"""A minimal hand-written VAE training loop, images resident on the device: the yardstick of `ratio_to_eager`."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from vae_explorer.bench.task import BATCH_SIZE, HIDDEN, LATENT_DIM, LEARNING_RATE

WARM_UP = 50


class PlainVAE(nn.Module):
    """784-400-20 as in the well-known PyTorch example."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = (
            nn.Linear(pixels, HIDDEN),
            nn.Linear(HIDDEN, LATENT_DIM),
            nn.Linear(HIDDEN, LATENT_DIM),
        )
        self.fc3, self.fc4 = nn.Linear(LATENT_DIM, HIDDEN), nn.Linear(HIDDEN, pixels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the loss, nats per image, of flat images x (B, pixels) in [0, 1]."""
        hidden = torch.relu(self.fc1(x))
        loc, log_var = self.fc21(hidden), self.fc22(hidden)
        z = loc + torch.exp(0.5 * log_var) * torch.randn_like(loc)
        logits = self.fc4(torch.relu(self.fc3(z)))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_var - loc.square() - log_var.exp())
        return (distortion + kl) / len(x)


class PlainLoop:
    """Eager steps with fused Adam; images: uint8 (N, C, H, W)."""

    def __init__(self, images: Tensor, device: torch.device) -> None:
        self._images = images.flatten(1).to(device)
        self._model = PlainVAE(self._images.shape[1]).to(device)
        self._optimiser = torch.optim.Adam(self._model.parameters(), lr=LEARNING_RATE, fused=True)
        self._device = device

    def steps_per_s(self, seconds: float) -> float:
        """Train for about `seconds` and return updates a second; nothing is waited for but the end."""
        self._train(WARM_UP)
        n = max(1, round(seconds / self._train(WARM_UP) * WARM_UP))
        return n / self._train(n)

    def _train(self, n: int) -> float:
        self._wait()
        started = time.perf_counter()
        for _ in range(n):
            index = torch.randint(0, len(self._images), (BATCH_SIZE,), device=self._device)
            loss = self._model(self._images[index].float().div_(255))
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._optimiser.step()
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
