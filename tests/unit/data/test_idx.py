"""IDX files and folders of them, sound and lying."""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from data_makers import idx_bytes, idx_folder, read, real_data, some_images

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.errors import DataError

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    return real_data("mnist")


def test_mnist_is_known_by_its_digest_and_read_fast(mnist_dir: Path) -> None:
    start = time.process_time()
    data = read(mnist_dir)
    assert time.process_time() - start < 2.0
    assert data.provenance.title == "MNIST"
    assert data.provenance.has_own_test_split
    assert data.images.shape == (70_000, 1, 28, 28)
    assert [len(part) for part in vars(data.splits).values()] == [60_000, 0, 10_000]
    assert data.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    assert round(float(data.images[:60_000].mean()) / 255, 4) == 0.1307
    assert data.held_out_name == "test"


def test_mnist_by_name_and_unpacked(mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for path in mnist_dir.glob("*.gz"):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path))
    by_name = open_data(DataConfig(name="mnist", validation=0.1))
    assert by_name.provenance.title == "MNIST"
    assert len(by_name.splits.validation) == 6000
    assert by_name.digest == read(mnist_dir).digest


@pytest.mark.parametrize("packed", [True, False])
def test_folder_has_its_own_splits_and_name(tmp_path: Path, packed: bool) -> None:
    data = read(idx_folder(tmp_path / "letters", packed=packed))
    assert data.provenance.title == "letters"
    assert data.splits.test.tolist() == [12, 13, 14, 15]
    np.testing.assert_array_equal(data.images[12:, 0], some_images(4, seed=4))
    assert data.class_names == ("0", "1", "2")


def test_torchvision_layout_and_both_spellings(tmp_path: Path) -> None:
    idx_folder(tmp_path / "Letters" / "raw")
    (tmp_path / "Letters" / "raw" / IMAGES).write_bytes(idx_bytes(some_images(12, seed=12)))  # beside its .gz
    data = read(tmp_path / "Letters")
    assert data.provenance.title == "Letters"
    assert len(data) == 16


@pytest.mark.parametrize("named", ["glyphs-images.idx3-ubyte", "glyphs-labels.idx1-ubyte"])
def test_bare_pair_splits_by_seed(tmp_path: Path, named: str) -> None:
    (tmp_path / "glyphs-images.idx3-ubyte").write_bytes(idx_bytes(some_images(20)))
    (tmp_path / "glyphs-labels.idx1-ubyte").write_bytes(idx_bytes(np.arange(20, dtype=np.uint8) % 4))
    data = read(tmp_path / named)
    assert data.labels.max() == 3
    assert [len(part) for part in vars(data.splits).values()] == [16, 2, 2]
    assert not data.provenance.has_own_test_split


def test_images_without_labels_say_so(tmp_path: Path) -> None:
    (tmp_path / "glyphs.idx").write_bytes(idx_bytes(some_images(20)))
    data = read(tmp_path / "glyphs.idx")
    assert data.labels is None
    assert "no label file" in data.provenance.understood[-1]


def test_two_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    idx_folder(tmp_path)
    (tmp_path / "more-train-images-idx3-ubyte").write_bytes(idx_bytes(some_images()))
    with pytest.raises(DataError, match=r"several IDX sets .*more-train.* name one of its image files"):
        read(tmp_path)


def broken(tmp_path: Path, name: str, content: bytes) -> Path:
    folder = idx_folder(tmp_path / "set", packed=False)
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    return folder


SOUND = idx_bytes(some_images(12))
BAD = {
    "empty": (IMAGES, b"", r"an empty file \(0 bytes\)"),
    "text": (IMAGES, b"these are no images at all", "begins with 74 68 65 73"),
    "shorter than its header": (IMAGES, SOUND[:9], "ends within its header"),
    "truncated": (IMAGES, SOUND[:-7], "names 12 x 6 x 5 values, the file holds 353"),
    "longer": (IMAGES, SOUND + b"x", "the file holds 361"),
    "lying dimensions": (IMAGES, idx_bytes(some_images(2), shape=(4_000_000_000, 512, 512)), "names 4,000,000,000 x"),
    "nothing inside": (IMAGES, idx_bytes(some_images(0), shape=(0, 6, 5)), "which is nothing"),
    "floats": (IMAGES, idx_bytes(some_images(), type_code=0x0D), "values of type 0x0d"),
    "labels for images": (IMAGES, idx_bytes(np.zeros(12, np.uint8)), "1 dimensions; expected 3 for images"),
    "labels shorter": (LABELS, idx_bytes(np.zeros(9, np.uint8)), "9 labels for 12 images; expected one label an image"),
    "labels truncated": (LABELS, idx_bytes(np.zeros(12, np.uint8))[:-1], "the file holds 11"),
    "other size": (IMAGES, idx_bytes(some_images(12, 7, 5)), "images of 6 x 5; expected 7 x 5"),
    "too large": (IMAGES, idx_bytes(some_images(1, 600, 4)), "4 x 600 pixels; expected at most 512.* set data.side"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    name, content, message = BAD[case]
    if case == "too large":
        (tmp_path / name).write_bytes(content)
        folder = tmp_path
    else:
        folder = broken(tmp_path, name, content)
    with pytest.raises(DataError, match=message) as caught:
        read(folder)
    assert "-ubyte" in str(caught.value)
    assert "; expected " in str(caught.value)


PACKED_BAD = {
    "truncated gzip": (gzip.compress(SOUND)[:-40], "damaged or cut short"),
    "gzip of nonsense": (b"\x1f\x8b" + b"nonsense" * 9, "gzip"),
    "short inside": (gzip.compress(SOUND[:-7]), "ends after 353 bytes of images; expected 360"),
    "long inside": (gzip.compress(SOUND + b"x"), "holds more than the 360 bytes"),
    "lying": (gzip.compress(idx_bytes(some_images(2), shape=(4_000_000_000, 512, 512))), "the file holds at most"),
    "damaged": (gzip.compress(SOUND)[:-6] + b"\0\0\0\0\0\0", "not a sound gzip file"),
}


@pytest.mark.parametrize("case", PACKED_BAD)
def test_bad_gzip_is_one_sentence(tmp_path: Path, case: str) -> None:
    content, message = PACKED_BAD[case]
    (tmp_path / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert f"{IMAGES}.gz" in str(caught.value)


def test_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    header = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 8, 8)
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(header + bytes(300_000_000), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(DataError, match="holds more than the 128 bytes"):
        read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_unreadable_folder_content(tmp_path: Path) -> None:
    (tmp_path / LABELS).write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match="labels alone; expected an IDX file of images beside"):
        read(tmp_path / LABELS)
