"""A latent model whose true posterior is a known Gaussian, answering the microscope's questions exactly."""

from __future__ import annotations

import numpy as np
from fakes import FakeController

from vae_explorer.engine import messages as m

Floats = np.ndarray


class GaussianPosterior:
    """p(z|x) = N(mean, covariance), log p(x) = log_px, and the encoder's q = N(loc, diag scale^2), whatever x is."""

    def __init__(self, dims: int = 2, *, log_px: float = -20.0, correlation: float = 0.8) -> None:
        self.mean = np.linspace(0.6, -0.4, dims)
        self.covariance = np.full((dims, dims), correlation * 0.09)
        np.fill_diagonal(self.covariance, 0.09)
        self.precision = np.linalg.inv(self.covariance)
        self.log_px = log_px
        self.loc, self.scale = self.mean + 0.35, np.full(dims, 0.25)

    def kl(self, loc: Floats, scale: Floats) -> float:
        """KL[N(loc, diag scale^2) || p(z|x)], nats."""
        away = loc - self.mean
        logs = np.linalg.slogdet(self.covariance)[1] - 2 * np.log(scale).sum()
        spread = (np.diag(self.precision) * scale**2).sum()
        return float(0.5 * (spread + away @ self.precision @ away - len(loc) + logs))

    @property
    def best(self) -> tuple[Floats, Floats]:
        """loc and scale of the best diagonal Gaussian."""
        return self.mean, 1 / np.sqrt(np.diag(self.precision))

    def log_density(self, z: Floats) -> Floats:
        """log p(z|x) of codes (..., dims)."""
        away = z - self.mean
        form = np.einsum("...i,ij,...j->...", away, self.precision, away)
        return -0.5 * (form + np.linalg.slogdet(2 * np.pi * self.covariance)[1])

    def inspected(self, ask: m.Inspect, step: int) -> m.Inspected:
        """The posterior on the cells of a lattice from -3 to 3, 31 or 121 of them a side."""
        edges = np.linspace(-3, 3, 122 if ask.is_fine else 32)
        axis = (edges[1:] + edges[:-1]) / 2
        if len(self.mean) == 1:
            z = axis[None, :, None]
        else:
            z = np.stack(np.meshgrid(axis, axis), axis=-1)
        log_density = self.log_density(z).astype(np.float32)
        elbo, error = self.log_px - self.kl(self.loc, self.scale), 2e-4 if ask.is_fine else 4e-3
        return m.Inspected(
            ask.channel, ask.id, step, ask.index, ask.is_fine, log_density, -log_density - np.float32(self.log_px),
            (-3.0, 3.0, -3.0, 3.0), self.loc.astype(np.float32), self.scale.astype(np.float32), self.log_px, error,
            elbo, self.log_px - elbo, self.mean.astype(np.float32), 0.75 * error, 0.25 * error,
        )  # fmt: skip

    def climbed(self, ask: m.Climb, step: int) -> m.Climbed:
        """The ladder from real log-weights of the encoder's q."""
        rng = np.random.default_rng(ask.seed)
        z = self.loc + self.scale * rng.normal(size=(ask.samples, len(self.loc)))
        log_q = -0.5 * (((z - self.loc) / self.scale) ** 2 + np.log(2 * np.pi * self.scale**2)).sum(axis=1)
        weights = self.log_px + self.log_density(z) - log_q
        rungs = np.array([k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if k <= ask.samples])
        bounds, errors = [], []
        for k in rungs:
            groups = weights[: len(weights) // k * k].reshape(-1, k)
            values = np.logaddexp.reduce(groups, axis=1) - np.log(k)
            bounds.append(values.mean())
            errors.append(values.std() / np.sqrt(max(len(values) - 1, 1)) if len(values) > 1 else 0.02)
        share = np.exp(weights - np.logaddexp.reduce(weights))
        return m.Climbed(
            ask.channel, ask.id, step, ask.index, rungs, np.float32(bounds), np.float32(errors),
            float(1 / (share**2).sum()), 0.42, float(bounds[-1]), 0.02,
        )  # fmt: skip

    def improved(self, ask: m.Improve, step: int) -> m.Improved:
        """Eleven places on the straight way to the best q."""
        share = np.linspace(0, 1, 11)[:, None]
        loc = self.loc + share * (self.best[0] - self.loc)
        scale = self.scale + share * (self.best[1] - self.scale)
        elbo = np.array([self.log_px - self.kl(*place) for place in zip(loc, scale, strict=True)])
        family = self.kl(*self.best) if len(self.mean) <= 2 else None
        return m.Improved(
            ask.channel, ask.id, step, ask.index, np.float32(loc), np.float32(scale), np.float32(elbo),
            float(elbo[-1] - elbo[0]), family,
        )  # fmt: skip

    def answer(self, controller: FakeController, *, step: int = 100) -> list[m.Message]:
        """Answer every question of the microscope that was sent; returns those."""
        asked = [ask for ask in controller.sent if isinstance(ask, m.Inspect | m.Climb | m.Improve)]
        controller.sent[:] = [message for message in controller.sent if message not in asked]
        for ask in asked:
            match ask:
                case m.Inspect():
                    controller.handle(self.inspected(ask, step))
                case m.Climb():
                    controller.handle(self.climbed(ask, step))
                case m.Improve():
                    controller.handle(self.improved(ask, step))
        return list(asked)

    def answer_all(self, controller: FakeController, *, step: int = 100) -> list[m.Message]:
        """Answer until nothing of the microscope is asked any more."""
        asked: list[m.Message] = []
        while more := self.answer(controller, step=step):
            asked += more
        return asked
