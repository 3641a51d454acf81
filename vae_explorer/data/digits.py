"""The embedded handwritten digits: 1,797 real 8 x 8 images, values 0 to 16 (see resources/data/ATTRIBUTION.md)."""

from __future__ import annotations

import numpy as np

from vae_explorer.data.image_data import Provenance
from vae_explorer.data.raw_images import RawImages
from vae_explorer.errors import DataError
from vae_explorer.resource_files import resource


def read_digits() -> RawImages:
    """Return the digits, uint8 (1797, 1, 8, 8) with max_value 16; DataError when the installation is damaged."""
    path = resource("data", "digits.npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: the embedded digits cannot be read ({error}); install vae-explorer again.") from None
    return RawImages(
        images=np.ascontiguousarray(images[:, None]),
        max_value=16,
        labels=labels.astype(np.int64),
        class_names=tuple("0123456789"),
        provenance=Provenance(source="digits", title="digits", understood=("8 x 8 images with values 0 to 16",)),
    )
