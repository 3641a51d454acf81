"""A model of a configuration and its data, and one to look at from a checkpoint of a run folder."""

from __future__ import annotations

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import LABELLED
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.labelled import check_labels, count_classes
from vae_explorer.model.model import LOOKING_BYTES, Model, build_model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import FrozenModel
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.devices import resolve_device
from vae_explorer.training.state import SessionMeta, copy_into, stored_tensors


def model_for(config: RunConfig, data: ImageData, *, bytes_per_parameter: int = LOOKING_BYTES) -> Model:
    """Return a fresh model of a configuration for these images, on the CPU; raises as `build_model` does.

    Raises DataError too, for a model of classes whose images have no labels.
    """
    if config.model.kind in LABELLED:
        check_labels(data)
    examples = None
    if config.model.prior == "vampprior":
        examples = data.rows(data.indices("all" if config.data.train_on == "all" else "train"))
    return build_model(
        config, data.shape, data.max_value, n_classes=count_classes(data), examples=examples,
        bytes_per_parameter=bytes_per_parameter,
    )  # fmt: skip


def open_frozen(
    run: RunFolder, data: ImageData, *, checkpoint: str | int = "last", device: str | None = None
) -> FrozenModel:
    """Return the model of a checkpoint ('last', 'best' or a step) to look at, without what only training needs.

    Raises RunError when the checkpoint is missing or damaged or the data are others than the run's.
    """
    run.check_data(data)
    arrays, meta = run.read_checkpoint(run.find_checkpoint(checkpoint))
    place = resolve_device(device or run.config.train.device)
    model = model_for(run.config, data).to(place).requires_grad_(False)
    copy_into(stored_tensors(model), arrays)
    step = SessionMeta.read(meta).step
    return FrozenModel(
        step=step, config=run.config, model=model, pixels=Pixels(data, run.config, place), run_name=run.name
    )
