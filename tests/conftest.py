"""Fixtures of all tests: where the real images are, small images, and a configuration that trains in no time."""

from __future__ import annotations

import os

# Before torch is imported anywhere: the tests' models are too small to gain from a second thread, and two threads that
# wait for each other on a busy machine take a hundred times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data_dir() -> Path:
    """Folder with mnist/*.gz and frey/*.npy: VAE_EXPLORER_TEST_DATA, else shared/data beside the checkout."""
    named = os.environ.get("VAE_EXPLORER_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set VAE_EXPLORER_TEST_DATA to a folder with mnist/ and frey/")
    return folder


@pytest.fixture(scope="session")
def digits_data() -> ImageData:
    """The embedded digits, 1,797 real images of 8 x 8, split as by default."""
    from vae_explorer.data.catalog import open_data

    return open_data(RunConfig().data)


@pytest.fixture(scope="session")
def tiny_config() -> RunConfig:
    """A small VAE for the digits on the CPU that logs often: an update takes well under a millisecond."""
    return RunConfig().with_values(
        {"model.hidden": [16], "train.batch_size": 64, "train.log_every": 5, "train.device": "cpu"}
    )
