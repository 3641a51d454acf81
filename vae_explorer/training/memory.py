"""Whether the codes of an update fit in memory: samples x batch x pixels, asked before anything is allocated."""

from __future__ import annotations

import math

import torch

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.data.memory import free_memory_bytes
from vae_explorer.errors import ConfigError

_FLOAT_BYTES = 4
_PER_PIXEL = 5
"""Numbers held for each pixel of a decoded code: image, logits, log-likelihood and their gradients."""
_PER_FEATURE = 3
"""Numbers held for each feature of a hidden layer: before and after its activation, and a gradient."""
_PER_PAIR_MMD, _PER_PAIR_TC = 6, 4
"""Numbers held for each latent dimension of each pair of images: differences, their squares or densities, gradients."""


def check_codes_fit(config: RunConfig, shape: tuple[int, int, int], *, n_classes: int, device: torch.device) -> None:
    """Raise ConfigError when the codes of an update would take more than half of the free memory of the device.

    shape: (C, H, W) of the images; n_classes: of the labels, each of which M2 decodes.
    """
    samples = 1 if config.model.kind == "autoencoder" else config.objective.samples
    batch = config.train.batch_size
    code, pairs = _bytes_of_code(config, shape, n_classes=n_classes), _bytes_of_pairs(config)
    needed = batch * (samples * code + pairs)
    most = _free_bytes(device) // 2
    if needed <= most:
        return
    told = (
        f"would take {needed / 2**30:,.2f} GiB in an update; expected at most half of the free memory "
        f"({most / 2**30:,.2f} GiB)"
    )
    fitting = (most // batch - pairs) // code
    if samples > 1 and fitting >= 1:
        raise ConfigError(
            f"objective.samples = {samples}: so many codes of each of {batch} images {told}; set it to {fitting} or "
            "less, or lower train.batch_size."
        )
    raise ConfigError(
        f"train.batch_size = {batch}: so many images of {shape[1]} x {shape[2]} pixels {told}; set it to "
        f"{max(1, most * batch // needed)} or less, or make model and images smaller."
    )


def _bytes_of_code(config: RunConfig, shape: tuple[int, int, int], *, n_classes: int) -> int:
    model, objective = config.model, config.objective
    numbers = _PER_PIXEL * math.prod(shape) + _PER_FEATURE * sum(model.hidden)
    if model.network == "conv":
        areas = ((shape[1] >> depth) * (shape[2] >> depth) for depth in range(1, len(model.channels) + 1))
        numbers += _PER_FEATURE * sum(width * area for width, area in zip(model.channels, areas, strict=True))
    if model.kind in LABELLED:
        numbers *= max(1, n_classes)
    elif model.prior != "standard_normal":
        numbers += _PER_FEATURE * model.components * model.latent_dim
    if objective.bound == "iwae" and objective.gradient == "score_function":
        numbers += 2 * objective.samples  # each code's baseline is a bound of all others
    return numbers * _FLOAT_BYTES


def _bytes_of_pairs(config: RunConfig) -> int:
    """What an image takes by being compared with all others of its batch."""
    objective = config.objective
    if config.model.kind != "vae":
        return 0
    numbers = _PER_PAIR_MMD * (objective.mmd_weight > 0) + _PER_PAIR_TC * (objective.tc_weight > 0)
    return numbers * config.train.batch_size * config.model.latent_dim * _FLOAT_BYTES


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory_bytes()
