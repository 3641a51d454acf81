"""Fetching known sets: from a mirror on this machine, from none, cancelled, and with a wrong digest."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from data_makers import idx_folder

from vae_explorer.config import DataConfig
from vae_explorer.data import known_sets
from vae_explorer.data.catalog import describe_datasets, open_data
from vae_explorer.data.known_sets import KNOWN_SETS, KnownSet
from vae_explorer.errors import CancelledError, DownloadError

NOWHERE = "http://127.0.0.1:9/"


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    folder = idx_folder(tmp_path / "mirror")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAE_EXPLORER_DATA", str(tmp_path / "datasets"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "datasets"


def publish(monkeypatch: pytest.MonkeyPatch, mirror_folder: Path, *mirrors: str) -> KnownSet:
    """Let the name kmnist stand for the small set of the mirror."""
    digests = {
        name: hashlib.sha256((mirror_folder / name).read_bytes()).hexdigest() for name in KNOWN_SETS["kmnist"].files
    }
    n_bytes = sum(path.stat().st_size for path in mirror_folder.iterdir())
    small = dataclasses.replace(KNOWN_SETS["kmnist"], files=digests, mirrors=mirrors, n_download_bytes=n_bytes)
    monkeypatch.setitem(known_sets.KNOWN_SETS, "kmnist", small)
    return small


def test_fetches_from_the_second_mirror_with_progress(
    tmp_path: Path, mirror: str, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, tmp_path / "mirror", NOWHERE, mirror)
    reports: list[tuple[float, str]] = []
    data = open_data(DataConfig(name="kmnist"), progress=lambda share, text: reports.append((share, text)))
    assert len(data) == 16
    assert data.provenance.title == "Kuzushiji-MNIST"
    assert data.class_names[0] == "o"
    fetching = [share for share, text in reports if text.startswith("Fetching Kuzushiji-MNIST")]
    assert fetching == sorted(fetching)
    assert fetching[-1] == pytest.approx(1.0)
    assert {row["name"]: row["available"] for row in describe_datasets()}["kmnist"]


def test_wrong_digest_is_not_kept(tmp_path: Path, mirror: str, datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, tmp_path / "mirror", mirror)
    (tmp_path / "mirror" / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"no mirror gave train-images.* \(what it sent has another digest\)"):
        open_data(DataConfig(name="kmnist"))
    assert list((datasets / "kmnist").iterdir()) == []


def test_cancel_leaves_no_half_file(
    tmp_path: Path, mirror: str, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, tmp_path / "mirror", mirror)
    texts: list[str] = []
    with pytest.raises(CancelledError):
        open_data(
            DataConfig(name="kmnist"),
            progress=lambda share, text: texts.append(text),
            is_cancelled=lambda: len(texts) >= 1,
        )
    assert list((datasets / "kmnist").iterdir()) == []


def test_no_network_names_the_files_and_the_folder(
    tmp_path: Path, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, idx_folder(tmp_path / "mirror"), NOWHERE)
    with pytest.raises(DownloadError) as caught:
        open_data(DataConfig(name="kmnist"))
    message = str(caught.value)
    assert "no connection" in message
    assert str(datasets / "kmnist") in message
    assert all(name in message for name in KNOWN_SETS["kmnist"].files)
    assert "\n" not in message


def test_without_pooch_the_extra_is_named(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DownloadError, match=r"needs pooch; install vae-explorer\[data\], or put train-images"):
        open_data(DataConfig(name="fashion-mnist"))


def test_every_known_set_is_pinned_and_mirrored() -> None:
    for known in KNOWN_SETS.values():
        assert len(known.mirrors) >= 2
        assert all(mirror.endswith("/") for mirror in known.mirrors)
        assert len(known.files) == 4
        assert all(len(bytes.fromhex(digest)) == 32 for digest in (*known.files.values(), *known.plain_digests))
        assert len(known.class_names) == 10
