"""The images as a model sees them: on its device as uint8 where they fit, scaled and binarised as they are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.image_store import new_images
from vae_explorer.model.noise import Stream, derived_seed, seeded_generator

_CHUNK = 4096
_DEVICE_SHARE = 0.6
"""What images may take of an accelerator's free memory; the rest is the model's."""


class Pixels:
    """All images of a data set.

    images: uint8 (N, C, H, W); x = images / max_value. On the CPU they are those of the data set, not copied; what lies
    in a mapped file stays there. Threshold and static binarisation are done once, here, into images of their own;
    dynamic binarisation draws zeros and ones anew each time, from the generator of whoever takes the images.
    is_resident: whether `images` lie on the device; where they do not fit, batches are gathered on the host, and `take`
    waits for the device. device: where what is taken lies.
    """

    def __init__(self, data: ImageData, config: RunConfig, device: torch.device) -> None:
        """Raises DataError when the file that the images lie in was cut short."""
        data.check_whole()
        binarize = config.data.binarize if config.model.likelihood == "bernoulli" else "none"
        self.is_dynamic = binarize == "dynamic"
        self.is_binarised = binarize != "none"
        self.device = device
        images, max_value = borrowed(data.images), data.max_value
        if binarize == "threshold":
            images, max_value = _binarised(images, lambda part: part > data.max_value / 2, data), 1
        elif binarize == "static":
            images, max_value = _drawn_once(images, data, seed=config.data.seed), 1
        self.is_resident = _fits(images, device)
        self.images = images.to(device) if self.is_resident else images
        self.max_value = max_value
        self._factor = 1.0 / max_value
        self._gathered = torch.empty(0, dtype=torch.uint8)

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
        x = self.grey(indices)
        return torch.bernoulli(x, generator=generator) if self.is_dynamic else x

    def grey(self, indices: Tensor) -> Tensor:
        """Return images as `take` does, before zeros and ones are drawn dynamically."""
        return self._bytes_of(indices).float().mul_(self._factor)

    def take_seeded(self, indices: np.ndarray, seed: int) -> Tensor:
        """Return images as `take` does; a dynamic draw depends on `seed` and each image's index alone."""
        rows = torch.as_tensor(np.array(indices, dtype=np.int64)).to(self.device)
        x = self._bytes_of(rows).float().mul_(self._factor)
        if not self.is_dynamic:
            return x
        generator = torch.Generator()
        uniform = torch.empty(x.shape)
        for image, index in zip(uniform, np.asarray(indices).tolist(), strict=True):
            image.uniform_(generator=generator.manual_seed(derived_seed(seed, Stream.BINARISE, index)))
        return (uniform.to(self.device) < x).float()

    def _bytes_of(self, rows: Tensor) -> Tensor:
        if self.is_resident:
            return self.images.index_select(0, rows)
        if len(rows) > len(self._gathered):
            shape = (len(rows), *self.images.shape[1:])
            self._gathered = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        gathered = self._gathered[: len(rows)]
        torch.index_select(self.images, 0, rows.cpu(), out=gathered)
        # A copy that is waited for: the next batch is gathered into the same pinned memory.
        return gathered.to(self.device, copy=True)


def borrowed(array: NDArray[Any]) -> Tensor:
    """Return a tensor on the memory of an array, which is never to be written.

    `torch.from_numpy` warns of read-only arrays, and has no other way to take them.
    """
    return torch.from_numpy(np.asarray(_Writable(array)))


class _Writable:
    """Tells NumPy that the memory of an array may be written; keeps the array alive meanwhile."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _fits(images: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    return images.numel() <= torch.cuda.mem_get_info(device)[0] * _DEVICE_SHARE


def _binarised(images: Tensor, to_zero_and_one: Callable[[Tensor], Tensor], data: ImageData) -> Tensor:
    """Return zeros and ones of all images, uint8, worked out a chunk at a time."""
    binary = torch.from_numpy(new_images(tuple(images.shape), data.provenance.title))
    for first in range(0, len(images), _CHUNK):
        binary[first : first + _CHUNK] = to_zero_and_one(images[first : first + _CHUNK])
    return binary


def _drawn_once(images: Tensor, data: ImageData, *, seed: int) -> Tensor:
    """Zeros and ones with probability x, drawn on the CPU so that every device has the same (Salakhutdinov 2008)."""
    generator = seeded_generator(seed, Stream.BINARISE)
    return _binarised(images, lambda part: torch.bernoulli(part.float() / data.max_value, generator=generator), data)
