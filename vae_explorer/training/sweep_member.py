"""One model of a sweep: its records, its best evaluation and its state are those of a plain run of its beta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import torch

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.model.model import Model
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import ModelReader
from vae_explorer.runs.records import LiveName, LogRecord, MarkRecord, MetricRecord
from vae_explorer.training.best import BestKeeper
from vae_explorer.training.live_values import InForce
from vae_explorer.training.looking import Looking
from vae_explorer.training.metrics import Figures
from vae_explorer.training.schedule import target_step
from vae_explorer.training.state import AnyArray, SessionMeta, copy_into, to_arrays
from vae_explorer.training.sweep_updates import Seat


class SweepMember(Looking):
    """What a `TrainingSession` is to a plain run, but that the sweep does its updates and its evaluations.

    step: of its weights: the sweep's, or the one at which it diverged. is_diverged: whether it refused an update; it
    refuses all from then on. is_evaluation_due: whether the evaluation under way is of its weights too. The rest as of
    a session.
    """

    def __init__(
        self, config: RunConfig, data: ImageData, *, model: Model, pixels: Pixels, seat: Seat, n_train: int
    ) -> None:
        self.config, self.data, self.model = config, data, model
        self.step = 0
        self.target_step = target_step(config.train, n_train)
        self.is_diverged = self.is_evaluation_due = False
        self.time_s = 0.0
        self.notes: tuple[str, ...] = ()
        self.run_name: str | None = None
        self.labelled = None
        self.n_parameters = sum(parameter.numel() for parameter in model.parameters())
        self._pixels, self._seat, self._n_train = pixels, seat, n_train
        self._sums_since = 0
        self._records: list[LogRecord] = []
        self._best = BestKeeper()
        self._reader = ModelReader(step=0, config=config, model=model, pixels=pixels)

    # ---- what it is -------------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """The device's name."""
        return str(self._pixels.device)

    @property
    def epoch(self) -> float:
        """Passes over the training images so far."""
        return self.step * self.config.train.batch_size / self._n_train

    @property
    def learning_rate(self) -> float:
        """The live learning rate, before the steps of its schedule."""
        return self._seat.live.learning_rate

    @property
    def beta(self) -> float:
        """The weight of the KL, before its warm-up."""
        return self._seat.live.beta

    @property
    def free_bits(self) -> float:
        """The live free bits, nats of each latent dimension."""
        return self._seat.live.free_bits

    @property
    def in_force(self) -> InForce:
        """What holds in the next update."""
        return self._seat.live.in_force(self.step)

    @property
    def scale(self) -> float | None:
        """The learnt scale of the likelihood, of many the geometric mean, or None; waits for the device."""
        log_scale = self.model.learnt_log_scale
        return None if log_scale is None else float(log_scale.detach().mean().exp().item())

    # ---- training ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Ask the device whether it refused an update; if so, `step` goes back to that of the weights."""
        if not self.is_diverged and self._seat.optimiser.is_latched():
            self.is_diverged = True
            self.step = self._sums_since + self._seat.sums.weight

    def leave(self) -> None:
        """Take no further part in the sweep, as after diverging."""
        self._seat.optimiser.refuse()
        self.is_diverged = True

    def log_training(self, figures: Figures | None) -> None:
        """Write the record of the updates since the last one, from their means; None where there were none."""
        if figures is not None:
            self._records.append(self._record(figures, split="train"))
        self._seat.sums.reset()
        self._sums_since = self.step

    def take_evaluation(self, figures: Figures) -> None:
        """Write the record of a held-out evaluation that is done, and keep the state if it is the best."""
        self.is_evaluation_due = False
        self._records.append(self._record(figures, split="held_out"))
        if self._best.improves(-figures.distortion if figures.elbo is None else figures.elbo, step=self.step):
            self._best.keep(self.state())

    def _record(self, figures: Figures, *, split: Literal["train", "held_out"]) -> MetricRecord:
        return MetricRecord(
            step=self.step, epoch=self.epoch, time_s=self.time_s, split=split, elbo=figures.elbo, scale=self.scale,
            **vars(figures), **vars(self.in_force),
        )  # fmt: skip

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value before the next update; ConfigError when it is out of range."""
        taken = self._seat.live.change(name, value, step=self.step)
        self._records.append(MarkRecord(step=self.step, time_s=self.time_s, name=name, value=taken))

    def take_records(self) -> list[LogRecord]:
        """Return the records finished since the last call, in order."""
        records, self._records = self._records, []
        return records

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _looking(self) -> ModelReader:
        self.settle()
        self._reader.step, self._reader.run_name = self.step, self.run_name
        return self._reader

    # ---- state ------------------------------------------------------------------------------------------------------

    def take_best(self) -> tuple[dict[str, AnyArray], dict[str, Any]] | None:
        """Return the state of the best held-out evaluation once; else None."""
        return self._best.take()

    def state(self) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return (arrays, meta), copies of everything that a plain run would go on from."""
        self.settle()
        arrays = to_arrays(self._seat.tensors())
        arrays["generator"] = self._seat.generator_state()
        meta = SessionMeta(
            step=self.step, time_s=self.time_s, sums_since=self._sums_since, is_evaluating=self.is_evaluation_due,
            best_value=self._best.value, best_step=self._best.step, device=self._pixels.device.type,
            torch=str(torch.__version__), part=None, **self._seat.live.state(),
        )  # fmt: skip
        return arrays, msgspec.to_builtins(meta)

    def load(self, arrays: Mapping[str, AnyArray], meta: Mapping[str, Any]) -> None:
        """Take over a state; RunError when it does not fit this model, and then nothing is changed."""
        restored = SessionMeta.read(meta)
        generator = self._seat.restored_generator(arrays, restored)
        copy_into(self._seat.tensors(), arrays)
        self._seat.restore(generator, restored)
        self.notes = restored.notes(device=self._pixels.device.type, torch=str(torch.__version__))
        self.step, self.time_s, self._sums_since = restored.step, restored.time_s, restored.sums_since
        self._best = BestKeeper(value=restored.best_value, step=restored.best_step)
        self.is_evaluation_due = restored.is_evaluating
