"""The part of log p(x|z) that bends where rectifiers switch, with its expectation under a Gaussian in closed form.

What makes E_q[log p(x|z)] slow to integrate are the kinks of a decoder's first layer: along the line a(z) = 0 of each
of its units the slope jumps, by the gradient c of log p(x|z) in that unit's output. Of sum c(z) max(a(z), 0), with c to
first order in z, the expectation is known. What is left once it is taken away bends ten times less, and is integrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_explorer.model.likelihoods import Likelihood
from vae_explorer.model.model import Model

Float = NDArray[np.float64]

_FAR = 40.0
"""Standard deviations beyond which a unit is on, or off, for every code."""


@dataclass(frozen=True, eq=False)
class RectifiedPart:
    """sum over units u of (level_u + tilt_u . e) max(slope_u . e + offset_u, 0), e = (z - loc) / scale ~ N(0, I).

    slope, tilt: (H, d). offset, level: (H,). In nats.
    """

    slope: Float
    offset: Float
    level: Float
    tilt: Float

    def at(self, e: Float) -> Float:
        """Its values (n,) at e (n, d)."""
        rectified = np.maximum(e @ self.slope.T + self.offset, 0.0)
        values: Float = rectified @ self.level + ((rectified @ self.tilt) * e).sum(axis=1)
        return values

    @property
    def expectation(self) -> float:
        """E max(a, 0) = m Phi(m / s) + s phi(m / s) of a ~ N(m, s²), and E[e max(a, 0)] = slope Phi(m / s)."""
        spread = np.maximum(np.linalg.norm(self.slope, axis=1), np.finfo(np.float64).tiny)
        ratio = torch.from_numpy(np.clip(self.offset / spread, -_FAR, _FAR))
        below = torch.special.ndtr(ratio).numpy()
        density = np.exp(-0.5 * np.square(ratio.numpy())) / np.sqrt(2.0 * np.pi)
        mean = self.offset * below + spread * density
        return float(self.level @ mean + (self.tilt * self.slope * below[:, None]).sum())


def rectified_part(model: Model, x: Tensor, loc: Float, scale: Float) -> RectifiedPart | None:
    """Return that part of log p(x|z), of an image x (C, H, W), about q = N(loc, scale²), both (d,).

    None where the decoder does not begin with a layer of rectifiers, or its gradient overflows.
    """
    decoder = model.decoder
    if not (
        isinstance(decoder, nn.Sequential) and isinstance(decoder[0], nn.Linear) and isinstance(decoder[1], nn.ReLU)
    ):
        return None
    weight = decoder[0].weight.detach().cpu().numpy().astype(np.float64)
    bias = decoder[0].bias.detach().cpu().numpy().astype(np.float64)
    units = np.eye(len(loc))
    gradients = _gradients(model, x, loc + scale * np.vstack((0.0 * loc, units, -units)))
    if not np.isfinite(gradients).all():
        return None
    ahead, behind = gradients[1 : 1 + len(loc)], gradients[1 + len(loc) :]
    return RectifiedPart(
        slope=weight * scale, offset=weight @ loc + bias, level=gradients[0], tilt=0.5 * (ahead - behind).T
    )  # fmt: skip


@torch.enable_grad()
def _gradients(model: Model, x: Tensor, codes: Float) -> Float:
    """The gradient (n, H) of log p(x|z) in the first layer's outputs, at codes (n, d)."""
    decoder = cast(nn.Sequential, model.decoder)
    z = torch.as_tensor(codes, dtype=torch.float32).to(x.device)
    hidden = decoder[:2](z).detach().requires_grad_()
    log_likelihood = cast(Likelihood, model.head(decoder[2:](hidden))).log_prob(x)
    (gradient,) = torch.autograd.grad(log_likelihood.sum(), hidden)
    return gradient.cpu().numpy().astype(np.float64)
