"""`StoredDecoder`: pictures of codes from a checkpoint by NumPy alone, for the first looks while torch is loading."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import ModelConfig
from vae_explorer.errors import RunError
from vae_explorer.runs.checkpoints import CheckpointEntry
from vae_explorer.runs.folder import RunFolder

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Function = Callable[[Array], Array]

MOST_WEIGHTS = 1 << 23
"""A larger decoder is left to torch: to read this many and to decode 64 codes each take some 50 ms of who asks."""


class StoredDecoder:
    """The decoder of one checkpoint, where it is fully connected and the mean image is a function of its output alone.

    step: of its weights, which are read when the first picture is asked for.
    """

    def __init__(self, run: RunFolder, entry: CheckpointEntry, shape: tuple[int, int, int]) -> None:
        """shape: (C, H, W) of the run's images."""
        self.step = entry.step
        self._run, self._entry, self._shape = run, entry, shape
        self._model = run.config.model
        self._activation = _ACTIVATIONS[self._model.activation]

    def decode(self, z: Array) -> Array | None:
        """Return the mean of p(x|z), (n, C, H, W), of codes (n, latent_dim); None where it takes torch to tell."""
        mean = _mean_of(self._model)
        if mean is None or z.shape[1:] != (self._model.latent_dim,) or not self._layers:
            return None
        *hidden, (weight, bias) = self._layers
        values = z
        for hidden_weight, hidden_bias in hidden:
            values = self._activation(values @ hidden_weight.T + hidden_bias)
        raw = (values @ weight.T + bias).reshape(len(z), -1, *self._shape[1:])
        return mean(raw[:, : self._shape[0]])  # where there are as many channels again, they are of the scale

    @cached_property
    def _layers(self) -> list[tuple[Array, Array]]:
        """Weight (outputs, inputs) and bias (outputs,) of each layer in order; none where they cannot be had."""
        model = self._model
        has_scale = model.likelihood == "gaussian" and model.variance == "decoder"
        widths = [model.latent_dim, *reversed(model.hidden), math.prod(self._shape) * (2 if has_scale else 1)]
        if model.network != "mlp" or sum(a * b for a, b in pairwise(widths)) > MOST_WEIGHTS:
            return []
        shapes: dict[str, tuple[int, ...]] = {}
        for place, (inputs, outputs) in enumerate(pairwise(widths)):
            name = f"model.decoder.{2 * place}"  # between two layers lies an activation
            shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
        try:
            arrays, _ = self._run.read_checkpoint(self._entry, only=shapes)
        except RunError as error:
            log.info("%s", error)  # the engine reads the same file, and tells
            return []
        if {name: (array.dtype, array.shape) for name, array in arrays.items()} != {
            name: (np.float32, shape) for name, shape in shapes.items()
        }:
            return []
        return [(arrays[name], arrays[name.replace("weight", "bias")]) for name in shapes if name.endswith("weight")]


def _mean_of(model: ModelConfig) -> Function | None:
    """Return what makes the mean image of a decoder's output, as the model's head does; None where that is long."""
    if model.kind not in ("vae", "autoencoder") or model.likelihood == "discretised_logistic":
        return None
    if model.likelihood == "continuous_bernoulli":
        return _continuous_mean
    return _sigmoid if model.likelihood == "bernoulli" or model.output == "sigmoid" else np.positive


def _sigmoid(value: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * value)  # unlike 1 / (1 + exp(-value)), this never overflows


def _continuous_mean(logits: Array) -> Array:
    """1/2 + (coth h - 1 / h) / 2 with h = logits / 2, in double precision; h / 3 is its series at 0."""
    half = 0.5 * logits.astype(np.float64)
    is_small = np.abs(half) < 1e-3
    large = np.where(is_small, 1.0, half)
    return (0.5 + 0.5 * np.where(is_small, half / 3, 1 / np.tanh(large) - 1 / large)).astype(np.float32)


_ACTIVATIONS: dict[str, Function] = {
    "relu": lambda value: np.maximum(value, 0), "tanh": np.tanh, "silu": lambda value: value * _sigmoid(value),
    "softplus": lambda value: np.logaddexp(value, 0, dtype=np.float32),
}  # fmt: skip
