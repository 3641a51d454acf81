"""The images as a model sees them: resident on its device as uint8, scaled and binarised as they are taken."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.noise import Stream, derived_seed, seeded_generator

_CHUNK = 4096


class Pixels:
    """All images of a data set on one device.

    images: uint8 (N, C, H, W). Threshold and static binarisation are done once, here; dynamic binarisation draws
    zeros and ones anew each time, from the generator of whoever takes the images.
    """

    def __init__(self, data: ImageData, config: RunConfig, device: torch.device) -> None:
        binarize = config.data.binarize if config.model.likelihood == "bernoulli" else "none"
        self.is_dynamic = binarize == "dynamic"
        self.is_binarised = binarize != "none"
        self.device = device
        images = torch.tensor(data.images)
        max_value = data.max_value
        if binarize == "threshold":
            images, max_value = (images > max_value / 2).to(torch.uint8), 1
        elif binarize == "static":
            images, max_value = _draw_once(images, max_value, seed=config.data.seed), 1
        self.images = images.to(device)
        self.max_value = max_value
        self._factor = 1.0 / max_value

    def __len__(self) -> int:
        return len(self.images)

    def is_binary(self) -> bool:
        """Whether a model sees zeros and ones alone, drawn or as the images are; may look at all of them."""
        if self.is_binarised or self.max_value == 1:
            return True
        # In chunks: the masks of all images at once would take twice their memory.
        return all(bool(((part == 0) | (part == self.max_value)).all()) for part in self.images.split(_CHUNK))

    def take(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Return images (B, C, H, W), float32 in [0, 1], for int64 indices (B,) on the device."""
        x = self.images.index_select(0, indices).float().mul_(self._factor)
        return torch.bernoulli(x, generator=generator) if self.is_dynamic else x

    def take_seeded(self, indices: np.ndarray, seed: int) -> Tensor:
        """Return images as `take` does; a dynamic draw depends on `seed` and each image's index alone."""
        rows = torch.as_tensor(np.array(indices, dtype=np.int64)).to(self.device)
        x = self.images.index_select(0, rows).float().mul_(self._factor)
        if not self.is_dynamic:
            return x
        generator = torch.Generator()
        uniform = torch.empty(x.shape)
        for image, index in zip(uniform, np.asarray(indices).tolist(), strict=True):
            image.uniform_(generator=generator.manual_seed(derived_seed(seed, Stream.BINARISE, index)))
        return (uniform.to(self.device) < x).float()


def _draw_once(images: Tensor, max_value: int, *, seed: int) -> Tensor:
    """Zeros and ones with probability x, drawn on the CPU so that every device has the same (Salakhutdinov 2008)."""
    generator = seeded_generator(seed, Stream.BINARISE)
    drawn = torch.empty_like(images)
    for first in range(0, len(images), _CHUNK):
        part = images[first : first + _CHUNK].float() / max_value
        drawn[first : first + _CHUNK] = torch.bernoulli(part, generator=generator).to(torch.uint8)
    return drawn
