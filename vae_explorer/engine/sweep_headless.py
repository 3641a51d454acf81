"""Training a sweep without a window: the same loop, on the caller's thread, with nobody looking on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import messages as m
from vae_explorer.engine.hand_turned import HandTurnedLoop, Progress
from vae_explorer.engine.headless import TrainResult
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import LiveName, LogRecord, MetricRecord


@dataclass(frozen=True)
class SweepResult:
    """How training a sweep ended: FINISHED, PAUSED (interrupted, saved) or DIVERGED (all models).

    models: of each its own result, DIVERGED for those that were left behind. message: what to try, where all diverged.
    """

    path: Path
    step: int
    state: m.EngineState
    models: tuple[TrainResult, ...]
    seconds: float
    message: str = ""


def train_sweep_headless(
    *,
    data: ImageData,
    path: Path,
    configs: Sequence[RunConfig] | None = None,
    until_step: int | None = None,
    device: str | None = None,
    live: Mapping[LiveName, float] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    is_interrupted: Callable[[], bool] | None = None,
) -> SweepResult:
    """Train a new sweep of `configs`, or (None) go on with the one at `path`; the rest as of `train_headless`.

    The progress is that of the model whose beta is nearest to 1. on_notice: what is worth a sentence on the way.
    """
    trainer = _SweepTrainer(device, on_notice or (lambda sentence: None))
    try:
        trainer.put(m.OpenSweep(path, data) if configs is None else m.NewSweep(tuple(configs), data, path))
        for name, value in (live or {}).items():
            trainer.put(m.SetLive(name, value))
        trainer.put(m.Start(until_step or trainer.progress.target_step))
        seconds = trainer.train(is_interrupted, on_progress)
    finally:
        trainer.close()
    return trainer.result(seconds)


class _SweepTrainer(HandTurnedLoop):
    """A sweep, and the newest records of each of its models."""

    def __init__(self, device: str | None, on_notice: Callable[[str], None]) -> None:
        super().__init__(on_notice, device=device)
        self._opened: m.SweepOpened | None = None
        self._left: tuple[int, ...] = ()
        self._shown = 0
        self._newest: dict[tuple[int, str], MetricRecord] = {}

    def result(self, seconds: float) -> SweepResult:
        """Sum up."""
        opened, status = self._opened, self.status
        assert opened is not None
        models = tuple(self._result_of(place, path, seconds) for place, path in enumerate(opened.run_paths))
        return SweepResult(opened.path, status.step, status.state, models, seconds, message=self.message)

    def _result_of(self, place: int, path: Path, seconds: float) -> TrainResult:
        checkpoints = RunFolder.open(path).checkpoints()
        best = [entry.step for entry in checkpoints if entry.is_best]
        return TrainResult(
            step=checkpoints[-1].step, run_path=path, best_step=best[0] if best else None, seconds=seconds,
            state=m.EngineState.DIVERGED if place in self._left else self.status.state,
            last_train=self._newest.get((place, "train")), last_held_out=self._newest.get((place, "held_out")),
        )  # fmt: skip

    def _take(self, event: m.Event) -> None:
        super()._take(event)
        match event:
            case m.SweepOpened():
                self._opened, self._left = event, event.left
                for place, records in enumerate(event.records):
                    for record in records:
                        self._take_record(place, record)
            case m.SweepShown():
                self._shown, self._left = event.place, event.left
            case m.SweepRecordsAdded():
                for place, record in event.records:
                    self._take_record(place, record)

    def _take_record(self, place: int, record: LogRecord) -> None:
        if not isinstance(record, MetricRecord):
            return
        self._newest[place, record.split] = record
        if place == self._shown:
            self.progress = replace(
                self.progress,
                last_train=self._newest.get((place, "train")),
                last_held_out=self._newest.get((place, "held_out")),
            )
