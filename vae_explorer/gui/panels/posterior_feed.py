"""`PosteriorFeed`: the selected image's exact posterior, coarse first and fine once the weights stand still."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from vae_explorer.config import RunConfig
from vae_explorer.engine.messages import Inspected
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.paced_question import PacedQuestion, is_training, step_of

COARSE_MS = 200
"""Shortest time between two coarse looks while it trains."""


class PosteriorFeed(QObject):
    """Asks for everybody who shows the posterior, so that nothing is asked twice; `of` a controller there is one.

    shown(object): the newest messages.Inspected of the selected image, None when there is none any more. failed(str).
    opened_changed(bool): the microscope was opened or closed. looked(): a first look has just been asked for; a
    question that follows at once is answered by the same weights. latest: what was shown last.
    """

    shown = Signal(object)
    looked = Signal()
    failed = Signal(str)
    opened_changed = Signal(bool)

    def __init__(self, controller: ModelController) -> None:
        super().__init__(controller)
        self._controller = controller
        self._has_layer = self._has_reader = self.is_open = False
        self._asked_fine: tuple[int, int] | None = None
        self.latest: Inspected | None = None
        channel = controller.channel("bound coarse")
        self._coarse = PacedQuestion(
            controller, channel.name, lambda index, _: self._look(index), pause_ms=COARSE_MS, parent=self
        )
        self._looks = channel
        self._fine = controller.channel("bound fine")
        self._coarse.shown.connect(self._on_answered)
        self._coarse.failed.connect(self.failed)
        self._fine.answered.connect(self._on_answered)
        self._fine.failed.connect(self.failed)
        controller.run_opened.connect(self._on_run_opened)
        controller.status_changed.connect(self._ask_fine)

    @classmethod
    def of(cls, controller: ModelController) -> PosteriorFeed:
        """Return the feed of a controller, made on first use, as its channels are."""
        return controller.findChild(cls) or cls(controller)

    @property
    def current(self) -> Inspected | None:
        """The newest answer where it is of the newest weights, or is kept up with them; else None."""
        is_of_them = self.latest is not None and self.latest.step == step_of(self._controller)
        return self.latest if is_of_them or self._coarse.is_on else None

    def set_open(self, is_open: bool) -> None:
        """Say whether the microscope can be seen."""
        if is_open != self.is_open:
            self.is_open = is_open
            self._refresh()
            self.opened_changed.emit(is_open)

    def set_layer(self, has_layer: bool) -> None:
        """Say whether the map shows the posterior or the energy."""
        self._has_layer = has_layer
        self._refresh()

    def set_read(self, has_reader: bool) -> None:
        """Say whether the formula page shows its figures."""
        if has_reader != self._has_reader:
            self._has_reader = has_reader
            self._refresh()

    def _look(self, index: int) -> None:
        self._looks.inspect(index, is_fine=False)
        self.looked.emit()

    def _refresh(self) -> None:
        is_seen = self.is_open or self._has_layer or self._has_reader
        self._coarse.set_on(is_seen and has_exact_posterior(self._controller.config))
        self._ask_fine()

    @Slot()
    def _on_run_opened(self) -> None:
        self._asked_fine = None
        self._refresh()

    @Slot(object)
    def _on_answered(self, answer: Inspected | None) -> None:
        if answer is not None:
            if answer.index != self._controller.selection.image:
                return
            known = self.latest
            if known is not None and (known.step, known.is_fine) > (answer.step, answer.is_fine):
                return
        self.latest = answer
        self.shown.emit(answer)
        self._ask_fine()

    @Slot()
    def _ask_fine(self) -> None:
        """Ask for the figures to be trusted, where a first look at the same weights is there and they stand still."""
        known, controller = self.latest, self._controller
        if not self._coarse.is_on or known is None or known.is_fine or is_training(controller):
            return
        wanted = (known.index, known.step)
        if known.step == step_of(controller) and wanted != self._asked_fine:
            self._asked_fine = wanted
            self._fine.inspect(known.index, is_fine=True)


def has_exact_posterior(config: RunConfig | None) -> bool:
    """Whether p(z|x) and log p(x) can be worked out by quadrature: a VAE of one or two latent dimensions."""
    return config is not None and config.model.kind == "vae" and config.model.latent_dim <= 2
