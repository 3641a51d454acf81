"""The timeline of a run: codes of a fixed sample, and now and then weights, thinned evenly over the steps so far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_explorer.errors import RunError
from vae_explorer.runs.tensor_file import AnyArray, read_tensors, write_tensors

MAX_CODE_FRAMES = 200
MAX_WEIGHT_FRAMES = 20


@dataclass(frozen=True, eq=False)
class TimelineFrame:
    """One moment of the run. loc: float16 (n, d), codes of the fixed sample; weights: arrays by name, None where this
    step kept none; indices: int64 (n,), the images of the sample, None where they were not told."""

    step: int
    loc: NDArray[np.float16]
    weights: dict[str, AnyArray] | None
    indices: NDArray[np.int64] | None = None


class Timeline:
    """The folder of frames of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self, step: int, loc: AnyArray, *, weights: Mapping[str, AnyArray] | None, indices: NDArray[np.int64] | None
    ) -> None:
        """Write a frame and thin the older ones; frames of later steps (a past that was left) are dropped."""
        self.folder.mkdir(exist_ok=True)
        with np.errstate(over="ignore"):  # codes of a run gone wild become inf, which is what they look like
            codes = {"loc": np.asarray(loc, dtype=np.float16)}
        if indices is not None:
            codes["indices"] = np.asarray(indices, dtype=np.int64)
        write_tensors(self._path("codes", step), codes, metadata={"step": str(step)})
        if weights is not None:
            write_tensors(self._path("weights", step), weights, metadata={"step": str(step)})
        for kind, most in (("codes", MAX_CODE_FRAMES), ("weights", MAX_WEIGHT_FRAMES)):
            steps = self._steps(kind)
            for gone in set(steps) - set(thinned([s for s in steps if s <= step], most)):
                with suppress(OSError):
                    self._path(kind, gone).unlink()

    def steps(self) -> list[int]:
        """Return the steps that have codes, ascending."""
        return self._steps("codes")

    def weight_steps(self) -> list[int]:
        """Return the steps that have weights, ascending."""
        return self._steps("weights")

    def read(self, step: int) -> TimelineFrame:
        """Return the frame of a step; RunError when there is none or it is damaged."""
        if not self._path("codes", step).is_file():
            raise RunError(
                f"{self.folder} has no frame of step {step}; it may have been thinned, list the steps again."
            )
        codes, _ = read_tensors(self._path("codes", step))
        if "loc" not in codes or codes["loc"].ndim != 2:
            raise RunError(f"{self._path('codes', step)} is damaged: it holds no codes; remove it.")
        weights = read_tensors(self._path("weights", step))[0] if self._path("weights", step).is_file() else None
        return TimelineFrame(step=step, loc=codes["loc"], weights=weights, indices=codes.get("indices"))

    def _path(self, kind: str, step: int) -> Path:
        return self.folder / f"{kind}-{step:09d}.safetensors"

    def _steps(self, kind: str) -> list[int]:
        if not self.folder.is_dir():
            return []
        name = re.compile(kind + r"-(\d{9,15})\.safetensors")
        return sorted(int(match[1]) for path in self.folder.iterdir() if (match := name.fullmatch(path.name)))


def thinned(steps: list[int], most: int) -> list[int]:
    """Return at most `most` of the ascending steps: the first and the last, and between them the most even spread.

    Again and again the step goes whose neighbours are nearest to each other, so that frames that come one by one
    stay even over the whole run, however long it becomes.
    """
    kept = list(steps)
    while len(kept) > max(most, 2):
        gaps = [kept[i + 1] - kept[i - 1] for i in range(1, len(kept) - 1)]
        del kept[1 + gaps.index(min(gaps))]
    return kept
