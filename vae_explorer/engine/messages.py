"""What passes between engine and window: plain, frozen, picklable records; arrays are NumPy, copied and read-only.

Commands are first in, first out and never dropped. Requests are latest-wins per channel. Jobs are long, sliced,
cancellable and work on a frozen copy of the weights. Events come back through the outbox. No torch, no Qt here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.export.recipe import Recipe
from vae_explorer.latent.mixture import Mixture
from vae_explorer.runs.records import LiveName, LogRecord

Array = NDArray[np.float32]
Which = Literal["run", "companion"]
"""Whose weights are meant: the open run's, or those of the autoencoder that is trained along with it."""
Part = Literal["encoder", "decoder"]
"""'encoder': the weights of q (and of q(y|x)); 'decoder': all others, theta."""


# ---- commands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewRun:
    """Build a fresh session. The run folder is created at `run_path` when training starts, not before."""

    config: RunConfig
    data: ImageData
    run_path: Path


@dataclass(frozen=True)
class OpenRun:
    """Open a run folder at its last checkpoint. When it is read-only (the demo), training forks into `fork_path`.

    One that another program is writing is followed: its records and newer checkpoints come as they are written.
    """

    path: Path
    data: ImageData
    fork_path: Path


@dataclass(frozen=True)
class NewSweep:
    """Build fresh models of configurations that differ in beta alone, trained side by side as the open run.

    Their runs get folders of their own below `path` when training starts, not before.
    """

    configs: tuple[RunConfig, ...]
    data: ImageData
    path: Path


@dataclass(frozen=True)
class OpenSweep:
    """Open the folder of a sweep at the newest step that its runs have in common."""

    path: Path
    data: ImageData


@dataclass(frozen=True)
class ShowModel:
    """Show one model of the open sweep as the open run; all are trained on as before."""

    place: int


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
class StepPart:
    """Do `steps` updates of one part's weights alone, then be paused: 'encoder' a lazy E step, 'decoder' an M step.

    Marks `part` in the log tell where it began, and where all weights are updated again.
    """

    part: Part
    steps: int


@dataclass(frozen=True)
class Stop:
    """End the run: save, evaluate what is due, state FINISHED. `Start` goes on from there all the same."""


@dataclass(frozen=True)
class SetLive:
    """Change a live value; it applies before the next update, and a mark records that step."""

    name: LiveName
    value: float


@dataclass(frozen=True)
class SetCompanion:
    """Train an autoencoder of the same settings and data along with the open run, step by step, or forget it.

    It lives in memory only, has its own generators, and changes nothing of the run's training. Its codes come as
    CodesSnapshot with `of` = 'companion'; requests with that `of` are answered by it.
    """

    is_on: bool


@dataclass(frozen=True)
class Save:
    """Write a checkpoint now."""


@dataclass(frozen=True)
class ShutDown:
    """Save if there is anything unsaved, then end the loop."""


Command = (
    NewRun
    | OpenRun
    | NewSweep
    | OpenSweep
    | ShowModel
    | Start
    | Pause
    | StepOnce
    | StepPart
    | Stop
    | SetLive
    | SetCompanion
    | Save
    | ShutDown
)


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
    label: int | None = None
    """M2: the class to decode; None: the mean over p(y) of all, or for draws a drawn one."""
    of: Which = "run"
    is_8_bit: bool = False
    """Whether the pictures are to come as uint8, 255 = 1.0: of many, the window would convert them for too long."""


@dataclass(frozen=True)
class Encode:
    """Encode images of the data by index. indices: int64 (n,)."""

    channel: str
    id: int
    indices: NDArray[np.int64]
    draw_seed: int | None = None
    of: Which = "run"


@dataclass(frozen=True)
class Render:
    """Make the tiles of a gallery picture on screen; the same function that an export runs."""

    channel: str
    id: int
    recipe: Recipe


@dataclass(frozen=True)
class Inspect:
    """Ask for the exact posterior of one image (latent_dim 1 and 2): coarse for a first look, fine for the figures."""

    channel: str
    id: int
    index: int
    is_fine: bool


@dataclass(frozen=True)
class Climb:
    """Ask for the ladder of importance-weighted bounds of one image, k = 1 .. samples, from one set of log-weights."""

    channel: str
    id: int
    index: int
    samples: int = 5000
    seed: int = 0


@dataclass(frozen=True)
class Improve:
    """Ask for the best diagonal Gaussian for one image: q is optimised from where the encoder put it."""

    channel: str
    id: int
    index: int


@dataclass(frozen=True)
class ReadTerms:
    """Ask for every term of the bound of one image, sample by sample."""

    channel: str
    id: int
    index: int
    samples: int = 64
    seed: int = 0


@dataclass(frozen=True)
class EstimateGaps:
    """Ask how far the bound of each of some images lies below log p(x), by importance sampling. indices: int64 (n,)."""

    channel: str
    id: int
    indices: NDArray[np.int64]
    samples: int = 64
    seed: int = 0


@dataclass(frozen=True)
class FitMixture:
    """Ask for one action of EM on points; it has no state: the mixture of the last answer comes with the question.

    points: float32 (n, d). action: 'start' (k-means++ by `seed`), 'e', 'm' (with the responsibilities of `mixture` at
    an E step), or 'fit' (until the log-likelihood stands, at most `iterations` rounds).
    """

    channel: str
    id: int
    points: Array
    action: Literal["start", "e", "m", "fit"]
    mixture: Mixture | None = None
    components: int = 10
    covariance: Literal["full", "tied", "diagonal", "spherical"] = "full"
    floor: float = 1e-6
    seed: int = 0
    iterations: int = 200
    responsibilities: Array | None = None


Request = Decode | Encode | Render | Inspect | Climb | Improve | ReadTerms | EstimateGaps | FitMixture
SMALL_BATCH = 64


# ---- jobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """Make `recipe` from a frozen copy of the weights and write it to `path` (.png, .npz, .csv)."""

    job: int
    recipe: Recipe
    path: Path


@dataclass(frozen=True)
class Assess:
    """Work out what the model is worth on a split: the same report as `vae-explorer evaluate --json`."""

    job: int
    split: Literal["train", "validation", "test", "all"]
    samples: int = 64
    """Codes an image, for the elbo and for log p(x) alike."""
    exact_images: int = 200
    """Images, spread evenly over the split, whose log p(x) is also worked out by quadrature (latent_dim 1 and 2)."""
    seed: int = 0


@dataclass(frozen=True)
class CancelJob:
    """Ask a job to end; it answers JobFailed(is_cancelled=True) within a slice and leaves no half-written file.

    A cancelled Assess keeps what it has: its JobDone follows with the report of the images that were done.
    """

    job: int


Job = Export | Assess

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
    FOLLOWING = "following"
    """The open run is trained by another program: it is shown as it grows, and nothing trains it here."""


@dataclass(frozen=True)
class Elsewhere:
    """Who trains the open run elsewhere (host, process, since when in ISO 8601), and how far its log is.

    checkpoint_every_s: seconds between its checkpoints, which the step of the weights shown here jumps by. is_quiet:
    nothing has come for so long that it may have been paused, or ended without a word.
    """

    host: str
    pid: int
    since: str
    log_step: int
    checkpoint_every_s: float
    is_quiet: bool = False


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
    free_bits: float = 0.0
    companion_step: int | None = None
    """Step of the autoencoder that is trained along, or None."""
    elsewhere: Elsewhere | None = None
    """Who trains the run while it is FOLLOWING, else None."""


@dataclass(frozen=True)
class RunOpened:
    """A session was built (NewRun, OpenRun). `records`: the log up to the checkpoint; read-only runs fork to train."""

    config: RunConfig
    run_path: Path
    step: int
    is_read_only: bool
    records: tuple[LogRecord, ...]
    n_parameters: int
    labelled: NDArray[np.int64] | None = None
    """M2: the indices of the training images whose label is used."""
    notes: tuple[str, ...] = ()
    """Sentences such as 'trained on cuda, resumed on cpu: not bit-exact'."""


@dataclass(frozen=True)
class SweepOpened:
    """A sweep was built; the RunOpened of its shown model follows.

    configs, run_paths, records: of each model in order, the records those of its log so far. left: places of models
    that diverged and stay behind. path: of the sweep.
    """

    path: Path
    configs: tuple[RunConfig, ...]
    run_paths: tuple[Path, ...]
    step: int
    left: tuple[int, ...]
    records: tuple[tuple[LogRecord, ...], ...]


@dataclass(frozen=True)
class SweepShown:
    """Which model of the sweep is shown as the open run, and the places of those that diverged."""

    place: int
    left: tuple[int, ...]


@dataclass(frozen=True)
class SweepRecordsAdded:
    """New rows and marks of the logs of a sweep, each with the place of its model; batches concatenate."""

    records: tuple[tuple[int, LogRecord], ...]


@dataclass(frozen=True)
class SweepSnapshot:
    """Mean codes of a fixed sample of n images by all M models of a sweep.

    indices: int64 (n,). loc: float32 (M, n, latent_dim). active_units: int64 (M,), of the sample. steps: int64 (M,), of
    the weights: `step`, but for a model that diverged.
    """

    step: int
    indices: NDArray[np.int64]
    loc: Array
    active_units: NDArray[np.int64]
    steps: NDArray[np.int64]


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
    predicted: NDArray[np.int64] | None = None
    """M2: the most probable class of each image, (n,)."""
    of: Which = "run"


@dataclass(frozen=True)
class Decoded:
    """Answer to Decode. images: float32 (n, C, H, W) in [0, 1] for means (draws of a Gaussian may lie outside), or
    uint8, clipped, where `is_8_bit` was asked for."""

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
    class_probabilities: Array | None = None
    """M2: q(y|x), (n, n_classes). Its loc and scale are those of q(z|x, y) at the most probable class."""
    kl_mc_se: Array | None = None
    """Standard error of the kl by its draws, (n,), None where the kl is exact."""


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
class Inspected:
    """Answer to Inspect: the true posterior of one image, by quadrature; nats.

    log_density: float32 (rows, cols), log p(z|x) on the cells of `extent` (x_low, x_high, y_low, y_high: the outer
    edges), row 0 at y_low; for latent_dim 1 a single row. energy: -log p(x, z) at the cells' middles. gap = log_px -
    elbo, two independent integrals. error: of the gap, the sum of both. loc, scale: of q(z|x).
    """

    channel: str
    id: int
    step: int
    index: int
    is_fine: bool
    log_density: Array
    energy: Array
    extent: tuple[float, float, float, float]
    loc: Array
    scale: Array
    log_px: float
    error: float
    elbo: float
    gap: float
    mode: Array
    """Where the posterior is highest, (latent_dim,)."""
    log_px_error: float = math.nan
    """Change at double resolution plus the mass at the box's edge."""
    elbo_error: float = math.nan


@dataclass(frozen=True)
class Climbed:
    """Answer to Climb: IWAE bounds of one image by k, nats, with standard errors; ess and k-hat of all its weights.

    bounds[i] is the mean of the disjoint groups of k[i] samples; the last, of one group, has the delta-method's error.
    """

    channel: str
    id: int
    step: int
    index: int
    k: NDArray[np.int64]
    bounds: Array
    errors: Array
    ess: float
    k_hat: float
    log_px: float
    log_px_mc_se: float


@dataclass(frozen=True)
class Improved:
    """Answer to Improve: q's way from the encoder's to its best: loc, scale (T, latent_dim), elbo (T,), nats.

    amortisation_gap = elbo[-1] - elbo[0] on one set of quadrature points or samples; family_gap: what is left to
    log p(x), where that is known exactly (latent_dim 1 and 2), else None.
    """

    channel: str
    id: int
    step: int
    index: int
    loc: Array
    scale: Array
    elbo: Array
    amortisation_gap: float
    family_gap: float | None


@dataclass(frozen=True)
class TermsRead:
    """Answer to ReadTerms, nats. log_likelihood, log_prior, log_posterior: (K,), of K codes z (K, latent_dim) ~ q.

    kl: the closed form, None where there is none. For M2 the codes are (y, z) ~ q(y|x) q(z|x,y), of which `z` holds z;
    log_prior and log_posterior hold those of y, and kl is that of both: there is no kl_per_dim.
    """

    channel: str
    id: int
    step: int
    index: int
    z: Array
    log_likelihood: Array
    log_prior: Array
    log_posterior: Array
    kl: float | None
    kl_per_dim: Array | None
    pixels: int
    latent_dim: int


@dataclass(frozen=True)
class GapsEstimated:
    """Answer to EstimateGaps, nats. gap: float32 (n,), the bound of `samples` codes less the elbo of the same codes.

    Too low in the mean, as that bound lies below log p(x), and by its noise it may be < 0.
    """

    channel: str
    id: int
    step: int
    indices: NDArray[np.int64]
    gap: Array
    samples: int


@dataclass(frozen=True)
class MixtureFitted:
    """Answer to FitMixture. log_likelihood, bound: nats a point; responsibilities: float32 (n, components).

    bound: Jensen's bound with `responsibilities` under `mixture`: equal to the log-likelihood right after an E step.
    """

    channel: str
    id: int
    step: int
    mixture: Mixture
    responsibilities: Array
    log_likelihood: float
    bound: float
    iterations: int
    is_at_floor: bool


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
    """A job has delivered; `path` is the file it wrote, or `report` what it found out."""

    job: int
    path: Path | None
    step: int
    report: dict[str, Any] | None = None


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


Answer = (
    Decoded
    | Encoded
    | Rendered
    | Inspected
    | Climbed
    | Improved
    | TermsRead
    | GapsEstimated
    | MixtureFitted
    | RequestFailed
)
Event = (
    RunStatus
    | RunOpened
    | RecordsAdded
    | SweepOpened
    | SweepShown
    | SweepRecordsAdded
    | SweepSnapshot
    | CodesSnapshot
    | Answer
    | JobProgress
    | JobDone
    | JobFailed
    | Notice
    | EngineFailed
)
