"""Which images are trained on and which are held out: the source's own splits, or 80 / 10 / 10 by seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import DataConfig
from vae_explorer.data.image_data import Splits

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1


def make_splits(n_images: int, config: DataConfig, *, n_own_train: int | None = None) -> Splits:
    """Return the splits of `n_images` images.

    With `n_own_train` the source's own splits hold: the first images train, the rest test, and `data.validation`
    (else 0) is the share of its training images that is kept for validation. Without, a tenth of all images tests,
    `data.validation` (else 0.1) of all images validates, drawn by `data.seed`. `data.train_on = all` trains on
    everything. At least one image is always left to train on.
    """
    everything = np.arange(n_images, dtype=np.int64)
    if config.train_on == "all":
        return Splits(train=everything, validation=everything[:0], test=everything[:0])
    # Philox, whose stream NumPy keeps between versions, so that a seed means the same images for ever.
    generator = np.random.Generator(np.random.Philox(config.seed))
    if n_own_train is not None:
        share = 0.0 if config.validation is None else config.validation
        n_validation = min(round(share * n_own_train), n_own_train - 1)
        order = generator.permutation(n_own_train)
        return _sorted(order[n_validation:], order[:n_validation], everything[n_own_train:])
    share = VALIDATION_SHARE if config.validation is None else config.validation
    n_test = min(round(TEST_SHARE * n_images), n_images - 1)
    n_validation = min(round(share * n_images), n_images - 1 - n_test)
    order = generator.permutation(n_images)
    return _sorted(order[n_test + n_validation :], order[n_test : n_test + n_validation], order[:n_test])


def _sorted(*parts: NDArray[np.int64]) -> Splits:
    train, validation, test = (np.sort(part).astype(np.int64) for part in parts)
    return Splits(train=train, validation=validation, test=test)
