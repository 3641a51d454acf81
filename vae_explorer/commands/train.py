"""`vae-explorer train`: trains without a window, by the loop that the window has too; Ctrl-C saves and stops."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vae_explorer.commands.console import Interrupts, catch_interrupts, say, write_json
from vae_explorer.commands.run_config import config_from, note_on
from vae_explorer.commands.run_data import load_data, load_run_data
from vae_explorer.commands.train_talk import TrainTalk, figures_line
from vae_explorer.config import field_spec, parse_assignment
from vae_explorer.errors import CancelledError, DivergedError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import MetricRecord

if TYPE_CHECKING:
    from vae_explorer.engine.headless import TrainResult

ONLY_FOR_NEW_RUNS = {"config": "--config", "seed": "--seed", "epochs": "--epochs"}
LIVE_KEYS: dict[str, Literal["learning_rate", "beta"]] = {
    "train.learning_rate": "learning_rate",
    "objective.beta": "beta",
}
"""Settings that are not part of what a run is: they may change from a step on."""
FIGURES = ("elbo", "distortion", "kl", "loss")


def run(args: argparse.Namespace) -> int:
    """Train a new run or go on with one, then write the summary. Ends with 130 when interrupted, 5 when diverged."""
    with catch_interrupts() as interrupts:
        result = _train_new(args, interrupts) if args.resume is None else _resume(args, interrupts)
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


def _train_new(args: argparse.Namespace, interrupts: Interrupts) -> TrainResult:
    config = config_from(args)
    note = note_on(args, config)
    out = Path(args.out).expanduser().absolute()
    if os.path.lexists(out):
        raise UsageError(f"{out} exists already; name a new folder, or go on with a run by --resume.")
    if note is not None:
        say(note)
    data = load_data(config.data, interrupts)
    # torch is loaded here, after everything that can be refused without it
    from vae_explorer.engine.headless import train_headless

    with TrainTalk(first_step=0) as talk:
        return train_headless(
            data=data, run_path=out, config=config, on_progress=talk.on_progress, is_interrupted=interrupts
        )


def _resume(args: argparse.Namespace, interrupts: Interrupts) -> TrainResult:
    for name, option in ONLY_FOR_NEW_RUNS.items():
        if getattr(args, name) not in (None, []):  # --seed 0 is given too
            raise UsageError(
                f"{option} is part of what a run is; with --resume only --steps, --device, --dataset and "
                f"--set of {' or '.join(LIVE_KEYS)} go."
            )
    live = _live_values(args.assignments)
    until_step = None if args.steps is None else field_spec("train.steps").validate(args.steps)
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    folder = RunFolder.open(args.resume)
    checkpoint, notice = folder.find_sound_checkpoint()
    if notice is not None:
        say(notice)
    data = load_run_data(folder, args.dataset, interrupts)
    from vae_explorer.engine.headless import train_headless
    from vae_explorer.training.devices import resolve_device

    place = str(resolve_device(device or folder.config.train.device))
    if place != folder.device:
        say(f"{folder.name} was trained on {folder.device}, now on {place}: going on is not bit-exact.")
    with TrainTalk(first_step=checkpoint.step) as talk:
        return train_headless(
            data=data, run_path=folder.path, resume=True, until_step=until_step, device=device, live=live,
            on_progress=talk.on_progress, is_interrupted=interrupts,
        )  # fmt: skip


def _live_values(assignments: list[str]) -> dict[Literal["learning_rate", "beta"], float]:
    """Return what --set changes of a run that is gone on with; UsageError for a key that is part of what a run is."""
    values: dict[Literal["learning_rate", "beta"], float] = {}
    for key, value in map(parse_assignment, assignments):
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
