"""Where the panels lie: the latent map in the middle, everything else serves it in docks around."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.curves import CurvesPanel
from vae_explorer.gui.panels.here import HerePanel
from vae_explorer.gui.panels.interpolation import InterpolationPanel
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.panels.run import RunPanel

Area = Qt.DockWidgetArea

SIDE_SHARE = {"run": 0.22, "here": 0.21}
"""Widths of the side docks, of the window's."""
FOOT_SHARE = 0.31
"""Height of the docks at the foot, of the window's."""
CURVES_SHARE = 0.45
FOOT_TABS = ("interpolation", "sliders", "gallery", "bound", "collapse", "em", "beside", "sweep", "formula")
"""The docks that share one place at the foot, in the order of their tabs."""
LATE = {
    "sliders": ("sliders", "SlidersPanel"), "gallery": ("gallery", "GalleryPanel"), "bound": ("bound", "BoundPanel"),
    "collapse": ("collapse", "CollapsePanel"), "em": ("em_theatre", "EmTheatrePanel"),
    "beside": ("beside", "BesidePanel"), "formula": ("formula", "FormulaPanel"), "sweep": ("sweep", "SweepPanel"),
}  # fmt: skip
"""Docks whose panels, under tabs that are not raised, are built after the first picture of the window: modules and
classes. To import and build them takes as long as everything that is seen at first."""
PAUSE_MS = 50
"""Before each late panel. Qt paints some milliseconds after it was asked to: a press would wait for the next panel."""


class Panels:
    """Every panel of the window by the name of its dock, and `map`; one of LATE is built when it is first asked for.

    run, map, here, curves, interpolation: there from the beginning.
    """

    def __init__(self, docks: Docks, controller: ModelController) -> None:
        self._docks = docks
        # Here comes first: what is connected first is called first, so the picture under the hand is asked for before
        # any other panel follows the selection.
        self.here = HerePanel(controller)
        self.run = RunPanel(controller)
        self.map = LatentMapPanel(controller)
        self.curves = CurvesPanel(controller)
        self.interpolation = InterpolationPanel(controller)

    def __getattr__(self, name: str) -> Any:
        if name not in LATE:
            raise AttributeError(f"there is no panel {name}")
        dock = self._docks.by_name[name]
        if dock.widget() is None:
            self._docks.build_rest()
        return dock.widget()


class Docks(QObject):
    """Makes the panels and puts all but the map, which is the window's centre, into docks.

    by_name: run, here, curves, and those of FOOT_TABS. built(str): the panel of a late dock is there.
    """

    built = Signal(str)

    def __init__(self, controller: ModelController, window: QMainWindow) -> None:
        super().__init__(window)
        self._controller, self._window = controller, window
        window.setDockNestingEnabled(True)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            window.setCorner(corner, Area.BottomDockWidgetArea)
        self.panels = Panels(self, controller)
        self._waiting = list(LATE)
        self._seen: str | None = None
        self.by_name = {
            "run": self._dock("run", self.tr("Run")),
            "here": self._dock("here", self.tr("Here")),
            "curves": self._dock("curves", self.tr("Curves")),
            "interpolation": self._dock("interpolation", self.tr("Interpolation")),
            "sliders": self._dock("sliders", self.tr("Sliders")),
            "gallery": self._dock("gallery", self.tr("Gallery")),
            "bound": self._dock("bound", self.tr("Bound")),
            "collapse": self._dock("collapse", self.tr("Collapse")),
            "em": self._dock("em", self.tr("EM")),
            "beside": self._dock("beside", self.tr("Beside")),
            "sweep": self._dock("sweep", self.tr("Sweep")),
            "formula": self._dock("formula", self.tr("Formula")),
        }
        for name in ("run", "here", "curves", "interpolation"):
            self._fill(name, getattr(self.panels, name))

    def _dock(self, name: str, title: str) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(f"dock_{name}")
        dock.setAllowedAreas(Area.AllDockWidgetAreas)
        if name in LATE:
            dock.visibilityChanged.connect(lambda is_seen: self._on_late_dock_seen(name, is_seen=is_seen))
        return dock

    def _fill(self, name: str, panel: QWidget) -> None:
        dock = self.by_name[name]
        # Qt only moves a tab that is not raised out of sight; hidden, its panel knows that nobody looks, and is still.
        policy = panel.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        panel.setSizePolicy(policy)
        # Its ground covers what is behind it: else the dock was painted with every picture in it, half a millisecond.
        panel.setAutoFillBackground(True)
        dock.setWidget(panel)
        dock.visibilityChanged.connect(partial(self._show_panel, panel))
        if name in LATE:
            panel.setVisible(name == self._seen)

    def _show_panel(self, panel: QWidget, is_seen: bool, /) -> None:
        focused = QApplication.focusWidget()
        if not is_seen and focused is not None and panel.isAncestorOf(focused):
            # Hidden, it would hand the focus on to the field of beta: the next key would steer the training.
            self.panels.map.map.setFocus()
        panel.setVisible(is_seen)

    # ---- late panels ------------------------------------------------------------------------------------------------

    def build_soon(self) -> None:
        """Build the late panels one after the other, each after a pause in which the window shows what has come."""
        if self._waiting:
            QTimer.singleShot(PAUSE_MS, self, self._build_on)

    def _build_on(self) -> None:
        if self._waiting:
            self._build_next()
            self.build_soon()

    def build_rest(self) -> None:
        """Build the late panels that are not there yet, now."""
        while self._waiting:
            self._build_next()

    def _build_next(self) -> None:
        name = self._waiting.pop(0)
        module, kind = LATE[name]
        self._fill(name, getattr(import_module(f"vae_explorer.gui.panels.{module}"), kind)(self._controller))
        self.built.emit(name)
        if not self._waiting:
            self._controller.retell()

    def _on_late_dock_seen(self, name: str, *, is_seen: bool) -> None:
        if is_seen:
            self._seen = name
            self.build_rest()
        elif name == self._seen:
            self._seen = None

    def arrange(self) -> None:
        """Put every dock to its first place and size."""
        window, docks = self._window, self.by_name
        places = {"run": Area.LeftDockWidgetArea, "here": Area.RightDockWidgetArea, "curves": Area.BottomDockWidgetArea}
        for name, area in (places | dict.fromkeys(FOOT_TABS, Area.BottomDockWidgetArea)).items():
            docks[name].setFloating(False)
            window.addDockWidget(area, docks[name])
            docks[name].show()
        window.splitDockWidget(docks["curves"], docks["interpolation"], Qt.Orientation.Horizontal)
        for left, right in pairwise(FOOT_TABS):
            window.tabifyDockWidget(docks[left], docks[right])
        docks["interpolation"].raise_()
        self.share_out()

    def share_out(self) -> None:
        """Give each dock its share of the window's size as it is now."""
        width, height = self._window.width(), self._window.height()
        docks, across, down = self.by_name, Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        sides = [docks["run"], docks["here"]]
        self._window.resizeDocks(sides, [round(width * share) for share in SIDE_SHARE.values()], across)
        self._window.resizeDocks([docks["curves"]], [round(height * FOOT_SHARE)], down)
        foot = [docks["curves"], docks["interpolation"]]
        self._window.resizeDocks(foot, [round(width * CURVES_SHARE), round(width * (1 - CURVES_SHARE))], across)
