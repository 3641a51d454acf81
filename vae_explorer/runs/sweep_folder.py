"""A sweep on disk: a folder of runs, one of each beta, and `sweep.toml`, which says which they are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from vae_explorer.atomic_files import write_bytes_atomically
from vae_explorer.errors import RunError, UsageError
from vae_explorer.runs.checkpoints import CheckpointEntry
from vae_explorer.runs.folder import RunFolder

SWEEP_NAME = "sweep.toml"
MAX_SWEEP_BYTES = 100_000
_RUN_NAME = re.compile(r"beta-[0-9][0-9.e+-]*")


class SweepManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What sweep.toml says. runs: names of the folders, in the order of the models; left: those that had diverged."""

    format: Annotated[int, Meta(ge=1, le=1)]
    runs: Annotated[tuple[str, ...], Meta(min_length=2, max_length=32)]
    left: tuple[str, ...] = ()


class SweepFolder:
    """The runs of a sweep, each in all a run of its own.

    path: of the sweep, absolute. runs: in the order of the models. left: names of the runs that diverged and stayed
    behind while the others went on.
    """

    def __init__(self, path: Path, runs: Sequence[RunFolder], left: Sequence[str] = ()) -> None:
        self.path = path
        self.runs = tuple(runs)
        self.left = tuple(left)

    @classmethod
    def open(cls, path: Path | str) -> SweepFolder:
        """Read which runs there are, and their descriptions; RunError when there is no sweep, or no sound one."""
        folder = Path(path).expanduser().absolute()
        manifest = _read(folder)
        runs = [RunFolder.open(folder / name) for name in manifest.runs]
        first = _without_beta(runs[0])
        for run in runs:
            if _without_beta(run) != first:
                raise RunError(
                    f"{run.path} differs from {runs[0].name} in more than beta, so it is no run of this sweep; go on "
                    "with each by itself."
                )
        return cls(folder, runs, manifest.left)

    @property
    def is_read_only(self) -> bool:
        """Whether any run of it cannot be written."""
        return any(run.is_read_only for run in self.runs)

    @property
    def device(self) -> str:
        """As its runs are configured, `train.device`."""
        return self.runs[0].config.train.device

    def entries_to_resume(self) -> list[CheckpointEntry]:
        """Return one checkpoint of each run: the newest step that all have, and of those that were left their last.

        RunError where there is no such step, since one of them was trained on by itself, or where all were left.
        """
        steps_of = [{entry.step for entry in run.checkpoints()} for run in self.runs]
        going = [steps for run, steps in zip(self.runs, steps_of, strict=True) if run.name not in self.left]
        if not going:
            raise RunError(f"All models of {self.path} diverged; begin a new sweep with a lower learning rate.")
        common = set.intersection(*going)
        for step in sorted(common, reverse=True):
            found = [self._entry(run, step) for run in self.runs]
            if all(entry is not None for entry in found):
                return [entry for entry in found if entry is not None]
        raise RunError(
            f"The runs of {self.path} have no sound checkpoint of a common step to go on from together; go on with "
            f"each by itself, such as {self.runs[0].path}."
        )

    def _entry(self, run: RunFolder, step: int) -> CheckpointEntry | None:
        """The sound checkpoint of `step`, or of a run that was left the newest there is; None: none."""
        try:
            if run.name in self.left:
                return run.find_sound_checkpoint()[0]
            entry = run.find_checkpoint(step)
            run.read_checkpoint(entry)
        except RunError:
            return None
        return entry


def is_sweep(path: Path | str) -> bool:
    """Whether a folder says that it is a sweep."""
    return (Path(path).expanduser() / SWEEP_NAME).is_file()


def sweep_run_paths(path: Path) -> list[Path]:
    """Return the folders that sweep.toml names; RunError when there is none, or no sound one."""
    return [path / name for name in _read(path).runs]


def check_new(path: Path) -> None:
    """UsageError when a new sweep cannot have this folder since it holds something."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} exists and is not empty; name a new folder, or resume it if it is a sweep.")


def write_sweep(path: Path, names: Sequence[str], *, left: Sequence[str] = ()) -> None:
    """Write sweep.toml, atomically; RunError when the disk refuses."""
    import tomlkit

    table = {"format": 1, "runs": list(names), "left": list(left)}
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path / SWEEP_NAME, tomlkit.dumps(table).encode())
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"The sweep {path} cannot be written ({reason}); name another folder.") from None


def _read(folder: Path) -> SweepManifest:
    path = folder / SWEEP_NAME
    try:
        if path.stat().st_size > MAX_SWEEP_BYTES:
            raise RunError(f"{path} has more than {MAX_SWEEP_BYTES:,} bytes; this is no sweep.")
        manifest = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), type=SweepManifest)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); give the folder that a sweep wrote.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RunError(f"{path} is damaged or not ours: {str(error).rstrip('.')}.") from None
    strange = [name for name in (*manifest.runs, *manifest.left) if not _RUN_NAME.fullmatch(name)]
    if strange or len(set(manifest.runs)) != len(manifest.runs):
        named = repr(strange[0][:80]) if strange else "one twice"
        raise RunError(f"{path} is damaged or not ours: it names the run {named}.")
    return manifest


def _without_beta(run: RunFolder) -> dict[str, dict[str, object]]:
    tables = run.config.to_dict()
    return {name: {key: value for key, value in table.items() if key != "beta"} for name, table in tables.items()}
