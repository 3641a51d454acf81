"""A sweep as the engine asks a session: what is trained is all models, what is read is the one that is shown."""

from __future__ import annotations

from typing import Any

from vae_explorer.runs.records import LiveName, LogRecord
from vae_explorer.training.session import Advance
from vae_explorer.training.sweep_member import SweepMember
from vae_explorer.training.sweep_session import SweepSession


class SweepFront:
    """sweep: the models; shown: the place of the one whose figures stand for the sweep, and that is looked at.

    What is not named here (config, epoch, beta, scale, ...) is asked of the shown model.
    """

    def __init__(self, sweep: SweepSession, *, shown: int = 0) -> None:
        self.sweep = sweep
        self.shown = shown
        self.part = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.member, name)

    @property
    def member(self) -> SweepMember:
        """The shown model."""
        return self.sweep.members[self.shown]

    @property
    def step(self) -> int:
        """Updates done by all that have not diverged."""
        return self.sweep.step

    @property
    def n_parameters(self) -> int:
        """Of all models together: by them it is decided how many threads work."""
        return self.sweep.n_parameters

    @property
    def is_evaluating(self) -> bool:
        """Whether a held-out evaluation is due or under way."""
        return self.sweep.is_evaluating

    @property
    def is_scale_at_floor(self) -> bool:
        """Not told of a sweep."""
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about how the sweep came to be, and how its updates are done."""
        return self.sweep.notes

    def advance(self, until_step: int | None = None) -> Advance:
        """Do one unit of work for all models."""
        return self.sweep.advance(until_step)

    def raise_if_diverged(self) -> None:
        """DivergedError where no model goes on."""
        self.sweep.raise_if_diverged()

    def set_part(self, part: None) -> None:
        """All weights are updated, always."""

    def set_live(self, name: LiveName, value: float) -> None:
        """Change a live value of all models."""
        self.sweep.set_live(name, value)

    def take_records_of_all(self) -> list[tuple[int, LogRecord]]:
        """Return the records finished since the last call, each with the place of its model."""
        return [(place, record) for place, member in enumerate(self.sweep.members) for record in member.take_records()]
