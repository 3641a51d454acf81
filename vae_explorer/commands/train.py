"""`vae-explorer train`: trains without a window, by the loop that the window has too; Ctrl-C saves and stops.

Under torchrun several processes train one run together; the first writes it, and speaks.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_explorer.commands.console import Interrupts, catch_interrupts, say, write_json
from vae_explorer.commands.run_config import config_from, note_on
from vae_explorer.commands.run_data import load_data, load_run_data
from vae_explorer.commands.torchrun import Launch, is_begun, run_together
from vae_explorer.commands.train_sweep import is_of_sweep, run_sweep
from vae_explorer.commands.train_talk import TrainTalk, figures_line
from vae_explorer.config import field_spec, parse_assignment
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import CancelledError, DivergedError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LiveName, MetricRecord

if TYPE_CHECKING:
    from vae_explorer.engine.headless import TrainResult
    from vae_explorer.training.world import World

ONLY_FOR_NEW_RUNS = {"config": "--config", "seed": "--seed", "epochs": "--epochs"}
LIVE_KEYS: dict[str, LiveName] = {
    "train.learning_rate": "learning_rate",
    "objective.beta": "beta",
}
"""Settings that are not part of what a run is: they may change from a step on."""
FIGURES = ("elbo", "distortion", "kl", "loss")


def run(args: argparse.Namespace) -> int:
    """Train a new run or go on with one, then write the summary. Ends with 130 when interrupted, 5 when diverged."""
    launch = Launch.of(os.environ)
    if is_of_sweep(args):
        return run_sweep(args, n_processes=launch.size)
    return run_together(launch, lambda world: _run(args, launch, world))


def _run(args: argparse.Namespace, launch: Launch, world: World | None) -> int:
    with catch_interrupts(is_patient=world is not None) as interrupts:
        place = _Place(launch, world, interrupts)
        result = _train_new(args, place) if args.resume is None else _resume(args, place)
    if args.is_json:
        write_json(summary_of(result))
    newest = result.last_held_out or result.last_train
    say(f"{result.run_path}: step {result.step:,}{figures_line(newest, step=result.step)}")
    if result.state.value == "diverged":
        say(f"vae-explorer: {result.message}")
        say(f"Such as with: vae-explorer train --resume {args.resume or args.out} --set train.learning_rate=RATE")
        return DivergedError.exit_code
    if result.state.value == "paused":
        say(f"vae-explorer: interrupted and saved; go on with: vae-explorer train --resume {args.resume or args.out}")
        return CancelledError.exit_code
    return 0


class _Place:
    """Where a training is done: by which process, among which, and how it is interrupted."""

    def __init__(self, launch: Launch, world: World | None, interrupts: Interrupts) -> None:
        self.launch, self.world, self.interrupts = launch, world, interrupts

    def first(self, decide: Callable[[], bool]) -> bool:
        """Return what the first process decides; it alone is sure to see the run folder."""
        decided = self.launch.rank == 0 and decide()
        return decided if self.world is None else self.world.largest([decided])[0] > 0

    def load(self, read: Callable[[], ImageData]) -> ImageData:
        """Read images in the first process, which downloads them where they lack, then in the others."""
        if self.world is None:
            return read()
        data = read() if self.world.is_first else None
        self.world.largest([0.0])
        return read() if data is None else data

    def train(self, *, first_step: int, **of_run: Any) -> TrainResult:
        """Train with the progress on stderr; as `train_headless`."""
        # torch is loaded here, after everything that can be refused without it
        from vae_explorer.engine.headless import train_headless

        among: dict[str, Any] = {} if self.world is None else {"world": self.world}
        with TrainTalk(first_step=first_step) as talk:
            return train_headless(
                on_progress=talk.on_progress, on_notice=say, is_interrupted=self.interrupts, **of_run, **among
            )


def _train_new(args: argparse.Namespace, place: _Place) -> TrainResult:
    config = config_from(args)
    note = note_on(args, config)
    out = Path(args.out).expanduser().absolute()
    if place.first(lambda: is_begun(out, config, is_restartable=place.launch.is_restartable)):
        return _go_on(RunFolder.open(out), place)
    if note is not None:
        say(note)
    device = place.launch.device(config.train.device)
    data = place.load(lambda: load_data(config.data, place.interrupts))
    if place.world is not None:
        from vae_explorer.training.world import whole_config

        config = whole_config(config, place.world)
    return place.train(first_step=0, data=data, run_path=out, config=config, device=device)


def _go_on(folder: RunFolder, place: _Place) -> TrainResult:
    """Go on with the run that this very command began before torchrun started it again."""
    checkpoint, notice = folder.find_sound_checkpoint()
    if notice is not None:
        say(notice)
    say(f"{folder.name} was begun by this command; going on from step {checkpoint.step:,}.")
    data = place.load(lambda: load_data(folder.config.data, place.interrupts))
    device = place.launch.device(folder.config.train.device)
    return place.train(first_step=checkpoint.step, data=data, run_path=folder.path, resume=True, device=device)


def _resume(args: argparse.Namespace, place: _Place) -> TrainResult:
    live = live_values(args)
    until_step = None if args.steps is None else field_spec("train.steps").validate(args.steps)
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    folder = RunFolder.open(args.resume)
    checkpoint, notice = folder.find_sound_checkpoint()
    if notice is not None:
        say(notice)
    data = place.load(lambda: load_run_data(folder, args.dataset, place.interrupts))
    from vae_explorer.training.devices import resolve_device

    device = place.launch.device(device or folder.config.train.device) or device
    now_on = str(resolve_device(device or folder.config.train.device))
    if now_on != folder.device:
        say(f"{folder.name} was trained on {folder.device}, now on {now_on}: going on is not bit-exact.")
    return place.train(
        first_step=checkpoint.step, data=data, run_path=folder.path, resume=True, until_step=until_step, device=device,
        live=live,
    )  # fmt: skip


def live_values(args: argparse.Namespace) -> dict[LiveName, float]:
    """Return what --set changes of a run that is gone on with; UsageError for what is part of what a run is."""
    for name, option in ONLY_FOR_NEW_RUNS.items():
        if getattr(args, name) not in (None, []):  # --seed 0 is given too
            raise UsageError(
                f"{option} is part of what a run is; with --resume only --steps, --device, --dataset and "
                f"--set of {' or '.join(LIVE_KEYS)} go."
            )
    values: dict[LiveName, float] = {}
    for key, value in map(parse_assignment, args.assignments):
        if key not in LIVE_KEYS:
            raise UsageError(
                f"--set {key} is part of what a run is; with --resume only {' and '.join(LIVE_KEYS)} can be set."
            )
        values[LIVE_KEYS[key]] = float(field_spec(key).validate(value))
    return values


def summary_of(result: TrainResult) -> dict[str, Any]:
    """Return the summary as plain values; the figures are the newest of the metrics log, in nats per image."""
    newest = result.last_held_out or result.last_train
    return {
        "run": str(result.run_path),
        "state": result.state.value,
        "step": result.step,
        "epoch": None if newest is None else newest.epoch * result.step / newest.step,
        "train": _figures(result.last_train),
        "held_out": _figures(result.last_held_out),
        "best_step": result.best_step,
        "seconds": result.seconds,
        "unit": "nats per image",
    }


def _figures(record: MetricRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {"step": record.step, **{name: getattr(record, name) for name in FIGURES}}
