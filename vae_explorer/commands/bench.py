"""`vae-explorer bench`: how fast this program trains here, beside a plain torch loop and other libraries."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from vae_explorer import __version__
from vae_explorer.commands.console import Interrupts, catch_interrupts, progress_bar, write_json, write_line
from vae_explorer.config import field_spec
from vae_explorer.errors import UsageError, VaeExplorerError

MAX_ROUNDS = 100
SECONDS = 5.0
"""Of each measurement: so short that a drift of the machine's speed meets all that are compared alike."""
WINDOW_LIMIT_S = 180.0

ROWS = (
    ("steps_per_s", "{:,.0f} steps/s", "vae-explorer train"),
    ("eager_steps_per_s", "{:,.0f} steps/s", "a plain eager torch loop"),
    ("pythae_steps_per_s", "{:,.0f} steps/s", "pythae's trainer"),
    ("window_steps_per_s", "{:,.0f} steps/s", "under the live window"),
    ("ratio_to_eager", "{:.2f} x", "of the plain loop"),
    ("ratio_to_pythae", "{:.2f} x", "of pythae's trainer"),
    ("ratio_under_window", "{:.2f} x", "of the command line, under the window"),
    ("late_p99_ms", "{:.1f} ms", "lateness of the window's 60 Hz timer, p99"),
    ("click_p99_ms", "{:.1f} ms", "from a click to its picture, p99"),
)


def run(args: argparse.Namespace) -> int:
    """Measure in rounds, all that is compared in turn, and write medians; each ratio is one of a round."""
    if not 1 <= args.rounds <= MAX_ROUNDS:
        raise UsageError(f"--rounds {args.rounds}: expected a whole number from 1 to {MAX_ROUNDS}.")
    device = field_spec("train.device").validate(args.device or "auto")
    with catch_interrupts() as interrupts:
        figures = _measure(args, device, interrupts)
    if args.is_json:
        write_json(figures)
    else:
        _write_table(figures)
    return 0


def _measure(args: argparse.Namespace, device: str, interrupts: Interrupts) -> dict[str, Any]:
    import torch

    from vae_explorer.training.devices import resolve_device

    place = resolve_device(device)
    loops = _loops(args.peers, place)
    rows: list[dict[str, float]] = []
    with progress_bar("measuring", interrupts) as on_progress:
        for number in range(args.rounds):
            row: dict[str, float] = {}
            for name, steps_per_s in loops.items():
                on_progress((number + len(row) / (len(loops) + 2)) / args.rounds, name.replace("_", " "))
                row[f"{name}steps_per_s"] = steps_per_s(SECONDS)
            if args.has_window:
                on_progress((number + len(loops) / (len(loops) + 2)) / args.rounds, "the window")
                row |= _window_figures(str(place))
            rows.append(row)
    return _summary(rows) | {
        "rounds": args.rounds, "device": _device_name(place), "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "versions": _versions(args.peers),
    }  # fmt: skip


def _loops(peers: list[str], device: Any) -> dict[str, Callable[[float], float]]:
    """What is timed in each round, by the beginning of its key."""
    import torch

    from vae_explorer.bench.own_loop import OwnLoop
    from vae_explorer.bench.plain_loop import PlainLoop
    from vae_explorer.bench.task import drawn_images

    data = drawn_images()
    images = torch.tensor(data.images)
    loops: dict[str, Callable[[float], float]] = {
        "": OwnLoop(data, str(device)).steps_per_s,
        "eager_": PlainLoop(images, device).steps_per_s,
    }
    if "pythae" in peers:
        from vae_explorer.bench.pythae_loop import PythaeLoop

        loops["pythae_"] = PythaeLoop(images, device).steps_per_s
    return loops


def _window_figures(device: str) -> dict[str, float]:
    """The window's figures, from a process of its own; VaeExplorerError when it ends without them."""
    command = [sys.executable, "-m", "vae_explorer.gui.bench", device, str(SECONDS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WINDOW_LIMIT_S)
        return {name: float(value) for name, value in json.loads(done.stdout).items()}
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise VaeExplorerError(f"The window could not be measured ({last}); leave it out by --no-window.") from None
    except subprocess.TimeoutExpired:
        raise VaeExplorerError(
            f"The window was not measured within {WINDOW_LIMIT_S:.0f} s; leave it out by --no-window."
        ) from None


def _summary(rows: list[dict[str, float]]) -> dict[str, float | None]:
    """Medians over the rounds; a ratio is the median of the rounds' own ratios. None for what was not measured."""
    for row in rows:
        own = row["steps_per_s"]
        row["ratio_to_eager"] = own / row["eager_steps_per_s"]
        if "pythae_steps_per_s" in row:
            row["ratio_to_pythae"] = own / row["pythae_steps_per_s"]
        if "window_steps_per_s" in row:
            row["ratio_under_window"] = row["window_steps_per_s"] / own
    names = dict.fromkeys([name for name, _, _ in ROWS] + list(rows[0]))
    return {name: statistics.median(row[name] for row in rows) if name in rows[0] else None for name in names}


def _device_name(device: Any) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.processor() or platform.machine()})"


def _versions(peers: list[str]) -> dict[str, str]:
    from importlib.metadata import version

    import torch

    return {
        "vae-explorer": __version__, "torch": str(torch.__version__), "python": platform.python_version(),
        **{peer: version(peer) for peer in peers},
    }  # fmt: skip


def _write_table(figures: dict[str, Any]) -> None:
    write_line(f"784-400-20, batch 128, on {figures['device']}, {figures['threads']} threads, medians")
    for name, layout, words in ROWS:
        if figures[name] is not None:
            write_line(f"  {layout.format(figures[name]):>16}  {words}")
