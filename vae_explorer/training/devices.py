"""Which device a model is trained on: auto, cpu, cuda, cuda:N or mps."""

from __future__ import annotations

import torch

from vae_explorer.errors import UsageError


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; 'auto' is the first accelerator there is, else the CPU.

    Raises UsageError when this machine or this torch has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError("train.device = 'mps': this machine has no Metal device that torch can use; set auto or cpu.")
    if name.startswith("cuda"):
        return _resolve_cuda(name)
    return torch.device(name)


def make_current(device: torch.device) -> None:
    """Have torch mean this device where none is named, in this thread: events are recorded on the current one."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def _resolve_cuda(name: str) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise UsageError(
            f"train.device = {name!r}: torch {torch.__version__} finds no CUDA device here; set auto or cpu."
        )
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        raise UsageError(f"train.device = {name!r}: there are CUDA devices 0 to {count - 1}; set one of them.")
    return torch.device("cuda", index)
