"""Exports on disk: the suffix decides, a file is whole or not there, tables hold what they say."""

import csv
import io
import json
import warnings

import numpy as np
import pytest

from vae_explorer import atomic_files
from vae_explorer.errors import UsageError, VaeExplorerError
from vae_explorer.export.picture import read_recipe
from vae_explorer.export.recipe import Recipe, encode_recipe
from vae_explorer.export.tables import codes_csv
from vae_explorer.export.write import ExportResult, check_export_path, write_export

PICTURE_RECIPE = Recipe(what="samples", rows=1, cols=2, step=9, run="run")
CODES_RECIPE = Recipe(what="codes", step=9)


def make_picture():
    tiles = np.random.default_rng(0).random((1, 2, 1, 4, 4), dtype=np.float32)
    return ExportResult(np.full((6, 10, 3), 7, dtype=np.uint8), {"tiles": tiles}, recipe=PICTURE_RECIPE)


def make_codes(*, latent_dim=3, n=4, **changes):
    rng = np.random.default_rng(latent_dim)
    figures = {name: rng.standard_normal(n).astype(np.float32) * 100 for name in ("elbo", "kl", "distortion")}
    arrays = {
        "index": np.arange(10, 10 + n), "label": np.arange(n) - 1,
        "z": rng.standard_normal((n, latent_dim)).astype(np.float32),
        "sigma": rng.random((n, latent_dim), dtype=np.float32), **figures,
    }  # fmt: skip
    return {name: value for name, value in (arrays | changes).items() if value is not None}


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


@pytest.mark.parametrize("latent_dim", [1, 2, 12])
def test_the_table_has_the_columns_and_every_float_comes_back_exactly(latent_dim):
    arrays = make_codes(latent_dim=latent_dim)
    rows = rows_of(codes_csv(**arrays))
    z, sigma = [f"z{k}" for k in range(latent_dim)], [f"sigma{k}" for k in range(latent_dim)]
    assert list(rows[0]) == ["index", "label", *z, *sigma, "elbo", "kl", "distortion"]
    assert [row["index"] for row in rows] == ["10", "11", "12", "13"]
    assert [row["label"] for row in rows] == ["", "0", "1", "2"]
    for name in ("elbo", "kl", "distortion"):
        assert np.array_equal(np.array([row[name] for row in rows], dtype=np.float32), arrays[name])
    for names, array in ((z, arrays["z"]), (sigma, arrays["sigma"])):
        assert np.array_equal(np.array([[row[name] for name in names] for row in rows], dtype=np.float32), array)


def test_what_an_autoencoder_or_unlabelled_data_lack_is_empty():
    nan = np.full(4, np.nan, dtype=np.float32)
    rows = rows_of(codes_csv(**(make_codes() | {"elbo": nan, "kl": nan, "label": None})))
    assert {(row["label"], row["elbo"], row["kl"]) for row in rows} == {("", "", "")}
    assert all(row["distortion"] for row in rows)


def test_a_png_is_written_with_its_recipe_into_a_new_folder(tmp_path):
    path = write_export(tmp_path / "exports" / "grid.png", make_picture())
    assert read_recipe(path) == PICTURE_RECIPE
    assert [entry.name for entry in path.parent.iterdir()] == ["grid.png"]


def test_an_npz_holds_arrays_and_recipe_without_pickle_and_is_the_same_each_time(tmp_path):
    first = write_export(tmp_path / "a.npz", make_picture())
    second = write_export(tmp_path / "b.npz", make_picture())
    assert first.read_bytes() == second.read_bytes()
    with np.load(first, allow_pickle=False) as opened:
        assert np.array_equal(opened["tiles"], make_picture().arrays["tiles"])
        assert json.loads(str(opened["recipe"])) == json.loads(encode_recipe(PICTURE_RECIPE))


def test_codes_are_written_as_csv_and_npz(tmp_path):
    for arrays in (make_codes(), make_codes(label=None)):
        result = ExportResult(None, arrays, recipe=CODES_RECIPE)
        table = write_export(tmp_path / "codes.CSV", result, overwrite=True)
        assert len(rows_of(table.read_bytes())) == 4
        with np.load(write_export(tmp_path / "codes.npz", result, overwrite=True), allow_pickle=False) as opened:
            assert set(opened.files) == {*arrays, "recipe"}


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("grid.csv", PICTURE_RECIPE), ("grid.jpg", PICTURE_RECIPE), ("grid", PICTURE_RECIPE), ("c.png", CODES_RECIPE)],
)
def test_a_suffix_that_does_not_fit_is_refused_and_names_those_that_do(tmp_path, name, recipe):
    with pytest.raises(UsageError, match=r"can be exported as .* or \.npz"):
        check_export_path(tmp_path / name, recipe)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "grid.png"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        write_export(path, make_picture())
    assert path.read_bytes() == b"mine"
    write_export(path, make_picture(), overwrite=True)
    assert read_recipe(path) == PICTURE_RECIPE


def test_a_folder_or_a_dangling_link_is_no_free_name(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already"):
        check_export_path(tmp_path / "folder.png", PICTURE_RECIPE, overwrite=True)
    with pytest.raises(UsageError, match="exists already"):
        check_export_path(tmp_path / "link.png", PICTURE_RECIPE)


@pytest.mark.parametrize("where", ["sync_file", "os.replace"])
def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, where):
    path = tmp_path / "grid.png"
    path.write_bytes(b"mine")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"vae_explorer.atomic_files.{where}", fail)
    with pytest.raises(VaeExplorerError, match=r"cannot be written \(No space left on device\)"):
        write_export(path, make_picture(), overwrite=True)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_while_writing_leaves_nothing(tmp_path):
    def interrupted():
        with atomic_files.replacing(tmp_path / "x") as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_object_array_is_never_pickled(tmp_path):
    result = ExportResult(None, {"z": np.array([{}], dtype=object)}, recipe=CODES_RECIPE)
    with pytest.raises(ValueError, match="would be pickled"):
        write_export(tmp_path / "codes.npz", result)
    assert list(tmp_path.iterdir()) == []


def test_seventy_thousand_codes_are_written_without_warnings():
    arrays = make_codes(latent_dim=2, n=70_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert codes_csv(**arrays).count(b"\n") == 70_001
