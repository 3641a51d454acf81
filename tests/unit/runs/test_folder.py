"""A run folder as a whole: created, opened, refused, read-only."""

import os
import stat
from importlib import metadata

import numpy as np
import pytest
from run_makers import metrics

from vae_explorer import atomic_files, resource_files
from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.manifest import program_versions


def test_what_was_created_is_what_is_opened(tmp_path, data):
    config = RunConfig().with_values({"model.latent_dim": 7, "model.hidden": [30, 20], "train.seed": 5})
    made = RunFolder.create(tmp_path / "deep" / "run", config=config, data=data, device="cuda", parent="older")
    opened = RunFolder.open(tmp_path / "deep" / "run")
    for run in (made, opened):
        assert run.config == config
        assert run.name == "run"
        assert (run.data_digest, run.data_title, run.device, run.seed) == (data.digest, "tiny", "cuda", 5)
        assert run.parent == "older"
        assert run.versions["vae-explorer"]
        assert run.versions["numpy"] == np.__version__
        assert not run.is_read_only
    assert made.created == opened.created


def test_an_empty_folder_is_taken_and_a_full_one_is_not(tmp_path, data, run):
    (tmp_path / "empty").mkdir()
    RunFolder.create(tmp_path / "empty", config=RunConfig(), data=data, device="cpu")
    before = (run.path / "run.toml").read_bytes()
    with pytest.raises(UsageError, match="is not empty"):
        RunFolder.create(run.path, config=RunConfig(), data=data, device="cuda")
    assert (run.path / "run.toml").read_bytes() == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is not empty"):
        RunFolder.create(tmp_path / "file", config=RunConfig(), data=data, device="cpu")
    with pytest.raises(RunError, match="cannot be created"):
        RunFolder.create(tmp_path / "file" / "below", config=RunConfig(), data=data, device="cpu")


def test_a_data_set_given_by_path_is_noted_by_its_absolute_path(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = RunConfig().with_values({"data.name": "./pictures"})
    run = RunFolder.create("run", config=config, data=data, device="cpu")
    assert RunFolder.open(run.path).config.data.name == str(tmp_path / "pictures")
    assert run.config.data.name == str(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "damaged"),
        (b"format = 1\n", "damaged"),
        (b"format = [", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"format = 0\n", "damaged"),
        (b"x" * 2_000_000, "expected at most 1,000,000"),
    ],
)
def test_a_damaged_description_is_one_sentence(run, text, message):
    (run.path / "run.toml").write_bytes(text)
    with pytest.raises(RunError, match=message) as caught:
        RunFolder.open(run.path)
    assert "\n" not in str(caught.value)
    assert "run.toml" in str(caught.value)


def test_a_bad_setting_is_named(run):
    path = run.path / "run.toml"
    path.write_text(path.read_text().replace("latent_dim = 2", "latent_dim = 2000"))
    with pytest.raises(RunError, match=r"model.latent_dim = 2000: expected a whole number from 1 to 256"):
        RunFolder.open(run.path)


def test_no_run_is_said_so(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"has no run\.toml"):
        RunFolder.open(tmp_path)


def test_a_newer_format_says_which_version_it_needs(run):
    path = run.path / "run.toml"
    text = path.read_text().replace("format = 1", "format = 9").replace('vae-explorer = "', 'vae-explorer = "7.')
    path.write_text(text + "\n[something_new]\nx = 1\n")
    with pytest.raises(RunError, match=r"run format 9 .* reads up to 1; install vae-explorer 7\.\S+ or later"):
        RunFolder.open(run.path)


def test_a_description_that_fails_half_way_leaves_no_file(tmp_path, data, monkeypatch):
    def fail(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files, "sync_file", fail)
    with pytest.raises(RunError, match="No space left on device"):
        RunFolder.create(tmp_path / "run", config=RunConfig(), data=data, device="cpu")
    assert list((tmp_path / "run").iterdir()) == []


def test_other_images_are_refused_by_their_digest(run, data):
    run.check_data(data)
    other = ImageData(
        images=data.images.copy() + np.uint8(1), max_value=16, splits=data.splits, provenance=data.provenance
    )
    with pytest.raises(RunError, match="was trained on tiny"):
        run.check_data(other)


def test_a_run_below_resources_is_read_only(tmp_path, data, run, monkeypatch):
    run.write_checkpoint(4, {"w": np.ones(3)}, {})
    monkeypatch.setattr(resource_files, "resources_dir", lambda: tmp_path)
    demo = RunFolder.open(run.path)
    assert demo.is_read_only
    before = sorted(path.name for path in run.path.rglob("*"))
    for write in (
        lambda: demo.append(metrics(1)),
        lambda: demo.write_checkpoint(5, {"w": np.ones(3)}, {}),
        lambda: demo.truncate_records(0),
        lambda: demo.add_timeline(1, np.zeros((2, 2))),
        demo.lock,
    ):
        with pytest.raises(RunError, match="is read-only"):
            write()
    assert sorted(path.name for path in run.path.rglob("*")) == before
    assert demo.read_checkpoint(demo.find_checkpoint("last"))[0]["w"].tolist() == [1, 1, 1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_is_read_only(run):
    run.path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert RunFolder.open(run.path).is_read_only
    finally:
        run.path.chmod(stat.S_IRWXU)


def test_access_that_the_system_denies_makes_it_read_only(run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert RunFolder.open(run.path).is_read_only


def test_a_write_that_the_disk_refuses_is_one_sentence(run, monkeypatch):
    def fail(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files, "sync_file", fail)
    with pytest.raises(RunError, match=r"checkpoint of the run .* cannot be written \(No space left on device\)"):
        run.write_checkpoint(1, {"w": np.ones(3)}, {})


def test_versions_leave_out_what_is_not_installed(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert set(program_versions()) == {"vae-explorer", "python"}
