"""What passes between engine and window: plain, frozen, picklable records; arrays are NumPy, copied and read-only.

Commands are first in, first out and never dropped. Requests are latest-wins per channel. Jobs are long, sliced,
cancellable and work on a frozen copy of the weights. Events come back through the outbox. No torch, no Qt here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.export.recipe import Recipe
from vae_explorer.runs.records import LogRecord

Array = NDArray[np.float32]


# ---- commands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewRun:
    """Build a fresh session. The run folder is created at `run_path` when training starts, not before."""

    config: RunConfig
    data: ImageData
    run_path: Path


@dataclass(frozen=True)
class OpenRun:
    """Open a run folder at its last checkpoint. When it is read-only (the demo), training forks into `fork_path`."""

    path: Path
    data: ImageData
    fork_path: Path


@dataclass(frozen=True)
class Start:
    """Train (or go on) until `until_step`; None: the configuration's length, and that much again once reached."""

    until_step: int | None = None


@dataclass(frozen=True)
class Pause:
    """Stop after the current step, save a checkpoint."""


@dataclass(frozen=True)
class StepOnce:
    """Do exactly one update, then be paused."""


@dataclass(frozen=True)
class Stop:
    """End the run: save, evaluate what is due, state FINISHED. `Start` goes on from there all the same."""


@dataclass(frozen=True)
class SetLive:
    """Change a live value; it applies before the next update, and a mark records that step."""

    name: Literal["learning_rate", "beta"]
    value: float


@dataclass(frozen=True)
class Save:
    """Write a checkpoint now."""


@dataclass(frozen=True)
class ShutDown:
    """Save if there is anything unsaved, then end the loop."""


Command = NewRun | OpenRun | Start | Pause | StepOnce | Stop | SetLive | Save | ShutDown


# ---- requests (latest wins per channel) -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Decode:
    """Decode n codes. z: float32 (n, latent_dim). draw_seed: None gives the likelihood's mean, a seed gives a draw.

    Up to SMALL_BATCH codes are answered within one slice; more are worked in slices behind the small ones.
    """

    channel: str
    id: int
    z: Array
    draw_seed: int | None = None


@dataclass(frozen=True)
class Encode:
    """Encode images of the data by index. indices: int64 (n,)."""

    channel: str
    id: int
    indices: NDArray[np.int64]
    draw_seed: int | None = None


@dataclass(frozen=True)
class Render:
    """Make the tiles of a gallery picture on screen; the same function that an export runs."""

    channel: str
    id: int
    recipe: Recipe


Request = Decode | Encode | Render
SMALL_BATCH = 64


# ---- jobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """Make `recipe` from a frozen copy of the weights and write it to `path` (.png, .npz, .csv)."""

    job: int
    recipe: Recipe
    path: Path


@dataclass(frozen=True)
class CancelJob:
    """Ask a job to end; it answers JobFailed('cancelled') within a slice and leaves no half-written file."""

    job: int


Job = Export

Message = Command | Request | Job | CancelJob


# ---- events ---------------------------------------------------------------------------------------------------------


class EngineState(Enum):
    """What the engine is doing. FAILED still serves NewRun, OpenRun and ShutDown."""

    EMPTY = "empty"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True)
class RunStatus:
    """Sent when the state changes, and a few times a second while it runs (newest kept)."""

    state: EngineState
    step: int
    target_step: int
    epoch: float
    steps_per_s: float
    seconds_left: float | None
    device: str
    run_path: Path | None
    is_saved: bool
    learning_rate: float
    beta: float
    scale: float | None = None
    """The learnt standard deviation of a Gaussian likelihood, or None."""
    is_scale_at_floor: bool = False
    time_s: float = 0.0


@dataclass(frozen=True)
class RunOpened:
    """A session was built (NewRun, OpenRun). `records`: the log up to the checkpoint; read-only runs fork to train."""

    config: RunConfig
    run_path: Path
    step: int
    is_read_only: bool
    records: tuple[LogRecord, ...]
    n_parameters: int
    notes: tuple[str, ...] = ()
    """Sentences such as 'trained on cuda, resumed on cpu: not bit-exact'."""


@dataclass(frozen=True)
class RecordsAdded:
    """New rows and marks of the metrics log, in order; batches concatenate, none is dropped."""

    records: tuple[LogRecord, ...]


@dataclass(frozen=True)
class CodesSnapshot:
    """Posterior parameters of images at one step. indices: int64 (n,), a fixed sample while training, all when paused.

    loc, scale: float32 (n, latent_dim); scale is zero for an autoencoder. kl, distortion, elbo: float32 (n,) nats per
    image; kl and elbo are NaN for an autoencoder; the distortion is a one-sample estimate.
    kl_per_dim: float32 (latent_dim,), mean over the n images, None for an autoencoder.
    """

    step: int
    indices: NDArray[np.int64]
    loc: Array
    scale: Array
    elbo: Array
    kl: Array
    distortion: Array
    kl_per_dim: Array | None
    is_complete: bool


@dataclass(frozen=True)
class Decoded:
    """Answer to Decode. images: float32 (n, C, H, W) in [0, 1] for means (draws of a Gaussian may lie outside)."""

    channel: str
    id: int
    step: int
    z: Array
    images: Array


@dataclass(frozen=True)
class Encoded:
    """Answer to Encode: q(z|x), reconstruction and figures of each image (nats; 64 draws for the distortion)."""

    channel: str
    id: int
    step: int
    indices: NDArray[np.int64]
    loc: Array
    scale: Array
    kl_per_dim: Array | None
    """(n, latent_dim), None for an autoencoder."""
    elbo: Array
    kl: Array
    distortion: Array
    elbo_mc_se: Array
    reconstructions: Array


@dataclass(frozen=True)
class Rendered:
    """Answer to Render. picture: uint8 (H, W, 3); tiles: float32 (rows, cols, C, h, w).

    codes: float32 (rows, cols, latent_dim), None where tiles have no code (originals).
    """

    channel: str
    id: int
    step: int
    recipe: Recipe
    picture: NDArray[np.uint8]
    tiles: Array
    codes: Array | None


@dataclass(frozen=True)
class RequestFailed:
    """A request could not be answered; training goes on."""

    channel: str
    id: int
    message: str


@dataclass(frozen=True)
class JobProgress:
    """A job's share of work done, 0 to 1."""

    job: int
    fraction: float


@dataclass(frozen=True)
class JobDone:
    """A job has delivered; `path` is the file it wrote."""

    job: int
    path: Path
    step: int


@dataclass(frozen=True)
class JobFailed:
    """A job ended without a result; `message` is one sentence."""

    job: int
    message: str
    is_cancelled: bool = False


@dataclass(frozen=True)
class Notice:
    """One sentence for people that asks for nothing (a checkpoint was skipped, a floor was reached)."""

    message: str
    details: str = ""


@dataclass(frozen=True)
class EngineFailed:
    """A command or a turn of the loop failed; `message` is one sentence, `details` a traceback for the log."""

    message: str
    details: str = ""
    during: str = ""
    context: dict[str, Any] = field(default_factory=dict)


Answer = Decoded | Encoded | Rendered | RequestFailed
Event = (
    RunStatus
    | RunOpened
    | RecordsAdded
    | CodesSnapshot
    | Answer
    | JobProgress
    | JobDone
    | JobFailed
    | Notice
    | EngineFailed
)
