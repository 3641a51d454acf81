"""Cures of a collapsed posterior: which can be applied to the open run, with what value, and what was before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from PySide6.QtCore import QCoreApplication

from vae_explorer.config import RunConfig
from vae_explorer.engine.messages import EngineState, RunOpened, RunStatus
from vae_explorer.runs.records import LogRecord, MarkRecord

Cure = Literal["warmup", "free_bits", "beta"]
CURES: tuple[Cure, ...] = ("warmup", "free_bits", "beta")
AS_CONFIGURED = 0.0
"""The warm-up that is none by hand: beta follows the configured schedule."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("cures", text)


def obstacle(cure: Cure, opened: RunOpened | None, status: RunStatus | None) -> str:
    """Return why a cure cannot be applied to the open run now, one sentence, '' where it can."""
    if opened is None or status is None or status.state in (EngineState.EMPTY, EngineState.FAILED):
        return _tr("Open a run first.")
    if status.elsewhere is not None:
        return _tr("This run is trained by another program; wait until that one has ended.")
    if opened.is_read_only:
        return _tr("This run is read-only; press Train new run, then cure that one.")
    model, objective = opened.config.model, opened.config.objective
    if model.kind == "autoencoder":
        return _tr("An autoencoder has no KL, so nothing of it can collapse.")
    if objective.similarity == "mmd":
        return _tr("This run has no KL in its loss, MMD is in its place.")
    if cure != "free_bits":
        return ""
    if model.kind != "vae":
        return _tr("M2 is trained on its own bound, without free bits.")
    if model.prior != "standard_normal":
        return _tr("A learnt prior gives no KL of each dimension, which free bits need.")
    if objective.bound == "iwae":
        return _tr("The importance-weighted bound has no KL of each dimension; free bits need the ELBO.")
    if objective.similarity != "kl":
        return _tr("Free bits need the KL itself in the loss, not another similarity.")
    return ""


class LiveBook:
    """The live values of the open run as its configuration and its marks tell them, and what each cure replaced."""

    def __init__(self) -> None:
        self._values: dict[Cure, float] = {}
        self._before: dict[Cure, list[float]] = {cure: [] for cure in CURES}

    def open(self, config: RunConfig, records: Iterable[LogRecord]) -> None:
        """Begin with another run and its log."""
        self._values = {"beta": config.objective.beta, "free_bits": config.objective.free_bits}
        self._values["warmup"] = AS_CONFIGURED
        self._before = {cure: [] for cure in CURES}
        self.add(records)

    def add(self, records: Iterable[LogRecord]) -> None:
        """Take over what marks say."""
        for record in records:
            if isinstance(record, MarkRecord):
                for cure in CURES:
                    if record.name == cure:
                        self._values[cure] = record.value

    def value(self, cure: Cure) -> float:
        """Return what is in force."""
        return self._values.get(cure, 0.0)

    def apply(self, cure: Cure, value: float) -> None:
        """Note a cure that was applied by hand here."""
        self._before[cure].append(self.value(cure))
        self._values[cure] = value

    def can_undo(self, cure: Cure) -> bool:
        """Whether the cure was applied here and not undone since."""
        return bool(self._before[cure])

    def undo(self, cure: Cure) -> float:
        """Return the value that the newest application of the cure replaced, in force again."""
        self._values[cure] = self._before[cure].pop()
        return self._values[cure]
