"""`vae-explorer evaluate`: the bound and its terms over a split, with their errors, as one flat object."""

from __future__ import annotations

import argparse
from typing import Any

from vae_explorer.commands.console import catch_interrupts, progress_bar, write_json, write_line
from vae_explorer.commands.run_data import load_run_data
from vae_explorer.config import field_spec
from vae_explorer.errors import UsageError
from vae_explorer.export.recipe import MAX_SEED
from vae_explorer.runs.folder import RunFolder

MAX_SAMPLES = 1_000_000
FIGURES = ("elbo", "distortion", "kl")


def run(args: argparse.Namespace) -> int:
    """Evaluate a checkpoint and write its figures."""
    if not 1 <= args.samples <= MAX_SAMPLES:
        raise UsageError(f"--samples {args.samples}: expected a whole number from 1 to {MAX_SAMPLES:,}.")
    if not 0 <= args.seed <= MAX_SEED:
        raise UsageError(f"--seed {args.seed}: expected a whole number from 0 to {MAX_SEED:,}.")
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    folder = RunFolder.open(args.run)
    folder.find_checkpoint(args.checkpoint or "last")
    with catch_interrupts() as interrupts:
        data = load_run_data(folder, args.dataset, interrupts)
        # torch is loaded here, after everything that can be refused without it
        from vae_explorer.evaluation.report import evaluate
        from vae_explorer.training.checkpoint import open_frozen

        model = open_frozen(folder, data, checkpoint=args.checkpoint or "last", device=device)
        split = args.split or data.held_out_name or "train"
        with progress_bar("evaluating", interrupts) as on_progress:
            figures = evaluate(model, data, split=split, samples=args.samples, seed=args.seed, progress=on_progress)
    if args.is_json:
        write_json(figures)
    else:
        _write_table(figures, split)
    return 0


def _write_table(figures: dict[str, Any], split: str) -> None:
    images = "1 image" if figures["n"] == 1 else f"{figures['n']:,} images"
    write_line(f"{split}: {images}, step {figures['step']:,}, {figures['unit']}")
    for name in FIGURES:
        if figures[name] is not None:
            error = figures[name + "_se"]  # None where there is one image
            words = "-" if error is None else f"{error:.4f}"
            write_line(f"  {name:<12}{figures[name]:>12.4f}  +- {words} over images")
    if figures["elbo_mc_se"] is not None:
        write_line(f"  elbo's error from {figures['samples']} draws an image: {figures['elbo_mc_se']:.4f}")
    if figures["bits_per_dim"] is not None:
        write_line(f"  bits per dim{figures['bits_per_dim']:>12.4f}")
    if figures["kl_per_dim"] is not None:
        write_line("  kl per dim  " + " ".join(f"{value:.3f}" for value in figures["kl_per_dim"]))
