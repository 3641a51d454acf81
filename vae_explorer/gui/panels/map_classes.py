"""`MapClasses`: what the latent map has of a model that knows classes: the class that is decoded, and marked labels."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, Slot

from vae_explorer.engine.messages import CodesSnapshot
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.widgets.class_chooser import ClassChooser
from vae_explorer.gui.widgets.latent_view import Points
from vae_explorer.gui.widgets.map_tools import MapTools
from vae_explorer.gui.widgets.map_view import MapView


class MapClasses(QObject):
    """Ties the class chooser and the rings around labelled images to the controller."""

    def __init__(
        self,
        controller: ModelController,
        map_view: MapView,
        tools: MapTools,
        chooser: ClassChooser,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller, self._map, self._tools, self._chooser = controller, map_view, tools, chooser
        controller.run_opened.connect(self._on_run_opened)
        controller.data_changed.connect(self._on_run_opened)
        controller.label_changed.connect(chooser.set_label)
        chooser.chosen.connect(controller.set_label)
        tools.layers_changed.connect(self._on_layers_changed)
        self._on_run_opened()

    @Slot()
    def _on_run_opened(self) -> None:
        controller = self._controller
        self._chooser.set_classes(controller.class_names if controller.decodes_classes else ())
        self._chooser.set_label(controller.label)
        self.mark(None, np.zeros((0, 2), dtype=np.float32))
        self._on_layers_changed()

    def mark(self, codes: CodesSnapshot | None, points: Points) -> None:
        """Ring those of the points (n, 2) of `codes` whose image has a label that is used."""
        labelled = None if self._controller.opened is None else self._controller.opened.labelled
        if codes is None or labelled is None:
            self._map.labelled.set_points(points[:0])
        else:
            self._map.labelled.set_points(points[np.isin(codes.indices, labelled)])

    @Slot()
    def _on_layers_changed(self) -> None:
        self._map.labelled.setVisible(self._tools.is_on("points"))
