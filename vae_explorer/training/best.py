"""The best held-out evaluation of a run, with the state that gave it until somebody writes that to disk."""

from __future__ import annotations

from typing import Any

from vae_explorer.training.state import AnyArray

State = tuple[dict[str, AnyArray], dict[str, Any]]


class BestKeeper:
    """Keeps the state of the best evaluation in memory: disks are too slow to be waited for at each improvement.

    value: elbo (minus the distortion for an autoencoder), nats per image, higher is better; step: of its weights.
    """

    def __init__(self, *, value: float | None = None, step: int | None = None) -> None:
        self.value = value
        self.step = step
        self._state: State | None = None

    def improves(self, value: float, *, step: int) -> bool:
        """Whether `value` is better than all before; if so it is the best from now on."""
        if self.value is not None and value <= self.value:
            return False
        self.value, self.step = value, step
        return True

    def keep(self, state: State) -> None:
        """Hold the state of the best until it is taken."""
        self._state = state

    def take(self) -> State | None:
        """Return the state once."""
        state, self._state = self._state, None
        return state
