"""`Sweeps`: what the window knows of a sweep of beta: the list in the form, the one that is open, its models."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from PySide6.QtCore import QObject, Signal

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.engine.messages import SweepOpened, SweepRecordsAdded, SweepShown, SweepSnapshot
from vae_explorer.runs.records import LogRecord
from vae_explorer.sweep_config import SWEPT

SweepEvent = SweepOpened | SweepShown | SweepRecordsAdded | SweepSnapshot


class Sweeps(QObject):
    """Part of the controller, which hands it the engine's events and asks it what Train would do.

    betas: the list that the form holds, None for one beta. opened: the open sweep, None where a plain run is open.
    records: of each of its models, in order. codes: the newest small multiples. shown: the model that is the open run.

    Signals, emitted on real change only:
      betas_changed(object)   opened_changed(object: SweepOpened | None)   shown_changed(object: SweepShown)
      records_added(object: tuple of (place, record))   codes_changed(object: SweepSnapshot)
    """

    betas_changed = Signal(object)
    opened_changed = Signal(object)
    shown_changed = Signal(object)
    records_added = Signal(object)
    codes_changed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.betas: tuple[float, ...] | None = None
        self.opened: SweepOpened | None = None
        self.shown: SweepShown | None = None
        self.codes: SweepSnapshot | None = None
        self.records: list[list[LogRecord]] = []
        self._asked: tuple[RunConfig, ...] | None = None

    # ---- the form ---------------------------------------------------------------------------------------------------

    def set_betas(self, betas: tuple[float, ...] | None) -> None:
        """Change the list that the form holds; None: one beta."""
        if betas != self.betas:
            self.betas = betas
            self.betas_changed.emit(betas)

    def is_draft_new(self, draft: RunConfig) -> bool | None:
        """Whether Train would begin something new, where a sweep is open or asked for; None where neither is."""
        if self.betas is None:
            return None if self.opened is None else True
        wanted = tuple(draft.with_values({SWEPT: beta}) for beta in self.betas)
        return wanted not in (self._asked, None if self.opened is None else self.opened.configs)

    def expect(self, configs: tuple[RunConfig, ...] | None) -> None:
        """Know what the engine was asked to build; None: no sweep, or it could not be built."""
        self._asked = configs

    # ---- the engine's events ----------------------------------------------------------------------------------------

    def take(self, event: SweepEvent, *, data: DataConfig | None = None) -> None:
        """Take an event. data: where the images of a sweep that has opened were read from."""
        match event:
            case SweepOpened():
                self._open(event, data)
            case SweepShown():
                self.shown = event
                self.shown_changed.emit(event)
            case SweepRecordsAdded():
                for place, record in event.records:
                    self.records[place].append(record)
                self.records_added.emit(event.records)
            case SweepSnapshot():
                self.codes = event
                self.codes_changed.emit(event)

    def _open(self, event: SweepOpened, data: DataConfig | None) -> None:
        if data is not None:
            # The folders still name the place that images have moved away from.
            configs = tuple(msgspec.structs.replace(config, data=data) for config in event.configs)
            event = replace(event, configs=configs)
        self.opened, self.codes, self.shown, self._asked = event, None, None, None
        self.records = [list(records) for records in event.records]
        self.set_betas(tuple(config.objective.beta for config in event.configs))
        self.opened_changed.emit(event)

    def close(self) -> None:
        """A plain run is open."""
        if self.opened is not None:
            self.opened = self.shown = self.codes = None
            self.records = []
            self.opened_changed.emit(None)
            self.set_betas(None)

    def retell(self) -> None:
        """Say again what is known, for a panel that was built after it was said."""
        if self.opened is not None:
            self.opened_changed.emit(self.opened)
        if self.shown is not None:
            self.shown_changed.emit(self.shown)
        if self.codes is not None:
            self.codes_changed.emit(self.codes)
