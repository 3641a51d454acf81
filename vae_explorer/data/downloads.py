"""Fetches a known set from its mirrors, each file checked against its pinned digest."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from vae_explorer.data.known_sets import KnownSet, datasets_dir
from vae_explorer.data.raw_images import Watcher
from vae_explorer.data.reading import short_reason
from vae_explorer.errors import DownloadError

TIMEOUT_S = 20.0
"""Longest silence of a mirror; also how late a cancel can be heard."""
CHUNK_BYTES = 1 << 16


class _Progress:
    """What pooch's HTTPDownloader takes for a progress bar: tells the watcher, which stops it by raising."""

    def __init__(self, known: KnownSet, watcher: Watcher) -> None:
        self.total = 0
        self._known = known
        self._watcher = watcher
        self._n_bytes = 0
        self._n_bytes_before = 0

    def update(self, n_bytes: int) -> None:
        """Count the bytes of the file that is being fetched; pooch counts its last chunk as a full one."""
        self._n_bytes = min(self._n_bytes + n_bytes, self.total) if self.total else self._n_bytes + n_bytes
        n_done = self._n_bytes_before + self._n_bytes
        text = f"Fetching {self._known.title}, {n_done / 1e6:,.1f} of {self._known.n_download_bytes / 1e6:,.1f} MB"
        self._watcher.report(n_done / self._known.n_download_bytes, text)

    def reset(self) -> None:
        """Begin to count anew: pooch calls it once at a file's end, before it tells the whole file's size."""
        self._n_bytes = 0

    def close(self) -> None:
        """Add the file that is done to those before it."""
        self._n_bytes_before += self._n_bytes
        self._n_bytes = 0


def folder_of(known: KnownSet) -> Path:
    """Return the folder where the set's files lie or would be put."""
    return datasets_dir() / known.name


def is_present(known: KnownSet) -> bool:
    """Whether all files of the set lie in its folder, packed or not."""
    folder = folder_of(known)
    return all((folder / name).is_file() or (folder / name.removesuffix(".gz")).is_file() for name in known.files)


def fetch(known: KnownSet, watcher: Watcher) -> Path:
    """Return the folder of the set's files, fetching those that are missing.

    Raises DownloadError, which names the files and where to put them, when pooch or the network is missing;
    CancelledError within a chunk of a cancel. A file that is there is whole: pooch moves it in once it is checked.
    """
    folder = folder_of(known)
    if is_present(known):
        return folder
    advice = f"put {', '.join(known.files)} into {folder}, or name the folder that holds them"
    if importlib.util.find_spec("pooch") is None:
        raise DownloadError(
            f"{known.title} is not on this computer and fetching it needs pooch; "
            f"install vae-explorer[data], or {advice}."
        )
    bar = _Progress(known, watcher)
    for name, digest in known.files.items():
        if not (folder / name.removesuffix(".gz")).is_file():
            reason = _fetch_file(known, name, digest, bar)
            if reason is not None:
                raise DownloadError(
                    f"{known.title} could not be fetched, no mirror gave {name} ({reason}); "
                    f"check the network and try again, or {advice}."
                )
    return folder


def _fetch_file(known: KnownSet, name: str, digest: str, bar: _Progress) -> str | None:
    """Fetch one file from the first mirror that has it; return why the last one failed, None when it is there."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # pooch prints each address and digest to stderr
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_S)
    reason = "no mirror is known"
    for mirror in known.mirrors:
        bar.reset()
        bar.update(0)
        try:
            pooch.retrieve(
                f"{mirror}{name}", f"sha256:{digest}", fname=name, path=folder_of(known), downloader=downloader
            )
            return None
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong digest is a ValueError
            reason = _short(error)
    return reason


def _short(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "what it sent has another digest"
    kind = type(error).__name__
    if kind in ("ConnectionError", "ProxyError", "SSLError"):
        return "no connection"
    return "no answer in time" if "Timeout" in kind else short_reason(error)
