"""`vae-explorer train` where `objective.beta` is a list, or the run to go on with is a sweep."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_explorer.commands.console import Interrupts, catch_interrupts, say, write_json
from vae_explorer.commands.run_config import note_on, sweep_from
from vae_explorer.commands.run_data import load_data, load_run_data
from vae_explorer.commands.train_talk import TrainTalk, figures_line
from vae_explorer.config import RunConfig, field_spec
from vae_explorer.errors import CancelledError, DivergedError, UsageError
from vae_explorer.runs.sweep_folder import SweepFolder, is_sweep
from vae_explorer.sweep_config import beta_text, configs_of

if TYPE_CHECKING:
    from vae_explorer.engine.sweep_headless import SweepResult


def is_of_sweep(args: argparse.Namespace) -> bool:
    """Whether the arguments of `train` mean a sweep; raises as reading them does."""
    if args.resume is not None:
        return is_sweep(args.resume)
    return sweep_from(args)[1] is not None


def run_sweep(args: argparse.Namespace, *, n_processes: int) -> int:
    """Train a sweep or go on with one, then write a summary of each model.

    Ends with 130 when interrupted, 5 when all models diverged; where some did, the summary says which.
    """
    if n_processes > 1:
        raise UsageError("A sweep is trained by one process; start it without torchrun, or name one beta.")
    with catch_interrupts() as interrupts:
        result = _train_new(args, interrupts) if args.resume is None else _resume(args, interrupts)
    if args.is_json:
        write_json(summaries_of(result))
    for model in result.models:
        newest = model.last_held_out or model.last_train
        said = " (diverged)" if model.state.value == "diverged" else ""
        say(f"{model.run_path}: step {model.step:,}{said}{figures_line(newest, step=model.step)}")
    if result.state.value == "diverged":
        say(f"vae-explorer: {result.message}")
        return DivergedError.exit_code
    if result.state.value == "paused":
        say(f"vae-explorer: interrupted and saved; go on with: vae-explorer train --resume {result.path}")
        return CancelledError.exit_code
    return 0


def summaries_of(result: SweepResult) -> list[dict[str, Any]]:
    """Return for each model what a plain run's summary says, and its beta."""
    # Here, since that module needs this one.
    from vae_explorer.commands.train import summary_of

    betas = [run.config.objective.beta for run in SweepFolder.open(result.path).runs]
    return [{"beta": beta, **summary_of(model)} for beta, model in zip(betas, result.models, strict=True)]


def _train_new(args: argparse.Namespace, interrupts: Interrupts) -> SweepResult:
    config, betas = sweep_from(args)
    assert betas is not None
    configs = configs_of(config, betas)
    out = Path(args.out).expanduser().absolute()
    if os.path.lexists(out):
        raise UsageError(f"{out} exists already; name a new folder, or go on with a sweep by --resume.")
    note = note_on(args, config)
    if note is not None:
        say(note)
    data = load_data(config.data, interrupts)
    # torch is loaded here, after everything that can be refused without it
    from vae_explorer.engine.sweep_headless import train_sweep_headless

    _announce(configs)
    with TrainTalk(first_step=0) as talk:
        return train_sweep_headless(
            data=data, path=out, configs=configs, on_progress=talk.on_progress, on_notice=say,
            is_interrupted=interrupts,
        )  # fmt: skip


def _resume(args: argparse.Namespace, interrupts: Interrupts) -> SweepResult:
    from vae_explorer.commands.train import live_values

    live = live_values(args)
    until_step = None if args.steps is None else field_spec("train.steps").validate(args.steps)
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    sweep = SweepFolder.open(args.resume)
    first_step = max(entry.step for entry in sweep.entries_to_resume())
    data = load_run_data(sweep.runs[0], args.dataset, interrupts)
    from vae_explorer.engine.sweep_headless import train_sweep_headless

    _announce([run.config for run in sweep.runs])
    with TrainTalk(first_step=first_step) as talk:
        return train_sweep_headless(
            data=data, path=sweep.path, until_step=until_step, device=device, live=live,
            on_progress=talk.on_progress, on_notice=say, is_interrupted=interrupts,
        )  # fmt: skip


def _announce(configs: Sequence[RunConfig]) -> None:
    betas = [config.objective.beta for config in configs]
    shown = min(betas, key=lambda beta: abs(beta - 1.0))
    said = ", ".join(map(beta_text, betas))
    say(f"{len(betas)} models side by side, beta {said}; the figures on the way are those of beta {beta_text(shown)}.")
