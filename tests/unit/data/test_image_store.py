"""Images that are larger than the memory: mapped where they lie, or converted into a scratch file; the same images."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data_makers import idx_bytes, idx_folder, picture_folder, read, some_images

from vae_explorer.data import image_store
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import CancelledError, DataError

LITTLE = 1500
"""Bytes of free memory with which every data set below is too large to be held."""


@pytest.fixture
def in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImageData]:
    """Function that reads a data set twice, with plenty of memory and with LITTLE, and returns the latter's images."""
    monkeypatch.setenv("VAE_EXPLORER_CACHE", str(tmp_path / "cache"))

    def read_both(path: Path, **settings: object) -> ImageData:
        plenty = read(path, **settings)
        assert not plenty.is_mapped
        with monkeypatch.context() as patch:
            patch.setattr("vae_explorer.data.memory.free_memory_bytes", lambda: LITTLE)
            little = read(path, **settings)
        assert little.digest == plenty.digest
        assert little.max_value == plenty.max_value
        assert little.provenance == plenty.provenance
        np.testing.assert_array_equal(little.images, plenty.images)
        assert not little.images.flags.writeable
        return little

    return read_both


def npy(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


def lies_in(data: ImageData, path: Path) -> bool:
    """Whether the images are the bytes of this very file: what is written there is seen in them."""
    before = data.images.copy()
    with path.open("rb+") as file:
        file.seek(-data.images.size, os.SEEK_END)
        file.write(bytes([99]) * data.images.size)
    assert (data.images == 99).all() or (data.images == before).all()
    return bool((data.images == 99).all())


@pytest.mark.parametrize("shape", [(40, 7, 9), (40, 7, 9, 1), (40, 1, 7, 9), (40, 3, 7, 9), (40, 7, 9, 3)])
def test_bytes_in_an_npy_file_stay_there(tmp_path: Path, shape: tuple[int, ...], in_little_memory) -> None:
    path = npy(tmp_path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    data = in_little_memory(path)
    assert data.is_mapped
    assert lies_in(data, path)
    assert not (tmp_path / "cache").exists()


def test_a_plain_idx_file_stays_there_with_its_labels(tmp_path: Path, in_little_memory) -> None:
    path = tmp_path / "some-images-idx3-ubyte"
    path.write_bytes(idx_bytes(some_images(60)))
    (tmp_path / "some-labels-idx1-ubyte").write_bytes(idx_bytes((np.arange(60) % 3).astype(np.uint8)))
    data = in_little_memory(path)
    assert data.is_mapped
    assert np.bincount(data.labels).tolist() == [20, 20, 20]
    assert lies_in(data, path)


@pytest.mark.parametrize(
    "convert",
    [
        lambda images: (images / 255).astype(np.float32),
        lambda images: images.astype(">i2"),
        lambda images: images > 100,
        np.asfortranarray,
    ],
    ids=["floats", "whole numbers", "booleans", "Fortran order"],
)
def test_what_must_be_converted_is_in_a_scratch_file(tmp_path: Path, convert: Callable, in_little_memory) -> None:
    path = npy(tmp_path, convert(some_images(60)))
    data = in_little_memory(path)
    assert data.is_mapped
    assert not lies_in(data, path)


def test_other_sources_are_unpacked_into_a_scratch_file(tmp_path: Path, in_little_memory) -> None:
    assert in_little_memory(idx_folder(tmp_path / "packed", n_train=40)).is_mapped
    assert in_little_memory(idx_folder(tmp_path / "plain", n_train=40, packed=False)).is_mapped  # two files, one array
    names = tuple(f"{index}.png" for index in range(12))
    assert in_little_memory(picture_folder(tmp_path / "pictures", names, mode="RGB"), side=9).is_mapped


@pytest.mark.parametrize("settings", [{"side": 8}, {"colour": "colour"}, {"side": 8, "fit": "pad", "colour": "colour"}])
def test_resizing_and_colours_go_into_a_scratch_file(tmp_path: Path, settings: dict, in_little_memory) -> None:
    assert in_little_memory(npy(tmp_path, some_images(60)), **settings).is_mapped


def test_colours_are_made_grey_in_a_scratch_file(tmp_path: Path, in_little_memory) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 6, 3), dtype=np.uint8)
    assert in_little_memory(npy(tmp_path, images), colour="grey").is_mapped


def test_nothing_is_left_of_a_scratch_file(tmp_path: Path, in_little_memory) -> None:
    data = in_little_memory(npy(tmp_path, some_images(60).astype(np.int16)))
    assert list((tmp_path / "cache").iterdir()) == []
    assert data.images.sum() > 0


def test_without_room_on_the_disk_it_is_one_sentence(tmp_path: Path, in_little_memory, monkeypatch) -> None:
    path = npy(tmp_path, some_images(60).astype(np.int16))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"once unpacked; expected at most half of .* or what .* VAE_EXPLORER_CACHE\."):
        in_little_memory(path)


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path, in_little_memory, monkeypatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("VAE_EXPLORER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"do not fit .* cannot hold them \(Not a directory\); make room"):
        in_little_memory(npy(tmp_path, some_images(60).astype(np.int16)))


def test_an_archive_that_is_too_large_for_the_memory_is_refused(tmp_path: Path, in_little_memory) -> None:
    np.savez(tmp_path / "a.npz", images=some_images(60))
    with pytest.raises(DataError, match="once unpacked; expected at most half of the free memory"):
        in_little_memory(tmp_path / "a.npz")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody cut or replace a file that is mapped")
def test_a_file_that_was_cut_is_told_before_its_images_are_used(tmp_path: Path, in_little_memory) -> None:
    path = npy(tmp_path, some_images(60))
    data = in_little_memory(path)
    data.check_whole()
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"a\.npy: the file was cut to 1,927 bytes while it was open; expected 1,928; "):
        data.check_whole()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody cut or replace a file that is mapped")
def test_a_file_that_was_replaced_or_removed_changes_nothing(tmp_path: Path, in_little_memory) -> None:
    path = npy(tmp_path, some_images(60))
    data = in_little_memory(path)
    (tmp_path / "new").write_bytes(b"something else")
    os.replace(tmp_path / "new", path)
    data.check_whole()
    np.testing.assert_array_equal(data.images[:, 0], some_images(60))
    path.unlink()
    data.check_whole()


def test_a_file_that_is_cut_between_header_and_mapping_is_one_sentence(tmp_path: Path) -> None:
    path = npy(tmp_path, some_images(3))
    with pytest.raises(DataError, match="damaged or cut short"):
        image_store.map_values(path, shape=(10_000,), dtype=np.dtype(np.uint8), offset=0)


def test_reading_a_mapped_file_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vae_explorer.config import DataConfig
    from vae_explorer.data.catalog import open_data

    path = npy(tmp_path, some_images(60))
    monkeypatch.setattr("vae_explorer.data.memory.free_memory_bytes", lambda: LITTLE)
    monkeypatch.setattr(image_store, "_PART_BYTES", 100)
    shares: list[float] = []
    with pytest.raises(CancelledError):
        open_data(
            DataConfig(name=str(path)),
            progress=lambda share, text: shares.append(share) if text == "Checking images" else None,
            is_cancelled=lambda: len(shares) == 5,
        )
    assert shares == sorted(shares)


def test_a_preview_looks_at_a_few_images_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vae_explorer.config import DataConfig
    from vae_explorer.data.catalog import preview_data

    images = some_images(60)
    path = npy(tmp_path, images.astype(np.float32))
    monkeypatch.setattr("vae_explorer.data.memory.free_memory_bytes", lambda: LITTLE)
    monkeypatch.setattr(image_store, "_scratch", lambda n_bytes, where: pytest.fail("a preview needs no scratch file"))
    preview = preview_data(DataConfig(name=str(path)), limit=5)
    assert preview.n_found == 60
    np.testing.assert_array_equal(preview.images[:, 0], images[[0, 15, 30, 44, 59]])


def test_small_images_lie_in_memory(digits_data: ImageData) -> None:
    assert not digits_data.is_mapped
    digits_data.check_whole()
