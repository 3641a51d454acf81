"""Where runs are kept, what a new one is called, and which there are."""

from __future__ import annotations

import datetime as dt
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import RunError
from vae_explorer.runs.checkpoints import CheckpointStore
from vae_explorer.runs.manifest import MANIFEST_NAME, read_manifest
from vae_explorer.runs.sweep_folder import is_sweep, sweep_run_paths

RUNS_DIR_VARIABLE = "VAE_EXPLORER_RUNS"
MAX_SLUG = 40


@dataclass(frozen=True)
class RunSummary:
    """One run as a menu shows it, or a sweep, of which its first run tells. modified: when its log, checkpoints or
    description last changed (local time); step: of its last checkpoint, None where it has none."""

    path: Path
    name: str
    data_title: str
    config: RunConfig
    step: int | None
    modified: dt.datetime


def default_runs_dir() -> Path:
    """Return the folder for new runs: VAE_EXPLORER_RUNS, else below the platform's data folder; it may not exist."""
    chosen = os.environ.get(RUNS_DIR_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("vae-explorer") / "runs"


def new_run_path(config: RunConfig, data: ImageData, *, folder: Path | None = None) -> Path:
    """Return a path that nothing has yet: time, data and model, such as 2026-11-20-201533-digits-vae-2d."""
    now = dt.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    model = f"{config.model.kind}-{config.model.latent_dim}d"
    name = f"{now}-{slug(data.provenance.title)}-{model}"
    parent = folder or default_runs_dir()
    path, count = parent / name, 1
    while path.exists() or path.is_symlink():
        count += 1
        path = parent / f"{name}-{count}"
    return path


def slug(title: str) -> str:
    """Return a title as a part of a file name: letters a to z, digits and hyphens, 'data' when nothing is left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG].strip("-") or "data"


def recent_runs(limit: int = 10, *, folder: Path | None = None) -> list[RunSummary]:
    """Return the runs and sweeps that changed last, newest first; folders that are no readable ones are left out."""
    parent = folder or default_runs_dir()
    found = sorted(((modified_s(run), path, run) for path, run in _run_folders(parent)), reverse=True)
    summaries: list[RunSummary] = []
    for modified, path, run in found:
        if len(summaries) == limit:
            break
        summary = _summary(path, run, modified)
        if summary is not None:
            summaries.append(summary)
    return summaries


def _run_folders(parent: Path) -> list[tuple[Path, Path]]:
    """Return each folder to open, with the run that tells of it: itself, or the first of a sweep."""
    try:
        folders = list(parent.iterdir())
    except OSError:
        return []
    runs = [(folder, folder) for folder in folders if (folder / MANIFEST_NAME).is_file()]
    return runs + [(folder, run) for folder in folders if (run := _first_of_sweep(folder)) is not None]


def _first_of_sweep(folder: Path) -> Path | None:
    try:
        return sweep_run_paths(folder)[0] if is_sweep(folder) else None
    except RunError:
        return None


def modified_s(path: Path) -> float:
    """Return when a run's log, checkpoints or description last changed, in seconds since 1970; 0 where it has none."""
    times = []
    for part in (MANIFEST_NAME, "metrics.jsonl", "checkpoints"):
        try:
            times.append((path / part).stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _summary(path: Path, run: Path, modified: float) -> RunSummary | None:
    try:
        manifest, config = read_manifest(run)
    except RunError:
        return None
    steps = CheckpointStore(run / "checkpoints").steps()
    return RunSummary(
        path=path,
        name=path.name,
        data_title=manifest.data_title,
        config=config,
        step=steps[-1] if steps else None,
        modified=dt.datetime.fromtimestamp(modified).astimezone(),
    )
