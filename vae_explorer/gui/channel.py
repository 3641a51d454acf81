"""`Channel`: one panel's stream of questions to the engine; the newest question wins."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QObject, Signal

from vae_explorer.engine import messages as m
from vae_explorer.export.recipe import Recipe


class Channel(QObject):
    """One panel's stream of questions: the newest question wins, an answer older than the newest shown is dropped.

    answered(object): what the question's kind is answered by, such as Decoded. failed(str): one sentence; the panel
    keeps what it shows.
    """

    answered = Signal(object)
    failed = Signal(str)

    def __init__(self, name: str, send: Callable[[m.Request], None], parent: QObject) -> None:
        super().__init__(parent)
        self.name = name
        self._send = send
        self._ids = itertools.count(1)
        self._shown = 0
        self._has_answered = False
        self.asked = 0
        """Id of the newest question."""

    @property
    def is_waiting(self) -> bool:
        """Whether a question is still unanswered."""
        return self._shown < self.asked

    def decode(
        self,
        z: ArrayLike,
        *,
        draw_seed: int | None = None,
        label: int | None = None,
        of: m.Which = "run",
        is_8_bit: bool = False,
    ) -> int:
        """Ask for the pictures of codes (n, latent_dim), of class `label` in M2; returns the question's id."""
        codes = np.array(np.atleast_2d(z), dtype=np.float32)
        return self._ask(lambda id_: m.Decode(self.name, id_, codes, draw_seed, label, of, is_8_bit))

    def encode(self, indices: ArrayLike, *, draw_seed: int | None = None, of: m.Which = "run") -> int:
        """Ask for posterior, reconstruction and figures of images by index (n,)."""
        wanted = np.array(np.atleast_1d(indices), dtype=np.int64)
        return self._ask(lambda id_: m.Encode(self.name, id_, wanted, draw_seed, of))

    def inspect(self, index: int, *, is_fine: bool) -> int:
        """Ask for the exact posterior of one image (latent_dim 1 and 2)."""
        return self._ask(lambda id_: m.Inspect(self.name, id_, index, is_fine))

    def climb(self, index: int, *, samples: int = 5000, seed: int = 0) -> int:
        """Ask for the ladder of importance-weighted bounds of one image."""
        return self._ask(lambda id_: m.Climb(self.name, id_, index, samples, seed))

    def improve(self, index: int) -> int:
        """Ask for the best q of one image."""
        return self._ask(lambda id_: m.Improve(self.name, id_, index))

    def read_terms(self, index: int, *, samples: int = 64, seed: int = 0) -> int:
        """Ask for every term of the bound of one image."""
        return self._ask(lambda id_: m.ReadTerms(self.name, id_, index, samples, seed))

    def estimate_gaps(self, indices: ArrayLike, *, samples: int = 64, seed: int = 0) -> int:
        """Ask for the gaps of images by index (n,), from `samples` codes of each."""
        wanted = np.array(np.atleast_1d(indices), dtype=np.int64)
        return self._ask(lambda id_: m.EstimateGaps(self.name, id_, wanted, samples, seed))

    def fit_mixture(self, **question: Any) -> int:
        """Ask for one action of EM; the keywords are the fields of `messages.FitMixture`."""
        return self._ask(lambda id_: m.FitMixture(self.name, id_, **question))

    def render(self, recipe: Recipe) -> int:
        """Ask for a gallery picture."""
        return self._ask(lambda id_: m.Render(self.name, id_, recipe))

    def deliver(self, answer: m.Answer) -> None:
        """Hand over an answer unless a newer one was already shown."""
        if answer.id <= self._shown:
            return
        self._shown = answer.id
        self._has_answered = True
        if isinstance(answer, m.RequestFailed):
            self.failed.emit(answer.message)
        else:
            self.answered.emit(answer)

    def offer(self, answer: m.Answer) -> None:
        """Hand over what a run's folder has to show, unless the engine has answered a question already.

        The engine's answers to questions that are under way are still delivered."""
        if not self._has_answered:
            self.answered.emit(answer)

    def forget(self) -> None:
        """Drop answers still under way (another model is shown now)."""
        self._shown = self.asked
        self._has_answered = False

    def _ask(self, build: Callable[[int], m.Request]) -> int:
        self.asked = next(self._ids)
        self._send(build(self.asked))
        return self.asked
