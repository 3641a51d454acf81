"""Encoders and decoders: fully connected and convolutional networks that return parameters of distributions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from vae_explorer.config import ModelConfig
from vae_explorer.errors import ConfigError

Shape = tuple[int, int, int]
"""(C, H, W) of an image."""

CONV_SIDES = range(8, 129)
"""Heights and widths that the convolutional networks take."""

Init = Literal["default", "glorot", "normal"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU, "softplus": nn.Softplus,
}  # fmt: skip
"""The nonlinearities of `model.activation`."""


def build_networks(
    config: ModelConfig, shape: Shape, *, encoder_outputs: int, decoder_channels: int
) -> tuple[nn.Module, nn.Module]:
    """Return (encoder, decoder): (B, C, H, W) to (B, encoder_outputs), (B, latent_dim) to (B, decoder_channels, H, W).

    Without hidden layers both are affine. Raises ConfigError when the convolutions do not fit the images.
    """
    build = _mlp_networks if config.network == "mlp" else _conv_networks
    return build(config, shape, encoder_outputs=encoder_outputs, decoder_channels=decoder_channels)


def initialise(module: nn.Module, generator: torch.Generator, *, how: Init = "default", scale: float = 0.01) -> None:
    """Draw the weights and biases of all layers by `generator`.

    default: both from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as PyTorch does. glorot: weights from U(-a, a), a =
    sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16), biases 0. normal: both from N(0, scale²). The global
    generator is not touched, so that building a model disturbs nothing else.
    """
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                _initialise_layer(layer, generator, how=how, scale=scale)


def _initialise_layer(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, generator: torch.Generator, *, how: Init, scale: float
) -> None:
    weight, bias = layer.weight, layer.bias
    if how == "glorot":
        nn.init.xavier_uniform_(weight, generator=generator)
        if bias is not None:
            bias.zero_()
        return
    bound = 1.0 / math.sqrt(weight[0].numel())
    for values in (weight, bias):
        if values is not None and how == "normal":
            values.normal_(std=scale, generator=generator)
        elif values is not None:
            values.uniform_(-bound, bound, generator=generator)


def dense(widths: list[int], activation: type[nn.Module]) -> list[nn.Module]:
    """Return linear layers between the widths, each but the last followed by the activation."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers[:-1]


def _mlp_networks(
    config: ModelConfig, shape: Shape, *, encoder_outputs: int, decoder_channels: int
) -> tuple[nn.Module, nn.Module]:
    activation = ACTIVATIONS[config.activation]
    hidden = list(config.hidden)
    decoded = (decoder_channels, *shape[1:])
    encoder = nn.Sequential(nn.Flatten(), *dense([math.prod(shape), *hidden, encoder_outputs], activation))
    decoder = nn.Sequential(
        *dense([config.latent_dim, *reversed(hidden), math.prod(decoded)], activation), nn.Unflatten(-1, decoded)
    )
    return encoder, decoder


def _conv_networks(
    config: ModelConfig, shape: Shape, *, encoder_outputs: int, decoder_channels: int
) -> tuple[nn.Module, nn.Module]:
    """Each convolution (4 x 4, stride 2) takes a side n to floor(n / 2); its mirror adds the lost row of odd sides."""
    activation = ACTIVATIONS[config.activation]
    sizes = _conv_sizes(config, shape)
    channels = [shape[0], *config.channels]
    features = (channels[-1], *sizes[-1])
    hidden = list(config.hidden)

    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for (inputs, outputs), larger in zip(pairwise(channels), sizes, strict=False):
        down += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), activation()]
        odd = (larger[0] % 2, larger[1] % 2)
        decoded = inputs if up else decoder_channels
        up[:0] = [activation(), nn.ConvTranspose2d(outputs, decoded, 4, stride=2, padding=1, output_padding=odd)]
    encoder = nn.Sequential(*down, nn.Flatten(), *dense([math.prod(features), *hidden, encoder_outputs], activation))
    decoder = nn.Sequential(
        *dense([config.latent_dim, *reversed(hidden), math.prod(features)], activation),
        nn.Unflatten(-1, features),
        *up,
    )
    return encoder, decoder


def _conv_sizes(config: ModelConfig, shape: Shape) -> list[tuple[int, int]]:
    """(H, W) before and after each convolution; ConfigError when the images are too small or too large."""
    channels, height, width = shape
    if height not in CONV_SIDES or width not in CONV_SIDES or channels not in (1, 3):
        raise ConfigError(
            f"model.network = 'conv': the images are {height} x {width} with {channels} channels, expected sides from "
            f"{CONV_SIDES[0]} to {CONV_SIDES[-1]} and 1 or 3 channels; set data.side, or model.network to mlp."
        )
    most = min(height, width).bit_length() - 1
    if len(config.channels) > most:
        raise ConfigError(
            f"model.channels = {list(config.channels)}: {len(config.channels)} convolutions, each halving the side, "
            f"but images of {height} x {width} pixels allow at most {most}; take fewer."
        )
    return [(height >> depth, width >> depth) for depth in range(len(config.channels) + 1)]
