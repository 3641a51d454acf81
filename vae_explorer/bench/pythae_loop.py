"""Steps a second of pythae's own trainer at the same task; pythae is not part of this program and may be missing."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from vae_explorer.bench.task import BATCH_SIZE, HIDDEN, LATENT_DIM, LEARNING_RATE, SIDE
from vae_explorer.errors import UsageError

WARM_UP = 20


class PythaeLoop:
    """One epoch of `BaseTrainer` over as many images as the time allows. images: uint8 (N, 1, 28, 28)."""

    def __init__(self, images: Tensor, device: torch.device) -> None:
        """UsageError where pythae is not installed."""
        _check_installed()
        self._images, self._device = images, device

    def steps_per_s(self, seconds: float) -> float:
        """Train for about `seconds` and return updates a second; its loading of images is part of it."""
        n = max(1, round(seconds / self._train(WARM_UP) * WARM_UP))
        n = min(n, len(self._images) // BATCH_SIZE)
        return n / self._train(n)

    def _train(self, n: int) -> float:
        images = self._images[: n * BATCH_SIZE].float() / 255
        with TemporaryDirectory() as folder, _silence():
            trainer = _trainer(images, folder, self._device)
            started = time.perf_counter()
            trainer.train()
            return time.perf_counter() - started


def _check_installed() -> None:
    try:
        import pythae.trainers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--peer pythae: it cannot be imported ({error}); pip install pythae, or leave it out."
        ) from None


def _trainer(images: Tensor, folder: str, device: torch.device) -> Any:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    model = VAE(VAEConfig(input_dim=(1, SIDE, SIDE), latent_dim=LATENT_DIM, reconstruction_loss="bce"), *_networks())
    config = BaseTrainerConfig(
        output_dir=folder, num_epochs=1, learning_rate=LEARNING_RATE, per_device_train_batch_size=BATCH_SIZE,
        no_cuda=device.type != "cuda",
    )  # fmt: skip
    return BaseTrainer(model, train_dataset=BaseDataset(images, torch.zeros(len(images))), training_config=config)


def _networks() -> tuple[Any, Any]:
    """Encoder and decoder of the task, as pythae wants them."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.layers = nn.Sequential(nn.Linear(SIDE * SIDE, HIDDEN), nn.ReLU())
            self.loc, self.log_var = nn.Linear(HIDDEN, LATENT_DIM), nn.Linear(HIDDEN, LATENT_DIM)

        def forward(self, x: Tensor) -> Any:
            hidden = self.layers(x.flatten(1))
            return ModelOutput(embedding=self.loc(hidden), log_covariance=self.log_var(hidden))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.layers = nn.Sequential(
                nn.Linear(LATENT_DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, SIDE * SIDE), nn.Sigmoid()
            )

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.layers(z).view(-1, 1, SIDE, SIDE))

    return Encoder(), Decoder()


@contextlib.contextmanager
def _silence() -> Any:
    """Keep its progress bars and its log off the terminal, and its variables out of the environment."""
    before = dict(os.environ)
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
        os.environ.clear()
        os.environ.update(before)
