"""Several models of one shape side by side: each parameter once, with the models on its first dimension."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from vae_explorer.model.heads import BernoulliHead
from vae_explorer.model.model import Model
from vae_explorer.model.stacked_bernoulli import StackableBernoulliHead
from vae_explorer.model.stacked_linear import StackableLinear


class StackedModels:
    """M models with the same first weights, whose parameters lie in common tensors.

    parameters: by name, (M, ...), what is differentiated. models: each a plain model whose parameters are views of its
    part, so that it is read, stored and loaded as any other. template: of their structure, whose layers are made for
    all at once; it is called with parameters of others, its own are never used.
    """

    def __init__(self, first: Model, n_models: int) -> None:
        """first: the model whose weights all begin with; it becomes the first of them, on its device."""
        self.models = [first, *(copy.deepcopy(first) for _ in range(n_models - 1))]
        self.template = copy.deepcopy(first).requires_grad_(False)
        for layer in self.template.modules():
            if type(layer) is nn.Linear:
                layer.__class__ = StackableLinear
            elif type(layer) is BernoulliHead:
                layer.__class__ = StackableBernoulliHead
        self.parameters: dict[str, Tensor] = {}
        named = [dict(model.named_parameters()) for model in self.models]
        for name in named[0]:
            # One at a time: the memory of a second copy of all models is never needed.
            stacked = torch.stack([parameters[name].detach() for parameters in named])
            for parameters, part in zip(named, stacked, strict=True):
                parameters[name].data = part
                parameters[name].requires_grad_(False)
            self.parameters[name] = stacked.requires_grad_()

    def __len__(self) -> int:
        return len(self.models)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.template.device


def views_of(stacked: dict[str, Tensor], model: int) -> dict[str, Tensor]:
    """Return the part of one model of tensors (M, ...), without a gradient; what is written into it is in the whole."""
    return {name: tensor.detach()[model] for name, tensor in stacked.items()}
