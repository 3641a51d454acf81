"""Where the panels lie: the latent map in the middle, everything else serves it in docks around."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.beside import BesidePanel
from vae_explorer.gui.panels.bound import BoundPanel
from vae_explorer.gui.panels.collapse import CollapsePanel
from vae_explorer.gui.panels.curves import CurvesPanel
from vae_explorer.gui.panels.em_theatre import EmTheatrePanel
from vae_explorer.gui.panels.formula import FormulaPanel
from vae_explorer.gui.panels.gallery import GalleryPanel
from vae_explorer.gui.panels.here import HerePanel
from vae_explorer.gui.panels.interpolation import InterpolationPanel
from vae_explorer.gui.panels.latent_map import LatentMapPanel
from vae_explorer.gui.panels.run import RunPanel
from vae_explorer.gui.panels.sliders import SlidersPanel

Area = Qt.DockWidgetArea

SIDE_SHARE = {"run": 0.22, "here": 0.21}
"""Widths of the side docks, of the window's."""
FOOT_SHARE = 0.31
"""Height of the docks at the foot, of the window's."""
CURVES_SHARE = 0.45
FOOT_TABS = ("interpolation", "sliders", "gallery", "bound", "collapse", "em", "beside", "formula")
"""The docks that share one place at the foot, in the order of their tabs."""


@dataclass(frozen=True)
class Panels:
    """Every panel of the window."""

    run: RunPanel
    map: LatentMapPanel
    here: HerePanel
    curves: CurvesPanel
    interpolation: InterpolationPanel
    sliders: SlidersPanel
    gallery: GalleryPanel
    bound: BoundPanel
    collapse: CollapsePanel
    em: EmTheatrePanel
    formula: FormulaPanel
    beside: BesidePanel


class Docks(QObject):
    """Makes the panels and puts all but the map, which is the window's centre, into docks.

    by_name: run, here, curves, and those of FOOT_TABS."""

    def __init__(self, controller: ModelController, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        window.setDockNestingEnabled(True)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            window.setCorner(corner, Area.BottomDockWidgetArea)
        # Here comes first: what is connected first is called first, so the picture under the hand is asked for before
        # any other panel follows the selection.
        self.panels = Panels(
            here=HerePanel(controller), run=RunPanel(controller), map=LatentMapPanel(controller),
            curves=CurvesPanel(controller), interpolation=InterpolationPanel(controller),
            sliders=SlidersPanel(controller), gallery=GalleryPanel(controller),
            bound=BoundPanel(controller), collapse=CollapsePanel(controller),
            em=EmTheatrePanel(controller), formula=FormulaPanel(controller),
            beside=BesidePanel(controller),
        )  # fmt: skip
        self.by_name = {
            "run": self._dock("run", self.tr("Run"), self.panels.run),
            "here": self._dock("here", self.tr("Here"), self.panels.here),
            "curves": self._dock("curves", self.tr("Curves"), self.panels.curves),
            "interpolation": self._dock("interpolation", self.tr("Interpolation"), self.panels.interpolation),
            "sliders": self._dock("sliders", self.tr("Sliders"), self.panels.sliders),
            "gallery": self._dock("gallery", self.tr("Gallery"), self.panels.gallery),
            "bound": self._dock("bound", self.tr("Bound"), self.panels.bound),
            "collapse": self._dock("collapse", self.tr("Collapse"), self.panels.collapse),
            "em": self._dock("em", self.tr("EM"), self.panels.em),
            "beside": self._dock("beside", self.tr("Beside"), self.panels.beside),
            "formula": self._dock("formula", self.tr("Formula"), self.panels.formula),
        }

    def _dock(self, name: str, title: str, panel: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(f"dock_{name}")
        dock.setWidget(panel)
        dock.setAllowedAreas(Area.AllDockWidgetAreas)
        # Qt only moves a tab that is not raised out of sight; hidden, its panel knows that nobody looks, and is still.
        policy = panel.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        panel.setSizePolicy(policy)
        dock.visibilityChanged.connect(panel.setVisible)
        return dock

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
