"""The images of a run that exists: from where it was trained, or from where they lie now."""

from __future__ import annotations

from vae_explorer.commands.console import Interrupts, progress_bar, say
from vae_explorer.commands.run_config import absolute_data_name
from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DataError, RunError
from vae_explorer.runs.folder import RunFolder


def load_data(config: DataConfig, interrupts: Interrupts) -> ImageData:
    """Read images with a bar on stderr; says how many were left out and why. Raises as `open_data`."""
    with progress_bar("reading images", interrupts) as on_progress:
        data = open_data(config, progress=on_progress, is_cancelled=interrupts)
    for sentence in data.provenance.skipped[:5]:
        say(f"left out: {sentence}")
    if len(data.provenance.skipped) > 5:
        say(f"left out: {len(data.provenance.skipped) - 5} more")
    return data


def load_run_data(run: RunFolder, dataset: str | None, interrupts: Interrupts) -> ImageData:
    """Read the images that a run was trained on; `dataset` names where they lie now.

    Raises DataError when they cannot be read and RunError when they are others; both say how to name the right ones.
    """
    config = run.config
    if dataset is not None:
        config = config.with_values({"data.name": absolute_data_name(dataset)})
    try:
        data = load_data(config.data, interrupts)
    except DataError as error:
        raise DataError(f"{error} If the images have moved, name them with --dataset.") from None
    try:
        run.check_data(data)
    except RunError as error:
        raise RunError(f"{error} If they lie elsewhere, name them with --dataset.") from None
    return data
