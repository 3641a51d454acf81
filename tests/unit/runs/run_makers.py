"""Records, images and views to write in tests."""

import numpy as np

from vae_explorer.data.image_data import ImageData, Provenance, Splits
from vae_explorer.runs.records import MarkRecord, MetricRecord
from vae_explorer.runs.view import StoredView


def metrics(step, **changes):
    values = {"epoch": step / 10, "time_s": 0.5, "split": "train", "distortion": 90.0, "loss": 95.0, "elbo": -95.0,
              "kl": 5.0, "kl_per_dim": (2.0, 3.0), "beta": 1.0, "learning_rate": 1e-3}  # fmt: skip
    return MetricRecord(step=step, **(values | changes))


def mark(step, **changes):
    return MarkRecord(step=step, **({"time_s": 0.5, "name": "beta", "value": 4.0} | changes))


def make_data(*, title="tiny"):
    images = np.full((10, 1, 4, 4), 3, dtype=np.uint8)
    splits = Splits(train=np.arange(8), validation=np.arange(0), test=np.arange(8, 10))
    return ImageData(images=images, max_value=16, splits=splits, provenance=Provenance(source="array", title=title))


def make_view(*, kind=np.uint8, **changes):
    rng = np.random.default_rng(0)
    numbers = {name: rng.standard_normal(5).astype(np.float32) for name in ("elbo", "kl", "distortion")}
    plane = np.arange(6 * 16).reshape(6, 1, 4, 4)
    values = {
        "step": 40, "indices": np.arange(5), "loc": rng.standard_normal((5, 2)).astype(np.float32),
        "scale": np.ones((5, 2), dtype=np.float32), "kl_per_dim": np.array([1, 2], dtype=np.float32), **numbers,
        "plane_z": rng.standard_normal((6, 2)).astype(np.float32),
        "plane_images": plane.astype(np.uint8) if kind is np.uint8 else (plane / 255).astype(np.float16),
        "plane_shape": (2, 3), "plane_extent": (-3.0, 3.0, -2.5, 2.5),
    }  # fmt: skip
    return StoredView(**(values | changes))
