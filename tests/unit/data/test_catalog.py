"""Names, paths, splits, digests, and the embedded and drawn sets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_makers import picture_folder, read

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import dataset_names, describe_datasets, is_path, open_data, preview_data
from vae_explorer.data.splits import make_splits
from vae_explorer.errors import CancelledError, DataError, UsageError


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    expected = load_digits()
    data = open_data(DataConfig())
    assert data.max_value == 16
    assert data.shape == (1, 8, 8)
    np.testing.assert_array_equal(data.images[:, 0], expected.images)
    np.testing.assert_array_equal(data.labels, expected.target)
    assert data.class_names == tuple("0123456789")


def test_splits_are_disjoint_complete_and_seeded() -> None:
    config = DataConfig(seed=3)
    first, again, other = (open_data(c).splits for c in (config, config, DataConfig(seed=4)))
    assert [len(first.train), len(first.validation), len(first.test)] == [1437, 180, 180]
    assert sorted([*first.train, *first.validation, *first.test]) == list(range(1797))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    assert all((np.diff(part) > 0).all() for part in vars(first).values())


def test_train_on_all_holds_nothing_out() -> None:
    data = open_data(DataConfig(train_on="all"))
    assert len(data.splits.train) == 1797
    assert data.held_out_name is None


def test_own_splits_take_validation_from_train_only() -> None:
    splits = make_splits(100, DataConfig(validation=0.25), n_own_train=80)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [60, 20, 20]
    np.testing.assert_array_equal(splits.test, np.arange(80, 100))
    assert splits.validation.max() < 80
    assert len(make_splits(100, DataConfig(), n_own_train=80).validation) == 0


@pytest.mark.parametrize("n_images", [1, 2, 3, 9])
def test_something_is_left_to_train_on(n_images: int) -> None:
    for n_own_train in (None, 1):
        splits = make_splits(n_images, DataConfig(validation=0.5), n_own_train=n_own_train)
        assert len(splits.train) >= 1
        assert sum(map(len, vars(splits).values())) == n_images


def test_digest_is_of_the_content_not_of_the_split() -> None:
    assert open_data(DataConfig(seed=1)).digest == open_data(DataConfig(seed=2)).digest
    assert open_data(DataConfig()).digest != open_data(DataConfig(side=16)).digest


def test_arrays_are_read_only() -> None:
    data = open_data(DataConfig())
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("digits", False), ("fashion-mnist", False), ("./digits", True), ("a.npz", True), ("C:\\x", True), ("..", True)],
)
def test_is_path(name: str, expected: bool) -> None:
    assert is_path(name) is expected


def test_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean fashion-mnist"):
        open_data(DataConfig(name="fashion-mnits"))


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz: cannot be read \(No such file"):
        read(tmp_path / "gone.npz")


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "images.npy")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read(tmp_path / "images.npy")


def test_unknown_kind_and_single_picture(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"table\.csv: a file of the kind \.csv; expected a folder"):
        read(tmp_path / "table.csv")
    picture_folder(tmp_path, ("one.png",))
    with pytest.raises(DataError, match=r"a single picture; .* name the folder"):
        read(tmp_path / "one.png")


def test_own_sets_are_known_by_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path))
    picture_folder(tmp_path / "faces", ("a.png", "b.png"))
    assert dataset_names() == ["digits", "shapes", "mnist", "fashion-mnist", "kmnist", "faces"]
    assert len(open_data(DataConfig(name="faces"))) == 2


def test_descriptions_say_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path))
    rows = {row["name"]: row for row in describe_datasets()}
    assert rows["digits"]["available"]
    assert not rows["mnist"]["available"]
    assert rows["mnist"]["where"] == str(tmp_path / "mnist")
    picture_folder(tmp_path / "faces", ("a.png",))
    assert [row["name"] for row in describe_datasets()] == dataset_names()
    own = describe_datasets()[-1]
    assert (own["available"], own["where"]) == (True, str(tmp_path / "faces"))
    assert own["images"] is own["shape"] is own["licence"] is None


def test_resizing_and_recolouring_any_source() -> None:
    data = open_data(DataConfig(side=16, colour="colour"))
    assert data.shape == (3, 16, 16)
    assert data.max_value == 255
    assert data.images.max() > 240  # 16 levels were spread to 255
    assert any("resized from 8 x 8 to 16 x 16" in note for note in data.provenance.understood)
    grey = open_data(DataConfig(name="shapes", count=50, hue=True, colour="grey"))
    assert grey.shape == (1, 32, 32)


def test_preview_shows_images_from_all_over() -> None:
    preview = preview_data(DataConfig(), limit=10)
    assert preview.images.shape == (10, 1, 8, 8)
    assert preview.n_found == 1797
    assert preview.images.max() == 255


def test_preview_of_a_folder_opens_few_files(tmp_path: Path) -> None:
    picture_folder(tmp_path, tuple(f"{index:03}.png" for index in range(50)))
    (tmp_path / "007.png").write_bytes(b"")  # not among those looked at
    preview = preview_data(DataConfig(name=str(tmp_path), side=4), limit=5)
    assert preview.images.shape == (5, 1, 4, 4)
    assert preview.n_found == 50
    assert preview.skipped == ()


def test_preview_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path))
    preview = preview_data(DataConfig(name="kmnist"))
    assert len(preview.images) == 0
    assert "will be fetched" in preview.understood[0]
    assert list(tmp_path.iterdir()) == []


def test_cancel_ends_the_reading() -> None:
    with pytest.raises(CancelledError):
        open_data(DataConfig(name="shapes"), is_cancelled=lambda: True)


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    open_data(DataConfig(name="shapes", count=1000, side=8), progress=lambda share, text: shares.append(share))
    assert len(shares) >= 4
    assert all(0 <= share <= 1 for share in shares)


def test_the_catalog_imports_neither_torch_nor_pillow() -> None:
    heavy = ("torch", "PIL", "pooch", "PySide6", "sklearn")
    code = f"import sys, vae_explorer.data.catalog; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
