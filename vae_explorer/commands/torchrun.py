"""`train` under torchrun: who this process is, how it meets the others, and what is said when one of them is gone.

Nothing here loads torch unless there are several processes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vae_explorer.config import RunConfig
from vae_explorer.errors import RunError, UsageError, VaeExplorerError
from vae_explorer.runs.folder import RunFolder

if TYPE_CHECKING:
    from vae_explorer.training.world import World

MEET_WITHIN_S = 300
"""How long a process waits for the others to be started."""
ANSWER_WITHIN_S = 1800
"""How long it waits for their part of an update: the first reads, or downloads, the images before all others."""
FAILURE = "vae-explorer failure"
MAY_DIFFER = ("train.batch_size", "train.labelled_batch")


@dataclass(frozen=True)
class Launch:
    """How this process was started: number `rank` of `size`, number `local_rank` of `local_size` on this machine.

    is_restartable: whether torchrun would start the same command again after a failure.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    is_restartable: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read what torchrun has set; alone where it has set nothing. UsageError where it makes no sense."""
        if not {"RANK", "WORLD_SIZE"} <= set(environment):
            return cls()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        defaults = {"LOCAL_RANK": environment["RANK"], "LOCAL_WORLD_SIZE": environment["WORLD_SIZE"]}
        words = {name: environment.get(name, defaults.get(name, "")) for name in names}
        if not all(word.isdecimal() for word in words.values()) or int(words["RANK"]) >= int(words["WORLD_SIZE"]):
            told = ", ".join(f"{name}={word}" for name, word in words.items())
            raise UsageError(
                f"The environment has {told}, expected what torchrun sets; start by torchrun, or unset them."
            )
        rank, size, local_rank, local_size = (int(word) for word in words.values())
        return cls(rank, size, local_rank, local_size, is_restartable="TORCHELASTIC_RUN_ID" in environment)

    def device(self, name: str) -> str | None:
        """Return the device of this process for train.device; None where that says it: one process, or the CPU.

        UsageError where this machine has no such device for each of its processes.
        """
        if self.size == 1:
            return None
        import torch

        n_devices = torch.cuda.device_count()
        if name == "cpu" or (name == "auto" and n_devices == 0):
            return "cpu"
        if name not in ("auto", "cuda"):
            raise UsageError(
                f"train.device = {name!r}: each of {self.size} processes takes a device of its own; set auto, cuda or "
                "cpu."
            )
        if self.local_size > n_devices:
            raise UsageError(
                f"train.device = {name!r}: {self.local_size} processes on this machine and {n_devices} CUDA devices; "
                "start one process a device, or set cpu."
            )
        return f"cuda:{self.local_rank}"


def run_together(launch: Launch, work: Callable[[World | None], int]) -> int:
    """Do the work in this process among all; the exit code. Alone: nothing else happens.

    The first process alone speaks. One that fails tells it why, in one sentence, and all end.
    """
    if launch.size == 1:
        return work(None)
    if launch.rank == 0:
        with _joined(launch) as world:
            return work(world)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        logging.disable(logging.CRITICAL)
        try:
            with _joined(launch) as world:
                return work(world)
        except Exception as error:
            return error.exit_code if isinstance(error, VaeExplorerError) else VaeExplorerError.exit_code


@contextlib.contextmanager
def _joined(launch: Launch) -> Iterator[World]:
    """Meet the others, and leave them when all is done."""
    import torch.distributed as dist

    from vae_explorer.training.world import LostError, World

    _share_cores(launch)
    store = _meet(launch)
    try:
        yield World(launch.rank, launch.size)
    except LostError as error:
        raise _with_reason(error, store) from None
    except Exception as error:
        if launch.rank > 0:
            _tell_reason(error, launch, store)
        raise
    dist.destroy_process_group()


def _share_cores(launch: Launch) -> None:
    """Compute with an equal part of the machine's cores; torchrun itself says one thread where nobody says more."""
    import torch

    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(max(1, n_cores // launch.local_size))


def _meet(launch: Launch) -> Any:
    """Join the group of all processes; return the store in which they can leave words for each other."""
    import torch
    import torch.distributed as dist

    from vae_explorer.training.world import reason_of

    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(launch.local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    try:
        within = dt.timedelta(seconds=MEET_WITHIN_S)
        store, rank, size = next(dist.rendezvous("env://", launch.rank, launch.size, timeout=within))
        # torchrun keeps the store when it starts the processes again, and with it the addresses of those that ended.
        store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=dt.timedelta(seconds=ANSWER_WITHIN_S)
        )
    except (RuntimeError, ValueError) as error:
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise RunError(
            f"Process {launch.rank} of {launch.size} did not meet the others at {address} within {MEET_WITHIN_S} s "
            f"({reason_of(error)}); start all of them by torchrun, with the same address."
        ) from None
    return store


def _tell_reason(error: Exception, launch: Launch, store: Any) -> None:
    """Leave one sentence for the first process, which will find this one gone."""
    from vae_explorer.engine.failures import sentence_of

    with contextlib.suppress(RuntimeError):
        store.set(FAILURE, f"Process {launch.rank} of {launch.size} failed: {sentence_of(error)}")


def _with_reason(error: RunError, store: Any) -> RunError:
    """Return what the process that is gone said of it, else the error itself."""
    with contextlib.suppress(RuntimeError):
        if store.check([FAILURE]):
            return RunError(store.get(FAILURE).decode())
    return error


def is_begun(out: Path, config: RunConfig, *, is_restartable: bool) -> bool:
    """Whether `out` is the run that the same command began before torchrun had to start it again.

    False where there is nothing. config: as given, with the batch of one process; how many there are may have changed.
    UsageError where something else is there.
    """
    if not os.path.lexists(out):
        return False
    if is_restartable:
        with contextlib.suppress(RunError):
            if _is_same(RunFolder.open(out).config, config):
                return True
    raise UsageError(f"{out} exists already; name a new folder, or go on with a run by --resume.")


def _is_same(begun: RunConfig, config: RunConfig) -> bool:
    batches = {key: begun.get(key) for key in MAY_DIFFER}
    is_multiple = all(batch % config.get(key) == 0 for key, batch in batches.items())
    return is_multiple and begun == config.with_values(batches)
