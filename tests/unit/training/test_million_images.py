"""What a data set of a million images costs beyond its own bytes, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

N_IMAGES = 1_000_000
CHILD = """
import json, sys
import psutil, torch
from vae_explorer.config import RunConfig
from vae_explorer.data import memory
from vae_explorer.data.catalog import open_data
from vae_explorer.training.session import TrainingSession
def used():
    found = psutil.Process().memory_info()
    return found.rss, found.rss - getattr(found, "shared", 0)
config = RunConfig().with_values({"data.name": sys.argv[1], "model.hidden": [32], "train.device": "cpu",
                                  "train.evaluate_every": 10**9})
small = TrainingSession.new(config.with_values({"data.name": "digits"}), open_data(RunConfig().data))
small.advance()
del small
ask = memory.free_memory_bytes
if sys.argv[2] == "mapped":
    memory.free_memory_bytes = lambda: 2**24  # the images are larger than an eighth of it
before = used()
data = open_data(config.data)
memory.free_memory_bytes = ask
session = TrainingSession.new(config, data)
for _ in range(50):
    session.advance()
after = used()
print(json.dumps({"bytes": data.images.size, "rss": after[0] - before[0], "own": after[1] - before[1],
                  "is_mapped": data.is_mapped}))
"""


def measure(path: Path, kind: str) -> dict[str, float]:
    """Return bytes of the images, growth of resident memory and of the part of it that is no file, in a child."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), kind], capture_output=True, text=True, check=True, timeout=150
    )
    return json.loads(child.stdout)


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse file: a million black images of 28 x 28 that take no room on the disk."""
    path = tmp_path_factory.mktemp("million") / "black.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(N_IMAGES, 28, 28)).flush()
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell which resident pages are of files")
def test_an_image_costs_little_more_than_its_bytes(million: Path) -> None:
    found = measure(million, "held")
    assert not found["is_mapped"]
    assert found["rss"] <= 1.1 * found["bytes"]
    assert found["rss"] >= 0.9 * found["bytes"]  # it was indeed read


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell which resident pages are of files")
def test_images_in_a_mapped_file_cost_their_indices_alone(million: Path) -> None:
    found = measure(million, "mapped")
    assert found["is_mapped"]
    assert found["own"] <= 0.1 * found["bytes"]
