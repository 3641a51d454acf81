"""The state of a session as named NumPy arrays, and back; what does not fit is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_explorer.errors import RunError

AnyArray = NDArray[Any]


class SessionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a session's state that is plain values.

    sums_since: step of the last training record. best_value, best_step: the best held-out evaluation so far.
    is_evaluating: whether the evaluation that is due at `step` is unfinished; it is begun anew. free_bits,
    warmup_start, warmup_steps: as changed by hand; None where they are those of the configuration, as in checkpoints
    from before they could be changed. part: whose weights are updated, None for all.
    device, torch, processes: what computed it; others go on from it, but not bit by bit.
    """

    step: Annotated[int, Meta(ge=0)]
    time_s: Annotated[float, Meta(ge=0)]
    sums_since: Annotated[int, Meta(ge=0)]
    is_evaluating: bool
    learning_rate: float
    beta: float
    free_bits: float | None = None
    warmup_start: int | None = None
    warmup_steps: int | None = None
    part: Literal["encoder", "decoder"] | None = None
    best_value: float | None
    best_step: int | None
    device: str
    torch: str
    processes: int = 1

    @staticmethod
    def read(meta: Mapping[str, Any]) -> SessionMeta:
        """Check plain values from a checkpoint's header; RunError names what is wrong."""
        try:
            return msgspec.convert(meta, SessionMeta)
        except msgspec.ValidationError as error:
            raise RunError(f"The checkpoint's header is not one of a session ({error}); use another one.") from None

    def notes(self, *, device: str, torch: str, processes: int = 1) -> tuple[str, ...]:
        """What a person should know who goes on with this state on `device` with `torch` in so many processes."""
        if (device, torch, processes) == (self.device, self.torch, self.processes):
            return ()
        there, here = (f"{self.device} with torch {self.torch}", f"{device} with torch {torch}")
        if processes != self.processes:
            there, here = f"{there} by {_processes(self.processes)}", f"{here} by {_processes(processes)}"
        return (f"Trained on {there}, resumed on {here}: not bit-exact.",)


def _processes(n: int) -> str:
    return "1 process" if n == 1 else f"{n} processes"


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return what of a model is stored, as 'model.<name>': parameters and what else its state says (not copied)."""
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()}


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, AnyArray]:
    """Return copies on the host; waits for the device."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def copy_into(tensors: Mapping[str, Tensor], arrays: Mapping[str, AnyArray]) -> None:
    """Copy arrays into the tensors of the same names; RunError when a name, shape or type does not fit."""
    for name, tensor in tensors.items():
        if name not in arrays:
            raise RunError(f"The checkpoint lacks {name}, which this model has; use another checkpoint.")
        array = arrays[name]
        found, expected = (str(array.dtype), array.shape), (str(tensor.dtype)[len("torch.") :], tuple(tensor.shape))
        if found != expected:
            raise RunError(
                f"The checkpoint's {name} is {found[0]} {found[1]}, this model expects {expected[0]} {expected[1]}; "
                "use another checkpoint."
            )
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.tensor(np.asarray(arrays[name])))


def to_generator(arrays: Mapping[str, AnyArray], device: torch.device) -> torch.Generator:
    """Return a generator on `device` in the state `generator`; RunError when that is missing or no such state."""
    try:
        return torch.Generator(device).set_state(torch.tensor(arrays["generator"]))
    except (KeyError, RuntimeError, TypeError) as error:
        raise RunError(f"The checkpoint's generator state does not fit ({error}); use another checkpoint.") from None
