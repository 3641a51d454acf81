"""A minimal hand-written VAE training loop with resident data: the yardstick that the session is held against."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class PlainVAE(nn.Module):
    """784-400-20 as in the well-known PyTorch example."""

    def __init__(self, pixels: int = 784, hidden: int = 400, latent_dim: int = 20) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = (
            nn.Linear(pixels, hidden),
            nn.Linear(hidden, latent_dim),
            nn.Linear(hidden, latent_dim),
        )
        self.fc3, self.fc4 = nn.Linear(latent_dim, hidden), nn.Linear(hidden, pixels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the loss, nats per image, of flat images x (B, pixels) in [0, 1]."""
        h = torch.relu(self.fc1(x))
        loc, log_var = self.fc21(h), self.fc22(h)
        z = loc + torch.exp(0.5 * log_var) * torch.randn_like(loc)
        logits = self.fc4(torch.relu(self.fc3(z)))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_var - loc.square() - log_var.exp())
        return (distortion + kl) / len(x)


def plain_steps_per_s(
    images: np.ndarray, *, steps: int, warm_up: int = 50, batch_size: int = 128, hidden: int = 400, latent_dim: int = 20
) -> float:
    """Train on uint8 images (N, C, H, W) for `steps` updates and return updates a second."""
    torch.manual_seed(0)
    data = torch.from_numpy(images.reshape(len(images), -1).copy())
    model = PlainVAE(data.shape[1], hidden, latent_dim)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    started = 0.0
    for step in range(warm_up + steps):
        if step == warm_up:
            started = time.perf_counter()
        index = torch.randint(0, len(data), (batch_size,))
        loss = model(data[index].float().div_(255))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return steps / (time.perf_counter() - started)
