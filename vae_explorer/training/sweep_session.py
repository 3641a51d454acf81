"""A sweep being trained: models that differ in beta alone, side by side, each in all else a session of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import check_together
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import ConfigError, DataError, DivergedError
from vae_explorer.model.model import TRAINING_BYTES, Model
from vae_explorer.model.pixels import Pixels
from vae_explorer.model.stacked import StackedModels
from vae_explorer.runs.records import LiveName
from vae_explorer.sweep_config import SWEPT
from vae_explorer.training.checkpoint import model_for
from vae_explorer.training.devices import resolve_device
from vae_explorer.training.held_out import held_out_indices
from vae_explorer.training.memory import check_codes_fit
from vae_explorer.training.schedule import is_evaluation_due, is_record_due, target_step, updates_until_due
from vae_explorer.training.session import LATCH_EVERY, Advance
from vae_explorer.training.sweep_evaluation import SweepEvaluation
from vae_explorer.training.sweep_member import SweepMember
from vae_explorer.training.sweep_updates import SweepUpdates

if TYPE_CHECKING:
    from vae_explorer.runs.checkpoints import CheckpointEntry
    from vae_explorer.runs.sweep_folder import SweepFolder

_COPIED = 2
"""Memory that is held beside what is trained, in its size: the states of the best evaluations, and of a save."""


class SweepSession:
    """Models side by side, all at the same step; whoever wants to look at one asks its member.

    members: in the order of their betas. step: updates done by all that have not diverged; a member that has stays at
    its own, and refuses every update. target_step, time_s: as of a `TrainingSession`.
    """

    def __init__(self, configs: Sequence[RunConfig], data: ImageData, *, device: torch.device) -> None:
        config = configs[0]
        indices = data.indices("all" if config.data.train_on == "all" else "train")
        if len(indices) == 0:
            raise DataError(f"{data.provenance.title}: no image to train on; lower data.validation or add images.")
        self.data = data
        self.step = 0
        self.target_step = target_step(config.train, len(indices))
        self._notes: tuple[str, ...] = ()
        self._config, self._n_train, self._device = config, len(indices), device
        first = _first_model(configs, data, device=device)
        self._stacked = StackedModels(first.to(device), len(configs))
        self._pixels = Pixels(data, config, device)
        self._updates = SweepUpdates(configs, data, indices, stacked=self._stacked, pixels=self._pixels)
        self._held_out = held_out_indices(config, data)
        self.members = [
            SweepMember(of, data, model=model, pixels=self._pixels, seat=seat, n_train=len(indices))
            for of, model, seat in zip(configs, self._stacked.models, self._updates.seats, strict=True)
        ]
        self._evaluation: SweepEvaluation | None = None

    @classmethod
    def new(cls, configs: Sequence[RunConfig], data: ImageData, *, device: str | None = None) -> Self:
        """Begin a sweep of configurations that differ in beta alone; raises as `TrainingSession.new`.

        ConfigError too where so many models side by side would take too much memory; then none is taken.
        """
        check_together(configs[0])
        return cls(configs, data, device=resolve_device(device or configs[0].train.device))

    @classmethod
    def resume(cls, sweep: SweepFolder, data: ImageData, *, device: str | None = None) -> Self:
        """Go on from the newest step that all runs of a sweep have; those that had diverged stay where they were.

        Bit-exact on the same device and torch. RunError when a run is damaged, or the data are others.
        """
        for run in sweep.runs:
            run.check_data(data)
        session = cls([run.config for run in sweep.runs], data, device=resolve_device(device or sweep.device))
        entries = sweep.entries_to_resume()
        # Those that go on are loaded last: the common generator is theirs.
        order = sorted(range(len(entries)), key=lambda place: entries[place].step)
        for place in order:
            session.members[place].load(*sweep.runs[place].read_checkpoint(entries[place]))
            session.members[place].run_name = sweep.runs[place].name
        for member, run in zip(session.members, sweep.runs, strict=True):
            if run.name in sweep.left:
                member.leave()
        session.begin_from(max(entry.step for entry in entries))
        session._notes = (*session.members[order[-1]].notes, *_trained_on(sweep, entries))
        return session

    def begin_from(self, step: int) -> None:
        """Go on from members whose states were loaded; those of other steps take no further part."""
        self.step = step
        for member in self.members:
            if member.step != step:
                member.leave()
        if any(member.is_evaluation_due for member in self.going):
            self._begin_evaluation()

    # ---- what it is -------------------------------------------------------------------------------------------------

    @property
    def going(self) -> list[SweepMember]:
        """The members that have not diverged."""
        return [member for member in self.members if not member.is_diverged]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about how the sweep came to be, and how its updates are done."""
        return (*self._notes, *self._updates.notes)

    @property
    def betas(self) -> tuple[float, ...]:
        """The beta of each member, before its warm-up."""
        return tuple(member.beta for member in self.members)

    @property
    def is_diverged(self) -> bool:
        """Whether no member goes on."""
        return not self.going

    @property
    def n_parameters(self) -> int:
        """Parameters of all models together."""
        return sum(member.n_parameters for member in self.members)

    @property
    def device(self) -> str:
        """The device's name."""
        return str(self._device)

    @property
    def is_evaluating(self) -> bool:
        """Whether a held-out evaluation is due or under way."""
        return self._evaluation is not None

    # ---- training ---------------------------------------------------------------------------------------------------

    def advance(self, until_step: int | None = None) -> Advance:
        """Do one unit of work, as `TrainingSession.advance`, for all models; DIVERGED where none goes on."""
        started = time.perf_counter()
        done = self._work(self.step + 1 if until_step is None else until_step)
        spent_s = time.perf_counter() - started
        for member in self.going:
            member.time_s += spent_s
        return done

    def _work(self, until_step: int) -> Advance:
        if self.is_diverged:
            return Advance.DIVERGED
        if self._evaluation is not None:
            if self._evaluation.advance_all():
                self._finish_evaluation(self._evaluation)
            return Advance.EVALUATION
        going = self.going
        most = min(until_step - self.step, self._updates.at_once)
        n = updates_until_due(self.step, most, lambda step: any(self._due_at(step)))
        self.step += self._updates.work(self.step, n)
        for member in going:
            member.step = self.step
        is_record, is_evaluation, is_latch_due = self._due_at(self.step)
        if is_record or is_evaluation or is_latch_due:
            self.settle()
        if is_record:
            figures = self._updates.sums.read()
            for place, member in enumerate(self.members):
                if not member.is_diverged:
                    member.log_training(figures[place])
        if is_evaluation and not self.is_diverged:
            self._begin_evaluation()
        return Advance.DIVERGED if self.is_diverged else Advance.STEP

    def _due_at(self, step: int) -> tuple[bool, bool, bool]:
        """Whether a record, an evaluation and a look at the latches are due after `step` updates."""
        train = self._config.train
        is_evaluation = len(self._held_out) > 0 and is_evaluation_due(step, train, self._n_train)
        return is_record_due(step, train), is_evaluation, step % LATCH_EVERY == 0

    def _begin_evaluation(self) -> None:
        self._evaluation = SweepEvaluation(
            self._config, self._updates, self._pixels, self._held_out, members=self.members, step=self.step
        )
        for member in self.going:
            member.is_evaluation_due = True

    def _finish_evaluation(self, evaluation: SweepEvaluation) -> None:
        self._evaluation = None
        for place, member in enumerate(self.members):
            if member.is_evaluation_due:
                member.take_evaluation(evaluation.figures_of(place))

    def settle(self) -> None:
        """Ask the device which models refused an update; each of those goes back to the step of its weights."""
        latched = self._updates.adam.latches.tolist()  # of all at once: each would be waited for by itself
        for member, is_latched in zip(self.members, latched, strict=True):
            if is_latched:
                member.settle()

    # ---- steering ---------------------------------------------------------------------------------------------------

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value of all models before the next update. ConfigError for beta, and as of a session."""
        if name == "beta":
            raise ConfigError("objective.beta is what the models of a sweep differ in; go on with one of them alone.")
        for member in self.going:
            member.set_live(name, value)

    def raise_if_diverged(self) -> None:
        """DivergedError, in one sentence with what to try, when no model goes on."""
        if self.is_diverged:
            rate = self.members[0].learning_rate
            raise DivergedError(
                f"Training of all {len(self.members)} models diverged by step {self.step}: their losses or gradients "
                f"were not finite and were not applied; begin anew with a lower learning rate (now {rate:g})."
            )

    # ---- looking ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def codes_of_all(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the posterior means of images by index (n,), of all models: (M, n, latent_dim)."""
        x = self._pixels.take_seeded(indices, 0)
        return np.stack([model.posterior(x).loc.cpu().numpy() for model in self._stacked.models])


def _trained_on(sweep: SweepFolder, entries: Sequence[CheckpointEntry]) -> Iterator[str]:
    """A sentence on each run that has a newer checkpoint than the one it is gone on from."""
    for run, entry in zip(sweep.runs, entries, strict=True):
        newest = run.checkpoints()[-1].step
        if newest > entry.step:
            yield (
                f"{run.name} was trained on to step {newest} by itself; the sweep goes on from step {entry.step}, "
                "which all have, and drops what came after it."
            )


def _first_model(configs: Sequence[RunConfig], data: ImageData, *, device: torch.device) -> Model:
    """Return the model that all begin as; ConfigError where so many would take too much memory, before it is taken.

    Fully connected models are refused for their memory only.
    """
    n = len(configs)
    # What an update of all holds is what one with so many times the images would hold.
    train = msgspec.structs.replace(configs[0].train, batch_size=n * configs[0].train.batch_size)
    try:
        check_codes_fit(msgspec.structs.replace(configs[0], train=train), data.shape, n_classes=0, device=device)
        return model_for(configs[0], data, bytes_per_parameter=n * _COPIED * TRAINING_BYTES)
    except ConfigError:
        raise ConfigError(
            f"{SWEPT} has {n} values: so many models side by side would take more than half of the free memory; name "
            "fewer, lower train.batch_size, or make the model smaller."
        ) from None
