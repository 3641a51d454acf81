"""Which training images lend M2 their label: as many of each class, drawn by the data seed (Kingma et al. 2014)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.config import DataConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DataError

Indices = NDArray[np.int64]

_INSTEAD = "choose data with labels (digits, mnist, a folder with a sub-folder for each class), or model.kind=vae"


def count_classes(data: ImageData) -> int:
    """Return how many classes the labels tell apart; 0 without labels."""
    if data.labels is None:
        return 0
    return max(len(data.class_names), int(data.labels.max(initial=-1)) + 1)


def names_of_classes(data: ImageData) -> tuple[str, ...]:
    """Return a name for each of the `count_classes` labels; a label without one is named by its number."""
    return tuple(
        data.class_names[label] if label < len(data.class_names) else str(label) for label in range(count_classes(data))
    )


def check_labels(data: ImageData) -> None:
    """Raise DataError, in one sentence, where the labels are missing or tell fewer than two classes apart."""
    title = data.provenance.title
    if data.labels is None or data.labels.max(initial=-1) < 0:
        raise DataError(f"{title}: the images have no labels, and M2 learns from some; {_INSTEAD}.")
    known = np.unique(data.labels[data.labels >= 0])
    if len(known) < 2:
        raise DataError(f"{title}: all labels are of one class, and M2 learns to tell classes apart; {_INSTEAD}.")


def labelled_images(data: ImageData, config: DataConfig) -> Indices:
    """Return the training images whose label is used: int64, ascending.

    `labels_per_class` of each class that the data have, drawn by `seed`; None: all that have a label. Raises DataError
    where there are no labels, fewer than two classes, or a class with too few training images.
    """
    check_labels(data)
    labels = data.labels
    assert labels is not None
    train = data.indices("all" if config.train_on == "all" else "train")
    wanted = config.labels_per_class
    # Philox, whose stream NumPy keeps between versions, so that a seed means the same images for ever.
    generator = np.random.Generator(np.random.Philox(config.seed))
    chosen = []
    for label in np.unique(labels[labels >= 0]).tolist():
        of_class = train[labels[train] == label]
        _check_count(data, label, found=len(of_class), wanted=wanted or 1)
        chosen.append(of_class if wanted is None else generator.permutation(of_class)[:wanted])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _check_count(data: ImageData, label: int, *, found: int, wanted: int) -> None:
    if found >= wanted:
        return
    name = data.class_names[label] if label < len(data.class_names) else str(label)
    way_out = f"set data.labels_per_class={found}, or leave it empty" if found else "lower data.validation or add some"
    raise DataError(
        f"{data.provenance.title}: {found:,} training images of class {name!r} have a label, expected at least "
        f"{wanted:,}; {way_out}."
    )
