"""NumPy files: layouts and ranges that are understood, and hostile files that are refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_makers import npy_with_header, npz_of, read, real_data, some_images

from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import DataError


def saved(tmp_path: Path, array: np.ndarray) -> Path:
    np.save(tmp_path / "set.npy", array)
    return tmp_path / "set.npy"


def notes(data: ImageData) -> str:
    return "; ".join(data.provenance.understood)


@pytest.mark.parametrize(
    ("shape", "expected", "note"),
    [
        ((12, 6, 5), (12, 1, 6, 5), "12 x 6 x 5 was read as N x H x W"),
        ((12, 6, 5, 1), (12, 1, 6, 5), "N x H x W x C"),
        ((12, 6, 5, 3), (12, 3, 6, 5), "N x H x W x C"),
        ((12, 3, 6, 5), (12, 3, 6, 5), "N x C x H x W"),
        ((12, 1, 6, 5), (12, 1, 6, 5), "N x C x H x W"),
    ],
)
def test_layouts(tmp_path: Path, shape: tuple, expected: tuple, note: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = read(saved(tmp_path, array))
    assert data.images.shape == expected
    assert note in notes(data)
    planes = array if array.ndim == 3 else array[..., 0] if shape[3] in (1, 3) else array[:, 0]
    np.testing.assert_array_equal(data.images[:, 0], planes)


def test_fortran_order_and_big_endian(tmp_path: Path) -> None:
    images = some_images()
    np.testing.assert_array_equal(read(saved(tmp_path, np.asfortranarray(images))).images[:, 0], images)
    np.testing.assert_array_equal(read(saved(tmp_path, images.astype(">i4"))).images[:, 0], images)


@pytest.mark.parametrize(
    ("make", "max_value", "note"),
    [
        (lambda x: x.astype(np.float32) / 255, 255, "were read as 0 to 1 "),
        (lambda x: x.astype(np.float64), 255, "were read as 0 to 255 "),
        (lambda x: x.astype(np.float16) / 255, 255, "were read as 0 to 1 "),
        (lambda x: x.astype(np.int64), 255, "whole numbers from 0 to 255"),
        (lambda x: x, 255, "whole numbers"),
    ],
)
def test_ranges(tmp_path: Path, make: object, max_value: int, note: str) -> None:
    images = some_images(200)
    data = read(saved(tmp_path, make(images)))
    assert data.max_value == max_value
    assert note in notes(data)
    np.testing.assert_allclose(data.images[:, 0], images, atol=0)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_black_and_white_keeps_its_two_levels(tmp_path: Path, dtype: type) -> None:
    images = some_images() > 127
    data = read(saved(tmp_path, images.astype(dtype)))
    assert data.max_value == 1
    np.testing.assert_array_equal(data.images[:, 0], images)


def test_bytes_under_a_boolean_type_stay_within_0_and_1(tmp_path: Path) -> None:
    images = some_images()
    saved(tmp_path, images.view(bool))
    data = read(tmp_path / "set.npy")
    assert data.images.max() == 1


def test_frey_faces_as_they_are() -> None:
    data = read(real_data("frey") / "frey_1965x28x20_uint8.npy")
    assert data.images.shape == (1965, 1, 28, 20)


def test_archive_with_labels(tmp_path: Path) -> None:
    labels = np.array(["cat", "dog", "ape"] * 4)
    np.savez_compressed(tmp_path / "set.npz", images=some_images(), labels=labels, notes=np.zeros(3))
    data = read(tmp_path / "set.npz")
    assert data.class_names == ("ape", "cat", "dog")
    assert data.labels[:3].tolist() == [1, 2, 0]
    assert "arrays read: images and labels" in notes(data)


def test_labels_of_minus_one_are_unknown(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=some_images(4), y=np.array([7, -1, 3, 7]))
    data = read(tmp_path / "set.npz")
    assert data.labels.tolist() == [1, -1, 0, 1]
    assert data.class_names == ("3", "7")


def test_archive_with_its_own_splits(tmp_path: Path) -> None:
    train, test = some_images(10), some_images(4, seed=1)
    np.savez(tmp_path / "s.npz", x_train=train, y_train=np.arange(10), x_test=test, y_test=np.arange(4))
    data = read(tmp_path / "s.npz")
    assert data.provenance.has_own_test_split
    assert data.splits.test.tolist() == [10, 11, 12, 13]
    np.testing.assert_array_equal(data.images[10:, 0], test)


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("pickle-was-loaded"),))


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


GOOD = npy_bytes(some_images())
NAN = some_images().astype(np.float32) / 255
NAN[7, 2, 2] = np.nan
INF = some_images().astype(np.float64)
INF[3, 0, 0] = np.inf
HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"

BAD_NPY = {
    "empty": (b"", r"an empty file \(0 bytes\)"),
    "text": (b"no array at all", "its content is something else"),
    "archive": (npz_of({"images": GOOD}), "its content is a zip archive; .* rename it"),
    "header cut": (GOOD[:30], "a header that cannot be read"),
    "truncated": (GOOD[:-9], r"names 12 x 6 x 5 values \(360 bytes\), the file holds 351"),
    "longer": (GOOD + b"x", "the file holds 361"),
    "lying shape": (npy_with_header(HEADER % "(9000000000, 512, 512)", b"x" * 100), "names 9,000,000,000 x 512"),
    "negative shape": (npy_with_header(HEADER % "(-1, 6, 5)", b"x" * 30), "a header of"),
    "no width": (npy_with_header("{'descr': '|S0', 'fortran_order': False, 'shape': (9, 9, 9), }"), "a header of"),
    "code in the header": (npy_with_header("__import__('os').abort()"), "a header that cannot be read"),
    "deep header": (npy_with_header("(" * 5000), "a header that cannot be read"),
    "header of 4 GiB": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b" " * 99, "claims to be 4,294,967,295"),
    "version 9": (b"\x93NUMPY\x09\x00" + b" " * 99, "a header that cannot be read"),
    "objects": (npy_bytes(np.array([[[Evil()] * 5] * 6] * 2, dtype=object)), "Python objects .* expected numbers"),
    "NaN": (npy_bytes(NAN), "image 7 holds NaN or infinity; expected finite"),
    "infinity": (npy_bytes(INF), "image 3 holds NaN or infinity"),
    "negative": (
        npy_bytes(np.linspace(-1, 1, 360).reshape(12, 6, 5)),
        "values from -1 to 1; expected 0 to 1 or 0 to 255",
    ),
    "16 bits": (npy_bytes(np.full((4, 6, 5), 60000, np.uint16)), "values from 60000 to 60000"),
    "complex": (npy_bytes(np.ones((4, 6, 5), complex)), "values of type complex128"),
    "texts": (npy_bytes(np.full((4, 6, 5), "a")), "values of type <U1"),
    "structured": (npy_bytes(np.zeros((4, 6, 5), [("a", "u1")])), "values of type"),
    "two dimensions": (npy_bytes(np.zeros((4, 784), np.uint8)), "an array of 4 x 784; expected N x H x W"),
    "one colour image": (npy_bytes(np.zeros((28, 28, 3), np.uint8)), "one colour image"),
    "five channels": (npy_bytes(np.zeros((4, 8, 8, 5), np.uint8)), "an array of 4 x 8 x 8 x 5"),
    "no image": (npy_bytes(np.zeros((0, 8, 8), np.uint8)), "an array of 0 x 8 x 8"),
    "scalar": (npy_bytes(np.uint8(3)), "no dimensions"),
    "too large": (npy_bytes(np.zeros((2, 513, 9), np.uint8)), "9 x 513 pixels; .* set data.side"),
}


@pytest.mark.parametrize("case", BAD_NPY)
def test_bad_npy_is_one_sentence(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = BAD_NPY[case]
    (tmp_path / "set.npy").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "set.npy")
    assert "set.npy" in str(caught.value)
    assert "; expected " in str(caught.value)
    assert not Path("pickle-was-loaded").exists()


BOMB = npy_with_header(HEADER % "(300, 1000, 1000)") + bytes(300_000_000)
BAD_NPZ = {
    "npy": (GOOD, "its content is an .npy array; .* rename it"),
    "truncated": (npz_of({"images": GOOD})[:-30], "damaged or cut short"),
    "no arrays": (npz_of({}), "0 arrays"),
    "two candidates": (npz_of({"a": GOOD, "b": GOOD}), "one array named images"),
    "labels shorter": (npz_of({"images": GOOD, "labels": npy_bytes(np.zeros(9, int))}), "9 labels for 12 images"),
    "object labels": (npz_of({"images": GOOD, "y": npy_bytes(np.array([Evil()] * 12))}), "Python objects"),
    "NaN labels": (npz_of({"images": GOOD, "y": npy_bytes(np.full(12, np.nan))}), "finite ones"),
    "lying member": (npz_of({"images": npy_with_header(HEADER % "(9, 99, 99)", b"x" * 50)}), "names 9 x 99 x 99"),
    "other sizes": (
        npz_of({"x_train": GOOD, "x_test": npy_bytes(some_images(4, 7, 7))}),
        "test images of 1 x 7 x 7 .* expected 1 x 6 x 5",
    ),
}


@pytest.mark.parametrize("case", BAD_NPZ)
def test_bad_npz_is_one_sentence(tmp_path: Path, case: str) -> None:
    content, message = BAD_NPZ[case]
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "set.npz")
    assert "set.npz" in str(caught.value)


def test_damaged_member_is_found_by_its_checksum(tmp_path: Path) -> None:
    content = bytearray(npz_of({"images": GOOD}, compression=zipfile.ZIP_STORED))
    content[300] ^= 255
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged or cut short"):
        read(tmp_path / "set.npz")


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set.npz").write_bytes(npz_of({"images": BOMB}))
    monkeypatch.setattr("vae_explorer.data.memory.free_memory_bytes", lambda: 500_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="once unpacked; expected at most half of the free memory"):
        read(tmp_path / "set.npz", side=32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_archive_that_hides_its_size_is_refused(tmp_path: Path) -> None:
    """The zip directory says 130 bytes, the array's header says 300 MB."""
    content = npz_of({"images": npy_with_header(HEADER % "(300, 1000, 1000)", b"x" * 50)})
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="names 300 x 1,000 x 1,000 values"):
        read(tmp_path / "set.npz", side=32)
