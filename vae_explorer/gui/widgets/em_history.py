"""`EmHistory`: the steps of EM so far, so that one can go back, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

from vae_explorer.engine.messages import MixtureFitted
from vae_explorer.gui.widgets.ascent_plot import Climb
from vae_explorer.latent.em import Action

MOST_NUMBERS = 16_000_000
"""Responsibilities that are kept, 64 MB of them: older steps can be seen in the curve but not gone back to."""


LEAST_RISE = 1e-7
"""Nats a point: less is rounding."""


@dataclass(frozen=True, eq=False)
class EmStep:
    """What one action brought."""

    action: Action
    result: MixtureFitted


class EmHistory:
    """Steps, oldest first; the newest is what is shown."""

    def __init__(self) -> None:
        self._steps: list[EmStep] = []
        self._climbs: list[Climb] = []

    @property
    def newest(self) -> EmStep | None:
        """The step that is shown, None before the start."""
        return self._steps[-1] if self._steps else None

    @property
    def climbs(self) -> tuple[Climb, ...]:
        """Bound and log-likelihood after each step."""
        return tuple(self._climbs)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a step before the newest."""
        return len(self._steps) > 1

    @property
    def next_action(self) -> Action:
        """The step that EM does next: E and M in turns, E after a start."""
        if self.newest is None:
            return "start"
        return "e" if self.newest.action in ("start", "m") else "m"

    @property
    def has_risen(self) -> bool:
        """Whether the newest step lifted the bound: M does it once after each E."""
        return len(self._climbs) > 1 and self._climbs[-1].bound > self._climbs[-2].bound + LEAST_RISE

    @property
    def last_gain(self) -> float:
        """What the last two steps have won, nats a point; infinite before there are two."""
        if len(self._climbs) < 3 or self._climbs[-3].log_likelihood is None:
            return float("inf")
        return (self._climbs[-1].log_likelihood or 0.0) - self._climbs[-3].log_likelihood

    def add(self, action: Action, result: MixtureFitted) -> None:
        """Take the answer to an action; a start begins anew."""
        if action == "start":
            self.clear()
        self._steps.append(EmStep(action, result))
        x = self._climbs[-1].x + 1.0 if self._climbs else 0.0
        self._climbs.append(Climb(x, result.bound, result.log_likelihood))
        while len(self._steps) > 2 and len(self._steps) * result.responsibilities.size > MOST_NUMBERS:
            self._steps.pop(0)

    def go_back(self) -> None:
        """Forget the newest step."""
        if self.can_go_back:
            self._steps.pop()
            self._climbs.pop()

    def clear(self) -> None:
        """Forget all steps."""
        self._steps, self._climbs = [], []
