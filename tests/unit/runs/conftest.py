"""A small run to write and to damage."""

import pytest
from run_makers import make_data

from vae_explorer.config import RunConfig
from vae_explorer.runs.folder import RunFolder


@pytest.fixture
def data():
    return make_data()


@pytest.fixture
def run(tmp_path, data):
    return RunFolder.create(tmp_path / "run", config=RunConfig(), data=data, device="cpu")
