"""A training session: sole owner of module, optimiser, generators and the images on the device."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import check_together
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.labelled import count_classes
from vae_explorer.errors import DataError, DivergedError
from vae_explorer.model.model import TRAINING_BYTES
from vae_explorer.model.pixels import Pixels
from vae_explorer.objective.reading import ModelReader
from vae_explorer.runs.records import LiveName, LogRecord, MarkName, MarkRecord, MetricRecord
from vae_explorer.training.best import BestKeeper
from vae_explorer.training.checkpoint import model_for
from vae_explorer.training.devices import resolve_device
from vae_explorer.training.held_out import HeldOutEvaluation, held_out_indices
from vae_explorer.training.live_values import InForce
from vae_explorer.training.looking import Looking
from vae_explorer.training.memory import check_codes_fit
from vae_explorer.training.metrics import Figures
from vae_explorer.training.optimiser import Part
from vae_explorer.training.schedule import is_evaluation_due, is_record_due, target_step, updates_until_due
from vae_explorer.training.state import AnyArray, SessionMeta, copy_into, to_arrays
from vae_explorer.training.updates import Updates
from vae_explorer.training.world import ALONE, World, own_config

if TYPE_CHECKING:
    from vae_explorer.runs.folder import RunFolder

LATCH_EVERY = 100
"""Updates after which the device is asked, at the latest, whether it refused one."""


class Advance(StrEnum):
    """What one call of `TrainingSession.advance` did."""

    STEP = "step"
    EVALUATION = "evaluation"
    DIVERGED = "diverged"


class TrainingSession(Looking):
    """One run being trained.

    Everything that acts on the training is a function of the step, and the training's generator is used by updates
    alone: whatever is asked in between, the weights come out bit-identical.

    step: updates done. target_step: where the run is to end; the session itself does not stop there.
    is_diverged: whether the last update asked for was refused; the weights are those of `step`, all finite.
    time_s: seconds of training since the run's beginning, pauses left out.
    run_name: of its folder, for what is exported.
    world: the processes that train it together. The batch of `config` is that of all of them, and every one has the
    same weights, records and state.
    """

    def __init__(self, config: RunConfig, data: ImageData, *, device: torch.device, world: World = ALONE) -> None:
        indices = data.indices("all" if config.data.train_on == "all" else "train")
        if len(indices) == 0:
            raise DataError(f"{data.provenance.title}: no image to train on; lower data.validation or add images.")
        self.config, self.data, self.world = config, data, world
        self.step = 0
        self.target_step = target_step(config.train, len(indices))
        self.is_diverged = False
        self.time_s = 0.0
        self._notes: tuple[str, ...] = ()
        self.run_name: str | None = None
        check_codes_fit(own_config(config, world), data.shape, n_classes=count_classes(data), device=device)
        self.model = model_for(config, data, bytes_per_parameter=TRAINING_BYTES).to(device)
        self.n_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self._n_train = len(indices)
        self._device = device
        self._pixels = Pixels(data, config, device)
        self._updates = Updates(config, data, indices, model=self.model, pixels=self._pixels, world=world)
        self._live = self._updates.live
        self._sums_since = 0
        self._held_out = held_out_indices(config, data)
        self._evaluation: HeldOutEvaluation | None = None
        self._is_divergence_told = False
        self._records: list[LogRecord] = []
        self._best = BestKeeper()
        self._reader = ModelReader(step=0, config=config, model=self.model, pixels=self._pixels)

    @classmethod
    def new(cls, config: RunConfig, data: ImageData, *, device: str | None = None, world: World = ALONE) -> Self:
        """Begin a run; `device` overrules train.device.

        Raises ConfigError when settings do not go together, or the network does not fit images or memory, UsageError
        when there is no such device.
        """
        check_together(config)
        return cls(config, data, device=resolve_device(device or config.train.device), world=world)

    @classmethod
    def resume(
        cls,
        run: RunFolder,
        data: ImageData,
        *,
        checkpoint: str | int = "last",
        device: str | None = None,
        world: World = ALONE,
    ) -> Self:
        """Go on from a checkpoint ('last', 'best' or a step): bit-exact on the same device and torch, and with as many
        processes.

        Where the last one is damaged, 'last' is the newest sound one, and `notes` says so. Raises RunError when the
        checkpoint is missing or damaged or the data are others than the run's.
        """
        run.check_data(data)
        is_last = checkpoint == "last"
        entry, notice = run.find_sound_checkpoint() if is_last else (run.find_checkpoint(checkpoint), None)
        arrays, meta = run.read_checkpoint(entry)
        # Not by `new`: what goes together was checked when the run began, by the rules of its own version.
        session = cls(run.config, data, device=resolve_device(device or run.config.train.device), world=world)
        session.load(arrays, meta)
        if notice is not None:
            session._notes = (notice, *session._notes)
        session.run_name = run.name
        return session

    # ---- what it is -------------------------------------------------------------------------------------------------

    @property
    def labelled(self) -> NDArray[np.int64] | None:
        """The training images whose label is used, ascending; None where none is."""
        return self._updates.labelled

    @property
    def device(self) -> str:
        """The device's name, such as 'cpu' or 'cuda:0'."""
        return str(self._device)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about how this session came to be, and how its updates are done."""
        return (*self._notes, *self._updates.notes)

    @property
    def batches_per_epoch(self) -> float:
        """Updates that see as many images as there are to train on."""
        return self._n_train / self.config.train.batch_size

    @property
    def epoch(self) -> float:
        """Passes over the training images so far."""
        return self.step / self.batches_per_epoch

    @property
    def learning_rate(self) -> float:
        """The live learning rate, before the steps of its schedule."""
        return self._live.learning_rate

    @property
    def beta(self) -> float:
        """The live weight of the KL, before its warm-up."""
        return self._live.beta

    @property
    def free_bits(self) -> float:
        """The live free bits, nats of each latent dimension."""
        return self._live.free_bits

    @property
    def scale(self) -> float | None:
        """The learnt scale of the likelihood, of many the geometric mean, or None; waits for the device."""
        log_scale = self.model.learnt_log_scale
        return None if log_scale is None else float(log_scale.detach().mean().exp().item())

    @property
    def is_scale_at_floor(self) -> bool:
        """Whether the learnt scale, of many every one, has reached its floor; waits for the device."""
        scale = self.scale
        return scale is not None and math.log(scale) <= self.model.log_scale_floor + 1e-4

    @property
    def is_evaluating(self) -> bool:
        """Whether a held-out evaluation is due or under way; `advance` goes on with it before the next update."""
        return self._evaluation is not None

    # ---- training ---------------------------------------------------------------------------------------------------

    def advance(self, until_step: int | None = None) -> Advance:
        """Do one unit of work: an update, or a chunk of a held-out evaluation that is due.

        until_step: where several updates may be done at once, as captured slices do, how far they may go; they go no
        further than to the next step at which something is due. None: one update.

        DIVERGED says that an update was not finite and not applied; the next call tries again.
        """
        started = time.perf_counter()
        if self.is_diverged and self._is_divergence_told:
            self._updates.optimiser.release()
            self.is_diverged = self._is_divergence_told = False
        if not self.is_diverged:
            done = self._work(self.step + 1 if until_step is None else until_step)
        if self.is_diverged:
            self._is_divergence_told = True
            done = Advance.DIVERGED
        self.time_s += time.perf_counter() - started
        return done

    def _work(self, until_step: int) -> Advance:
        if self._evaluation is not None:
            if self._evaluation.advance(self.model):
                self._finish_evaluation(self._evaluation)
            return Advance.EVALUATION
        self.step += self._updates.work(self.step, self._updates_until(until_step))
        is_log_due, is_evaluation, is_latch_due = self._due_at(self.step)
        if is_log_due or is_evaluation or is_latch_due:
            self.settle()
        if is_log_due and not self.is_diverged:
            self._log_training()
        if is_evaluation and not self.is_diverged:
            self._begin_evaluation()
        return Advance.STEP

    def _updates_until(self, until_step: int) -> int:
        """How many updates may be done at once: nothing is due before the last of them."""
        most = min(until_step - self.step, self._updates.at_once)
        return updates_until_due(self.step, most, lambda step: any(self._due_at(step)))

    def _due_at(self, step: int) -> tuple[bool, bool, bool]:
        """Whether a record, an evaluation and a look at the latch are due after `step` updates."""
        train = self.config.train
        is_evaluation = len(self._held_out) > 0 and is_evaluation_due(step, train, self._n_train)
        return is_record_due(step, train), is_evaluation, step % LATCH_EVERY == 0

    def settle(self) -> None:
        """Ask the device whether it refused an update; if so, `step` goes back to that of the weights."""
        if not self.is_diverged and self._updates.optimiser.is_latched():
            self.is_diverged = True
            self.step = self._sums_since + self._updates.sums.weight

    def _log_training(self) -> None:
        figures = self._updates.sums.read()
        if figures is not None:
            self._records.append(self._record(figures, split="train", in_force=self._live.in_force(self.step)))
        self._updates.sums.reset()
        self._sums_since = self.step

    def _begin_evaluation(self) -> None:
        labels = self.data.labels
        self._evaluation = HeldOutEvaluation(
            self.config, self._updates.objective, self._pixels, self._held_out, step=self.step,
            in_force=self._live.in_force(self.step), labels=None if labels is None else labels[self._held_out],
            world=self.world,
        )  # fmt: skip

    def _finish_evaluation(self, evaluation: HeldOutEvaluation) -> None:
        figures = evaluation.figures()
        self._evaluation = None
        self._records.append(self._record(figures, split="held_out", in_force=evaluation.in_force))
        if self.config.model.kind == "m1m2" and (self._best.step or 0) <= self.config.train.pretrain_steps < self.step:
            self._best = BestKeeper()  # that was the VAE's own bound; from here on M2's is compared
        value = -figures.distortion if figures.elbo is None else figures.elbo
        if self._best.improves(value, step=self.step) and self.world.is_first:
            self._best.keep(self.state())

    def _record(self, figures: Figures, *, split: Literal["train", "held_out"], in_force: InForce) -> MetricRecord:
        return MetricRecord(
            step=self.step, epoch=self.epoch, time_s=self.time_s, split=split, elbo=figures.elbo, scale=self.scale,
            **vars(figures), **vars(in_force),
        )  # fmt: skip

    # ---- steering ---------------------------------------------------------------------------------------------------

    def set_live(self, name: LiveName, value: float) -> MarkRecord:
        """Change a live value before the next update; the mark is also among the records.

        Raises ConfigError when the value is out of range, or does not go with the configuration.
        """
        self.settle()
        return self._mark(name, self._live.change(name, value, step=self.step))

    @property
    def part(self) -> Part | None:
        """Whose weights are updated: the encoder's, all others ('decoder'), or all (None)."""
        return self._updates.optimiser.part

    def set_part(self, part: Part | None) -> MarkRecord | None:
        """Update one part's weights alone from the next update on, or all (None); None where that is so already."""
        self.settle()
        if part == self.part:
            return None
        self._updates.optimiser.restrict(part)
        return self._mark("part", {None: 0.0, "encoder": 1.0, "decoder": 2.0}[part])

    def _mark(self, name: MarkName, value: float) -> MarkRecord:
        mark = MarkRecord(step=self.step, time_s=self.time_s, name=name, value=value)
        self._records.append(mark)
        return mark

    def take_records(self) -> list[LogRecord]:
        """Return the records finished since the last call, in order."""
        records, self._records = self._records, []
        return records

    def raise_if_diverged(self) -> None:
        """DivergedError, in one sentence with what to try, when the last update was refused."""
        if self.is_diverged:
            raise DivergedError(
                f"Training diverged at step {self.step + 1}: its loss or gradient was not finite and was not applied; "
                f"lower the learning rate (now {self.learning_rate:g}) and go on from step {self.step}."
            )

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _looking(self) -> ModelReader:
        self.settle()
        self._reader.step, self._reader.run_name = self.step, self.run_name
        return self._reader

    # ---- state ------------------------------------------------------------------------------------------------------

    def take_best(self) -> tuple[dict[str, AnyArray], dict[str, Any]] | None:
        """Return the state of the best held-out evaluation once, for whoever writes it to disk; else None."""
        return self._best.take()

    def state(self) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return (arrays, meta), copies of everything that decides how the training goes on."""
        self.settle()
        arrays = to_arrays(self._updates.tensors())
        arrays["generator"] = self._updates.generator_state()
        meta = SessionMeta(
            step=self.step, time_s=self.time_s, sums_since=self._sums_since, is_evaluating=self.is_evaluating,
            best_value=self._best.value, best_step=self._best.step, device=self._device.type,
            torch=str(torch.__version__), processes=self.world.size, part=self.part, **self._live.state(),
        )  # fmt: skip
        return arrays, msgspec.to_builtins(meta)

    def load(self, arrays: Mapping[str, AnyArray], meta: Mapping[str, Any]) -> None:
        """Take over a state; RunError when it does not fit this model, and then nothing is changed."""
        restored = SessionMeta.read(meta)
        generator = self._updates.restored_generator(arrays, restored)
        copy_into(self._updates.tensors(), arrays)
        self._updates.restore(generator, restored)
        self._notes = restored.notes(device=self._device.type, torch=str(torch.__version__), processes=self.world.size)
        self.step, self.time_s, self._sums_since = restored.step, restored.time_s, restored.sums_since
        self._best = BestKeeper(value=restored.best_value, step=restored.best_step)
        self._evaluation = None
        if restored.is_evaluating:
            self._begin_evaluation()
