"""Thousands of ways to be broken: whatever bytes a file has, reading it ends in images or in one sentence."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import numpy as np
import pytest
from data_makers import idx_bytes, npz_of, read, some_images
from PIL import Image

from vae_explorer.errors import DataError


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def picture(format_: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(buffer, format_)
    return buffer.getvalue()


SOUND = {
    "set.npy": npy(some_images()),
    "set.npz": npz_of({"images": npy(some_images()), "labels": npy(np.arange(12))}),
    "train-images-idx3-ubyte": idx_bytes(some_images()),
    "train-images-idx3-ubyte.gz": gzip.compress(idx_bytes(some_images())),
    "a.png": picture("PNG"),
    "a.jpg": picture("JPEG"),
    "a.webp": picture("WEBP"),
    "a.bmp": picture("BMP"),
    "a.tif": picture("TIFF"),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Cut the data or change up to seven of its bytes, most of them in its header."""
    changed = bytearray(data)
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed)) :]
    for _ in range(chance.randrange(8) if changed else 0):
        reach = min(len(changed), 200) if chance.random() < 0.6 else len(changed)
        changed[chance.randrange(reach)] = chance.choice([0, 255, chance.randrange(256)])
    return bytes(changed)


@pytest.mark.parametrize("name", SOUND)
def test_any_bytes_end_in_images_or_one_sentence(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    path = tmp_path / name
    is_folder = name.startswith("a.") or "idx3" in name
    sentences, n_read = [], 0
    for _ in range(150):
        path.write_bytes(mutated(SOUND[name], chance))
        try:
            data = read(tmp_path if is_folder else path)
        except DataError as error:
            sentences.append(str(error))
        else:
            n_read += 1
            assert data.images.max() <= data.max_value
    assert sentences
    assert n_read
    assert all("\n" not in sentence and len(sentence) < 800 for sentence in sentences)
