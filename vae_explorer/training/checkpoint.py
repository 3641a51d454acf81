"""A model to look at from a checkpoint of a run folder."""

from __future__ import annotations

from vae_explorer.data.image_data import ImageData
from vae_explorer.model.model import build_model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.devices import resolve_device
from vae_explorer.training.state import SessionMeta, copy_into


def open_frozen(
    run: RunFolder, data: ImageData, *, checkpoint: str | int = "last", device: str | None = None
) -> FrozenModel:
    """Return the model of a checkpoint ('last', 'best' or a step) to look at, without what only training needs.

    Raises RunError when the checkpoint is missing or damaged or the data are others than the run's.
    """
    run.check_data(data)
    arrays, meta = run.read_checkpoint(run.find_checkpoint(checkpoint))
    place = resolve_device(device or run.config.train.device)
    model = build_model(run.config, data.shape, data.max_value).to(place).requires_grad_(False)
    copy_into({f"model.{name}": parameter for name, parameter in model.named_parameters()}, arrays)
    step = SessionMeta.read(meta).step
    return FrozenModel(
        step=step, config=run.config, model=model, pixels=Pixels(data, run.config, place), run_name=run.name
    )
