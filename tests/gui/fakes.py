"""A controller without an engine, and small made-up runs for it: images, codes, statuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vae_explorer.config import DataConfig, ModelConfig, RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.engine import messages as m
from vae_explorer.gui.controller import ModelController


class FakeController(ModelController):
    """A controller whose messages go into a list; `sent` is what the engine would have got, oldest first."""

    def __init__(self) -> None:
        self.sent: list[m.Message] = []
        super().__init__(self.sent.append, lambda config, data: Path("runs") / "new")

    def take(self, kind: type | None = None) -> list[m.Message]:
        """Return the messages sent so far (of one kind) and forget all of them."""
        taken = [message for message in self.sent if kind is None or isinstance(message, kind)]
        self.sent.clear()
        return taken

    def answer_decodes(self, *, step: int = 0, value: float | None = None) -> int:
        """Answer every Decode that was sent with pictures of the data's shape; returns how many were answered.

        A pixel is `value`, or else the logistic function of the code's first coordinate."""
        decodes = self.take(m.Decode)
        shape = self.data.shape if self.data is not None else (1, 8, 8)
        for ask in decodes:
            assert isinstance(ask, m.Decode)
            grey = 1 / (1 + np.exp(-ask.z[:, 0])) if value is None else np.full(len(ask.z), value)
            images = np.broadcast_to(grey[:, None, None, None], (len(ask.z), *shape)).astype(np.float32)
            self.handle(m.Decoded(ask.channel, ask.id, step, ask.z, images))
        return len(decodes)

    def answer_encodes(self, *, step: int = 0) -> int:
        """Answer every Encode that was sent: loc is from the newest snapshot (else 0), scale 0.1, elbo -20."""
        encodes = self.take(m.Encode)
        assert self.data is not None
        for ask in encodes:
            assert isinstance(ask, m.Encode)
            n, d = len(ask.indices), self.selection.latent_dim
            known = [self._code_of(int(i)) for i in ask.indices]
            loc = np.stack([np.zeros(d, np.float32) if code is None else code for code in known])
            full = np.ones(n, np.float32)
            images = (self.data.images[ask.indices] / self.data.max_value).astype(np.float32)
            scale, kl = np.full((n, d), 0.1, np.float32), np.full((n, d), 2.0, np.float32)
            figures = (-20 * full, 4 * full, 16 * full, 0.1 * full)
            self.handle(m.Encoded(ask.channel, ask.id, step, ask.indices, loc, scale, kl, *figures, images))
        return len(encodes)


def make_data(n: int = 40, shape: tuple[int, int, int] = (1, 8, 8), n_classes: int = 4) -> ImageData:
    """Return seeded noise as images, with labels 0, 1, ... in turn and an 80/10/10 split."""
    images = np.random.default_rng(0).integers(0, 17, (n, *shape), dtype=np.uint8)
    order = np.arange(n)
    splits = Splits(order[: n * 8 // 10], order[n * 8 // 10 : n * 9 // 10], order[n * 9 // 10 :])
    names = tuple(f"class {i}" for i in range(n_classes))
    return ImageData(images, 16, splits, Provenance("array", "noise"), order % n_classes, names)


def make_codes(n: int = 40, latent_dim: int = 2, step: int = 100, *, seed: int = 0) -> m.CodesSnapshot:
    """Return a complete snapshot of n standard normal codes."""
    rng = np.random.default_rng(seed)
    loc = rng.normal(size=(n, latent_dim)).astype(np.float32)
    scale = np.full((n, latent_dim), 0.2, np.float32)
    kl = rng.uniform(2, 6, n).astype(np.float32)
    distortion = rng.uniform(10, 20, n).astype(np.float32)
    return m.CodesSnapshot(
        step, np.arange(n), loc, scale, -(kl + distortion), kl, distortion,
        np.linspace(3, 0.1, latent_dim).astype(np.float32), True,
    )  # fmt: skip


def make_opened(latent_dim: int = 2, step: int = 100, *, kind: str = "vae") -> m.RunOpened:
    """Return the event of a run with default configuration that was opened."""
    config = RunConfig(data=DataConfig(name="digits"), model=ModelConfig(latent_dim=latent_dim, kind=kind))  # type: ignore[arg-type]
    return m.RunOpened(config, Path("runs") / "noise", step, False, (), 12345)


def make_status(state: m.EngineState = m.EngineState.READY, step: int = 100, **changes: object) -> m.RunStatus:
    """Return a status with plain figures; keyword arguments replace them."""
    values: dict[str, object] = {
        "state": state, "step": step, "target_step": 1000, "epoch": step / 10, "steps_per_s": 0.0,
        "seconds_left": None, "device": "cpu", "run_path": None, "is_saved": True, "learning_rate": 1e-3, "beta": 1.0,
    }  # fmt: skip
    return m.RunStatus(**(values | changes))  # type: ignore[arg-type]
