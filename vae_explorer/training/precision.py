"""Half precision for the products of an update: bfloat16 copies of the layers' weights beside the float32 ones.

Images go in and parameters of distributions come out in float32, so that likelihood, KL, loss and moments are what they
are without it; what is looked at and evaluated uses the float32 weights alone.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from vae_explorer.model.class_conditional import ClassConditional, ClassNetwork
from vae_explorer.model.model import Model

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
HALF = torch.bfloat16


def notes_on_half(device: torch.device) -> tuple[str, ...]:
    """Return what a person should know who trains in bfloat16 on a device: nothing, where it pays."""
    if device.type == "cuda":
        is_in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        cpu = torch.cpu
        is_in_hardware = device.type != "cpu" or cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported()
    if is_in_hardware:
        return ()
    return ("This processor has no bfloat16 in hardware: train.precision = 'bf16' works, but fp32 is faster here.",)


class HalfWeights:
    """A twin of a model whose layers multiply in bfloat16; all else, buffers too, it shares with the model.

    model: the twin. leaves: its parameters, in the order of the model's: what is differentiated.
    """

    def __init__(self, model: Model) -> None:
        shared = [*model.parameters(), *model.buffers()]
        self.model = copy.deepcopy(model, {id(tensor): tensor for tensor in shared})
        self._whole: list[Tensor] = []
        self._halved: list[Tensor] = []
        of_layer = {id(p) for m in self.model.modules() if isinstance(m, LAYERS) for p in m.parameters(recurse=False)}
        self.leaves = [self._leaf(p) if id(p) in of_layer else p for p in model.parameters()]
        twins = dict(zip(map(id, model.parameters()), self.leaves, strict=True))
        for module in self.model.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, twins[id(parameter)])
        for owner in (self.model, getattr(self.model, "parts", None)):
            if owner is not None:
                _wrap_networks(owner)

    def _leaf(self, parameter: nn.Parameter) -> nn.Parameter:
        half = nn.Parameter(parameter.detach().to(HALF))
        self._whole.append(parameter)
        self._halved.append(half.detach())
        return half

    @torch.no_grad()
    def refresh(self) -> None:
        """Round the model's weights anew, after they have changed."""
        torch._foreach_copy_(self._halved, self._whole)


def _wrap_networks(owner: Model | ClassConditional) -> None:
    for name in ("encoder", "decoder", "classifier"):
        network = getattr(owner, name, None)
        if network is not None:
            wrapped = _HalfClassNetwork(network) if isinstance(network, ClassNetwork) else _HalfNetwork(network)
            setattr(owner, name, wrapped)


class _HalfNetwork(nn.Module):
    """A network of bfloat16 layers between float32 tensors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network gives, float32."""
        return cast(Tensor, self.network(x.to(HALF))).float()


class _HalfClassNetwork(nn.Module):
    """The same for a network of a class too."""

    def __init__(self, network: ClassNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, a: Tensor, y: Tensor) -> Tensor:
        """As `ClassNetwork.forward`, float32."""
        return self.network(a.to(HALF), y.to(HALF)).float()

    def each(self, a: Tensor) -> Tensor:
        """As `ClassNetwork.each`, float32."""
        return self.network.each(a.to(HALF)).float()
