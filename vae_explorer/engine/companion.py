"""The companion: an autoencoder of the run's own settings and data, trained in step with it, to be seen beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from vae_explorer.config import RunConfig
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import Decode, Encode, Notice
from vae_explorer.engine.outbox import Outbox
from vae_explorer.engine.pacing import SLICE_S, Clock
from vae_explorer.engine.views import LiveViews
from vae_explorer.errors import UsageError
from vae_explorer.model.fence import SliceFence
from vae_explorer.settings import ObjectiveConfig
from vae_explorer.training.session import Advance, TrainingSession

CATCH_UP_S = 3 * SLICE_S
"""How long it trains in one turn while it is behind: a run that goes on at 4 ms a turn is caught up with."""

NEVER = 10**9
"""Steps between held-out evaluations, which nobody reads."""


def companion_config(config: RunConfig) -> RunConfig:
    """Return the settings of the autoencoder beside a run: the same but for the prior and what hangs on it.

    Raises UsageError for a run that is an autoencoder itself.
    """
    if config.model.kind == "autoencoder":
        raise UsageError(
            "This run is an autoencoder itself; open a VAE, or train one on the same data (model.kind=vae), to have "
            "the two side by side."
        )
    return msgspec.structs.replace(
        config,
        model=msgspec.structs.replace(config.model, kind="autoencoder", prior="standard_normal"),
        objective=ObjectiveConfig(weight_prior=config.objective.weight_prior),
        train=msgspec.structs.replace(config.train, evaluate_every=NEVER),
    )


class Companion:
    """One autoencoder in memory with a session, generators and live views of its own. All in the engine thread.

    It stands still where it has diverged, until its learning rate is changed.
    """

    def __init__(self, session: TrainingSession, data: ImageData, outbox: Outbox, *, clock: Clock) -> None:
        self._session, self._outbox, self._clock = session, outbox, clock
        self._fence = SliceFence.on(session.device)
        self._has_diverged = False
        self.views = LiveViews(
            session, data, outbox, showcase=None, is_watched=True, clock=clock, of="companion"
        )  # fmt: skip

    @property
    def step(self) -> int:
        """Updates done."""
        return self._session.step

    @property
    def model(self) -> Any:
        """What answers small questions: the weights of now."""
        return self._session

    def is_behind(self, step: int) -> bool:
        """Whether it is to train, as the run has come to `step`."""
        return self._session.step < step and not self._has_diverged

    def has_work(self, step: int) -> bool:
        """Whether `work` would do something while the run rests at `step`."""
        return self.is_behind(step) or self.views.has_work(is_running=False)

    def ask(self, request: Decode | Encode) -> None:
        """Queue a long question."""
        self.views.ask(request)

    def set_learning_rate(self, value: float) -> None:
        """Take over the run's learning rate; where it had diverged, it tries again."""
        if value != self._session.learning_rate:
            self._session.set_live("learning_rate", value)
            self._has_diverged = False

    def work(self, step: int, *, is_running: bool) -> None:
        """Train until the run's `step`, for about CATCH_UP_S at most, then show codes. is_running: whether the run is,
        so that live views keep to their share."""
        if self.is_behind(step):
            before_s = self._clock()
            self._train(step, until_s=before_s + CATCH_UP_S)
            self.views.earn(self._clock() - before_s)
        self.views.work(is_running=is_running or self.is_behind(step))

    def _train(self, step: int, *, until_s: float) -> None:
        while self.is_behind(step):
            if self._session.advance(step) is Advance.DIVERGED:
                self._has_diverged = True
                self._outbox.put(Notice(_diverged(self._session)))
            if self._clock() >= until_s:
                break
        self._session.take_records()  # nobody reads them, and they would pile up
        self._fence.pass_slice()


def _diverged(session: TrainingSession) -> str:
    return (
        f"The autoencoder beside the run diverged at step {session.step + 1} and stands still; lower the learning rate "
        f"(now {session.learning_rate:g}) and it goes on."
    )
