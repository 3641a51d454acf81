"""Encoders and decoders: fully connected and convolutional networks that return parameters of distributions."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from vae_explorer.config import ModelConfig
from vae_explorer.errors import ConfigError

Shape = tuple[int, int, int]
"""(C, H, W) of an image."""

CONV_SIDES = range(8, 129)
"""Heights and widths that the convolutional networks take."""

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}


def build_networks(config: ModelConfig, shape: Shape, *, encoder_outputs: int) -> tuple[nn.Module, nn.Module]:
    """Return (encoder, decoder): (B, C, H, W) to (B, encoder_outputs), (B, latent_dim) to (B, C, H, W).

    Raises ConfigError when the convolutions do not fit the images.
    """
    if config.network == "mlp":
        return _mlp_networks(config, shape, encoder_outputs)
    return _conv_networks(config, shape, encoder_outputs)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default, by `generator`.

    The global generator is not touched, so that building a model disturbs nothing else.
    """
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                bound = 1.0 / math.sqrt(layer.weight[0].numel())
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=generator)


def _dense(widths: list[int], activation: type[nn.Module]) -> list[nn.Module]:
    """Linear layers between the widths, each but the last followed by the activation."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers[:-1]


def _mlp_networks(config: ModelConfig, shape: Shape, encoder_outputs: int) -> tuple[nn.Module, nn.Module]:
    activation = _ACTIVATIONS[config.activation]
    pixels = math.prod(shape)
    hidden = list(config.hidden)
    encoder = nn.Sequential(nn.Flatten(), *_dense([pixels, *hidden, encoder_outputs], activation))
    decoder = nn.Sequential(
        *_dense([config.latent_dim, *reversed(hidden), pixels], activation), nn.Unflatten(-1, shape)
    )
    return encoder, decoder


def _conv_networks(config: ModelConfig, shape: Shape, encoder_outputs: int) -> tuple[nn.Module, nn.Module]:
    """Each convolution (4 x 4, stride 2) takes a side n to floor(n / 2); its mirror adds the lost row of odd sides."""
    activation = _ACTIVATIONS[config.activation]
    sizes = _conv_sizes(config, shape)
    channels = [shape[0], *config.channels]
    features = (channels[-1], *sizes[-1])
    hidden = list(config.hidden)

    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for (inputs, outputs), larger in zip(pairwise(channels), sizes, strict=False):
        down += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), activation()]
        odd = (larger[0] % 2, larger[1] % 2)
        up[:0] = [activation(), nn.ConvTranspose2d(outputs, inputs, 4, stride=2, padding=1, output_padding=odd)]
    encoder = nn.Sequential(*down, nn.Flatten(), *_dense([math.prod(features), *hidden, encoder_outputs], activation))
    decoder = nn.Sequential(
        *_dense([config.latent_dim, *reversed(hidden), math.prod(features)], activation),
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
