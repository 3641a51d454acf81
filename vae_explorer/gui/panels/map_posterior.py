"""`MapPosterior`: what the latent map shows of the selected image's true posterior, and of a q that is improved."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from vae_explorer.engine.messages import Inspected
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.posterior_feed import PosteriorFeed, has_exact_posterior
from vae_explorer.gui.panels.q_walk import QWalk
from vae_explorer.gui.widgets.latent_view import Points
from vae_explorer.gui.widgets.map_tools import MapTools
from vae_explorer.gui.widgets.map_view import MapView


class MapPosterior(QObject):
    """Ties the toggles and keys to the layer. The heat map comes with the microscope and goes with it, unless the
    person had switched it on before, or off since.

    shown_changed(): another posterior is drawn, or none. q_changed(): `other_q` has changed.
    """

    shown_changed = Signal()
    q_changed = Signal()

    def __init__(
        self, controller: ModelController, map_view: MapView, tools: MapTools, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._controller, self._map, self._tools = controller, map_view, tools
        self._feed, self._walk = PosteriorFeed.of(controller), QWalk.of(controller)
        self._is_lent = False
        controller.run_opened.connect(self._on_run_opened)
        self._feed.shown.connect(self._on_shown)
        self._feed.opened_changed.connect(self._on_microscope)
        self._walk.moved.connect(self._on_walked)
        tools.layers_changed.connect(self._on_layers_changed)
        self._on_run_opened()

    @property
    def shown_step(self) -> int | None:
        """Step of the weights behind the posterior that is drawn, None where none is."""
        known = self._feed.latest
        return known.step if known is not None and (self._map.posterior.is_on or self._map.energy.is_on) else None

    @property
    def other_q(self) -> tuple[Points | None, Points | None]:
        """loc and scale of the q that is shown in place of the encoder's, or None."""
        now = self._walk.now
        return (None, None) if now is None else (now.loc, now.scale)

    def take_key(self, name: str) -> bool:
        """Do what a key of the map asks for, if it is one of the posterior's."""
        has_posterior = has_exact_posterior(self._controller.config)
        match name:
            case "improve":
                self._walk.press()
            case "posterior" | "energy" if has_posterior:
                self._tools.set_on(name, not self._tools.is_on(name))
            case _:
                return name in ("posterior", "energy")
        return True

    @Slot()
    def _on_run_opened(self) -> None:
        self._tools.set_has_posterior(has_exact_posterior(self._controller.config))
        self._on_shown(self._feed.latest)

    @Slot(object)
    def _on_shown(self, answer: Inspected | None) -> None:
        for layer in (self._map.posterior, self._map.energy):
            layer.set_posterior(answer)
        self._on_walked()
        self.shown_changed.emit()

    @Slot()
    def _on_walked(self) -> None:
        self._map.posterior.set_q(*self.other_q)
        self.q_changed.emit()

    @Slot(bool)
    def _on_microscope(self, is_open: bool) -> None:
        if is_open and not self._tools.is_on("posterior"):
            self._tools.set_on("posterior", True)
            self._is_lent = True
        elif not is_open and self._is_lent:
            self._tools.set_on("posterior", False)

    @Slot()
    def _on_layers_changed(self) -> None:
        density, energy = self._map.posterior, self._map.energy
        density.is_on, energy.is_on = self._tools.is_on("posterior"), self._tools.is_on("energy")
        self._is_lent = self._is_lent and density.is_on
        for layer in (density, energy):
            layer.refresh()
        self._feed.set_layer(density.is_on or energy.is_on)
        self.shown_changed.emit()
