"""Decoders with one hidden layer of rectifiers at codes that lie close together: affine but for a few units.

Among such codes most rectifiers are on for all of them, or off for all. Those that are on for all are together one
affine map of the code, so that the last product has a term for each number of a code and for each unit that switches
among the codes, where it has one for each unit else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

MOST_CODES = 2048
"""Codes of a patch, at most: what is decoded in one slice, and memory that is bounded."""
MOST_DIMS = 2
"""Latent dimensions of which codes are looked at: where there are more, hardly a unit stays on one side."""
_FEWEST_CODES = 200
"""Fewer are decoded sooner than their patch is made up."""
_MOST_SHARE = 0.5
"""Of the hidden units that switch, at most, for a patch to be worth its making."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What a decoder does with n codes: features (n, f), weight (D, f), bias (D,); its outcome is their product."""

    features: Tensor
    weight: Tensor
    bias: Tensor


def patch_of(decoder: nn.Module, z: Tensor) -> Patch | None:
    """Return how a decoder takes codes z (n, latent_dim) to logits (n, D), or None where there is no shorter way.

    Equal to the decoder's own outcome but for the order of its sums.
    """
    layers = _rectifier_layers(decoder)
    if layers is None or z.shape[1] > MOST_DIMS or not _FEWEST_CODES <= len(z) <= MOST_CODES:
        return None
    first, last = layers
    before = torch.addmm(first.bias, z, first.weight.T)
    # amin and amax, as aminmax takes three times as long.
    is_on = before.amin(0) >= 0.0
    switching = (~is_on & (before.amax(0) > 0.0)).nonzero()[:, 0]
    if len(switching) > _MOST_SHARE * first.out_features:
        return None
    always = torch.cat((first.weight, first.bias.unsqueeze(1)), 1) * is_on.unsqueeze(1)
    # Column by column: a product of three columns takes twice as long.
    affine = torch.stack([last.weight @ column for column in always.T], 1)
    return Patch(
        features=torch.cat((z, before.index_select(1, switching).relu_()), 1),
        weight=torch.cat((affine[:, :-1], last.weight.index_select(1, switching)), 1), bias=affine[:, -1] + last.bias,
    )  # fmt: skip


def _rectifier_layers(decoder: nn.Module) -> tuple[nn.Linear, nn.Linear] | None:
    """The two products of a decoder, where a rectifier is all that lies between them."""
    if not (isinstance(decoder, nn.Sequential) and len(decoder) == 4):
        return None
    first, between, last, _ = decoder
    if isinstance(first, nn.Linear) and isinstance(between, nn.ReLU) and isinstance(last, nn.Linear):
        return first, last
    return None
