"""The images of a run that exists: from where it was trained, or from where they lie now."""

from __future__ import annotations

from vae_explorer.commands.console import Interrupts, progress_bar, say
from vae_explorer.commands.run_config import absolute_data_name
from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DataError


def load_data(config: DataConfig, interrupts: Interrupts) -> ImageData:
    """Read images with a bar on stderr; says how many were left out and why. Raises as `open_data`."""
    with progress_bar("reading images", interrupts) as on_progress:
        data = open_data(config, progress=on_progress, is_cancelled=interrupts)
    for sentence in data.provenance.skipped[:5]:
        say(f"left out: {sentence}")
    if len(data.provenance.skipped) > 5:
        say(f"left out: {len(data.provenance.skipped) - 5} more")
    return data


def load_run_data(config: RunConfig, dataset: str | None, interrupts: Interrupts) -> ImageData:
    """Read the images of a run; `dataset` names where they lie now. DataError says how to name it."""
    if dataset is not None:
        config = config.with_values({"data.name": absolute_data_name(dataset)})
    try:
        return load_data(config.data, interrupts)
    except DataError as error:
        raise DataError(f"{error} If the images have moved, name them with --dataset.") from None
