"""`vae-explorer evaluate`: what a trained model is worth on a split, each figure with its error, as one flat object."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vae_explorer.commands.console import Interrupts, catch_interrupts, progress_bar, say, write_json, write_line
from vae_explorer.commands.run_data import load_run_data
from vae_explorer.config import field_spec
from vae_explorer.errors import CancelledError, UsageError
from vae_explorer.export.recipe import MAX_SEED
from vae_explorer.runs.folder import RunFolder

if TYPE_CHECKING:
    from vae_explorer.evaluation.report import Evaluation

MAX_SAMPLES = 1_000_000
MAX_EXACT = 1_000_000

FIGURES = (
    "elbo", "distortion", "kl", "log_px", "log_px_exact", "elbo_exact", "gap", "gap_estimate", "amortisation_gap",
    "family_gap", "mutual_information",
)  # fmt: skip
"""Means in nats per image, in the order of the table."""
ERRORS = (("_error", "of the integral"), ("_mc_se", "by draws"), ("_se", "over images"))
"""What a figure's errors are called; the key of an error is that of its figure and one of these endings."""
OTHERS = (
    ("bits_per_dim", "{:.4f}"), ("active_units", "{:,}"), ("ess_median", "{:,.1f}"), ("k_hat_median", "{:.2f}"),
    ("k_hat_bad_share", "{:.1%}"), ("classification_error", "{:.2%}"),
)  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Evaluate a checkpoint and write its figures; an interrupted evaluation writes those of the images it has done."""
    if not 1 <= args.samples <= MAX_SAMPLES:
        raise UsageError(f"--samples {args.samples}: expected a whole number from 1 to {MAX_SAMPLES:,}.")
    if not 0 <= args.exact <= MAX_EXACT:
        raise UsageError(f"--exact {args.exact}: expected a whole number from 0 to {MAX_EXACT:,}.")
    if not 0 <= args.seed <= MAX_SEED:
        raise UsageError(f"--seed {args.seed}: expected a whole number from 0 to {MAX_SEED:,}.")
    device = None if args.device is None else field_spec("train.device").validate(args.device)
    folder = RunFolder.open(args.run)
    checkpoint = folder.find_checkpoint(args.checkpoint or "last")
    with catch_interrupts() as interrupts:
        data = load_run_data(folder, args.dataset, interrupts)
        # torch is loaded here, after everything that can be refused without it
        from vae_explorer.evaluation.report import Evaluation
        from vae_explorer.evaluation.report_words import history_of
        from vae_explorer.training.checkpoint import open_frozen

        model = open_frozen(folder, data, checkpoint=args.checkpoint or "last", device=device)
        split = args.split or data.held_out_name or "train"
        evaluation = Evaluation(
            model, data, split=split, samples=args.samples, exact_images=args.exact, seed=args.seed,
            history=history_of(folder.iter_records(up_to_step=checkpoint.step)),
        )  # fmt: skip
        report = _work(evaluation, interrupts)
    if args.is_json:
        write_json(report)
    else:
        _write_table(report, split)
    if not report["is_complete"]:
        say("interrupted; these are the figures of what was done.")
        return CancelledError.exit_code
    return 0


def _work(evaluation: Evaluation, interrupts: Interrupts) -> dict[str, Any]:
    try:
        with progress_bar("evaluating", interrupts) as on_progress:
            for share in evaluation.slices():
                on_progress(share)
    except CancelledError:
        if not evaluation.has_report:
            raise
    return evaluation.report()


def _write_table(report: dict[str, Any], split: str) -> None:
    images = "1 image" if report["n"] == 1 else f"{report['n']:,} images"
    write_line(f"{split}: {images}, step {report['step']:,}, {report['unit']}")
    for name in FIGURES:
        if report[name] is not None:
            write_line(f"  {name:<22}{report[name]:>12.4f}{_errors(report, name)}")
    for name, layout in OTHERS:
        if report[name] is not None:
            write_line(f"  {name:<22}{layout.format(report[name]):>12}")
    if report["kl_per_dim"] is not None:
        write_line("  kl_per_dim  " + " ".join(f"{value:.3f}" for value in report["kl_per_dim"]))
    for sentence in report["words"]:
        write_line(sentence)


def _errors(report: dict[str, Any], name: str) -> str:
    return "".join(f"  +- {error} {words}" for error, words in _known_errors(report, name))


def _known_errors(report: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    for ending, words in ERRORS:
        if report.get(name + ending) is not None:
            yield f"{report[name + ending]:.4f}", words
        elif ending == "_se" and name + ending in report:  # there is one image
            yield "-", words
