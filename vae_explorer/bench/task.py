"""The task that all are timed at: a VAE 784-400-20 on 60,000 images of MNIST's size, batches of 128, Adam."""

from __future__ import annotations

import numpy as np

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData, Provenance, Splits

N_IMAGES, SIDE = 60_000, 28
HIDDEN, LATENT_DIM, BATCH_SIZE, LEARNING_RATE = 400, 20, 128, 1e-3


def drawn_images(n: int = N_IMAGES, *, seed: int = 0) -> ImageData:
    """Return n grey images (n, 1, 28, 28): blurred spots on black. What an image shows does not change the time.

    All are trained on, so that no evaluation is part of what is timed.
    """
    rng = np.random.default_rng(seed)
    centre, width = rng.uniform(6, 22, (2, n, 1)), rng.uniform(2, 5, (n, 1))
    along = np.arange(SIDE)
    rows, columns = (np.exp(-((along - place) ** 2) / (2 * width**2)) for place in centre)
    images = np.empty((n, 1, SIDE, SIDE), dtype=np.uint8)
    for first in range(0, n, 4096):  # in parts: all of them as floats would take 376 MB
        part = slice(first, first + 4096)
        images[part, 0] = 255 * rows[part, :, None] * columns[part, None, :]
    every, none = np.arange(n), np.empty(0, dtype=np.int64)
    return ImageData(images, 255, Splits(every, none, none), Provenance("array", "spots"))


def task_config(device: str, **changes: object) -> RunConfig:
    """Return the configuration of the task on a device, with records as often as they are by default."""
    values = {
        "model.hidden": [HIDDEN], "model.latent_dim": LATENT_DIM, "train.batch_size": BATCH_SIZE,
        "train.learning_rate": LEARNING_RATE, "train.device": device, "train.epochs": 1000, "data.train_on": "all",
    }  # fmt: skip
    return RunConfig().with_values(values | changes)
