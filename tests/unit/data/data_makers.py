"""Makes small data files, sound and broken, for the tests."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData


def real_data(name: str) -> Path:
    """Return a folder of real data, such as 'mnist', or skip the test."""
    for root in (os.environ.get("VAE_EXPLORER_TEST_DATA"), Path(__file__).parents[4] / "shared" / "data"):
        if root and (Path(root) / name).is_dir():
            return Path(root) / name
    pytest.skip(f"{name} is neither at VAE_EXPLORER_TEST_DATA nor at ../shared/data")


def read(path: Path, **settings: object) -> ImageData:
    return open_data(DataConfig(name=str(path), **settings))


def idx_bytes(array: np.ndarray, *, shape: tuple[int, ...] | None = None, type_code: int = 8) -> bytes:
    shape = array.shape if shape is None else shape
    return bytes([0, 0, type_code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


def some_images(n: int = 12, height: int = 6, width: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, height, width), dtype=np.uint8)


def idx_folder(folder: Path, *, n_train: int = 12, n_test: int = 4, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in (("train", n_train), ("t10k", n_test)):
        labels = (np.arange(n) % 3).astype(np.uint8)
        for kind, array in (("images-idx3", some_images(n, seed=n)), ("labels-idx1", labels)):
            data = idx_bytes(array)
            name = f"{split}-{kind}-ubyte"
            (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def picture_folder(folder: Path, names: tuple[str, ...], *, size: tuple[int, int] = (10, 8), mode: str = "L") -> Path:
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, color=min(255, 20 * index) if mode == "L" else (20 * index, 0, 255)).save(path)
    return folder


def npy_with_header(header: str, payload: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + payload


def npz_of(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()
