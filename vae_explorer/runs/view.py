"""The stored view of a run: codes and decoded plane as arrays, so that a window shows them before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_explorer.errors import RunError
from vae_explorer.runs.tensor_file import AnyArray, read_tensors, write_tensors

VIEW_NAME = "view.safetensors"


@dataclass(frozen=True, eq=False)
class StoredView:
    """What the first look at a run shows, all of one step.

    indices: int64 (n,) into all images; loc, scale: float32 (n, d); elbo, kl, distortion: float32 (n,), nats per
    image, NaN where the model has none; kl_per_dim: float32 (d,) or None.
    plane_z: float32 (ny * nx, d), row 0 on top; plane_images: uint8 (255 = 1.0) or float16 (ny * nx, C, H, W).
    plane_shape: (ny, nx); plane_extent: (x_low, x_high, y_low, y_high) of the map that the plane covers.
    """

    step: int
    indices: NDArray[np.int64]
    loc: NDArray[np.float32]
    scale: NDArray[np.float32]
    elbo: NDArray[np.float32]
    kl: NDArray[np.float32]
    distortion: NDArray[np.float32]
    kl_per_dim: NDArray[np.float32] | None
    plane_z: NDArray[np.float32]
    plane_images: NDArray[np.uint8] | NDArray[np.float16]
    plane_shape: tuple[int, int]
    plane_extent: tuple[float, float, float, float]

    @property
    def plane_unit_images(self) -> NDArray[np.float32]:
        """The plane's images as float32 in [0, 1]."""
        images = self.plane_images.astype(np.float32)
        return images / np.float32(255) if self.plane_images.dtype == np.uint8 else images


def write_view(folder: Path, view: StoredView) -> None:
    """Write the view atomically; OSError when the disk refuses."""
    arrays: dict[str, AnyArray] = {
        name: value for name, value in vars(view).items() if isinstance(value, np.ndarray)
    } | {
        "plane_shape": np.array(view.plane_shape, dtype=np.int64),
        "plane_extent": np.array(view.plane_extent, dtype=np.float64),
    }
    write_tensors(folder / VIEW_NAME, arrays, metadata={"step": str(view.step)})


def read_view(folder: Path) -> StoredView | None:
    """Return the view, None when the run has none; RunError when it is damaged."""
    path = folder / VIEW_NAME
    if not path.is_file():
        return None
    arrays, metadata = read_tensors(path)
    try:
        y, x = (int(value) for value in arrays.pop("plane_shape"))
        x_low, x_high, y_low, y_high = (float(value) for value in arrays.pop("plane_extent"))
        fields: dict[str, Any] = {"kl_per_dim": None, **arrays}
        view = StoredView(
            step=int(metadata["step"]), plane_shape=(y, x), plane_extent=(x_low, x_high, y_low, y_high), **fields
        )
        _check(view)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); remove it, the next training writes a new one.") from None
    for array in arrays.values():
        array.flags.writeable = False
    return view


def _check(view: StoredView) -> None:
    n, d = view.loc.shape
    expected = {
        "indices": ("i", (n,)), "loc": ("f", (n, d)), "scale": ("f", (n, d)), "elbo": ("f", (n,)), "kl": ("f", (n,)),
        "distortion": ("f", (n,)), "plane_z": ("f", (view.plane_shape[0] * view.plane_shape[1], d)),
    }  # fmt: skip
    if view.kl_per_dim is not None:
        expected["kl_per_dim"] = ("f", (d,))
    for name, (kind, shape) in expected.items():
        array = getattr(view, name)
        if array.dtype.kind != kind or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {shape}")
    if view.plane_images.dtype not in (np.uint8, np.float16) or view.plane_images.ndim != 4:
        raise ValueError(f"plane_images are {view.plane_images.dtype} {view.plane_images.shape}")
    if len(view.plane_images) != len(view.plane_z):
        raise ValueError(f"{len(view.plane_images)} plane images for {len(view.plane_z)} codes")
