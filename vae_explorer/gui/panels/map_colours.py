"""`MapColours`: how the latent map shows its points: colours by class or by a figure, density, and their size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from vae_explorer.engine.messages import CodesSnapshot, GapsEstimated
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.paced_question import is_training
from vae_explorer.gui.widgets.cloud_tools import CloudLook, CloudTools
from vae_explorer.gui.widgets.latent_view import Points, has_bound
from vae_explorer.gui.widgets.legend import ClassLegend
from vae_explorer.gui.widgets.map_tools import MapTools
from vae_explorer.gui.widgets.map_view import MapView
from vae_explorer.gui.widgets.point_values import values_of
from vae_explorer.gui.widgets.scale_layer import ScaleLegend
from vae_explorer.latent.value_scale import LEVELS, scale_of

GAP_IMAGES = 1000
"""Images whose gap is asked for at a time; the next ones follow, so that the map fills evenly."""


class MapColours(QObject):
    """Ties the controls of the points to the map, and asks for the gaps, which no snapshot holds, while training rests.

    changed(): the person has chosen another look. values: figures of the points by which they are coloured, or None.
    """

    changed = Signal()

    def __init__(
        self,
        controller: ModelController,
        map_view: MapView,
        *,
        tools: MapTools,
        cloud_tools: CloudTools,
        legend: ClassLegend,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller, self._map, self._legend = controller, map_view, legend
        self._tools, self._cloud_tools = tools, cloud_tools
        self._codes: CodesSnapshot | None = None
        self._gaps: GapsEstimated | None = None
        self.values: Points | None = None
        self._channel = controller.channel("gaps")
        self._channel.answered.connect(self._on_gaps)
        self._channel.failed.connect(self._on_failed)
        controller.run_opened.connect(self._on_run_opened)
        controller.status_changed.connect(self._ask_gaps)
        cloud_tools.changed.connect(self._on_chosen)
        tools.layers_changed.connect(self._on_chosen)
        self._shown = self.look
        self._show_style()

    @property
    def look(self) -> CloudLook:
        """What the controls say."""
        return CloudLook(self._cloud_tools.colour_by, self._tools.is_on("density"), self._cloud_tools.size_step)

    def set_look(self, look: CloudLook) -> None:
        """Choose a look, as if by hand."""
        self._cloud_tools.set_colour_by(look.colour_by)
        self._cloud_tools.set_size_step(look.size_step)
        self._tools.set_on("density", look.is_density)

    def take_key(self, name: str) -> bool:
        """Do what a key of the map asks for, if it is one of the points'."""
        match name:
            case "colour":
                self._cloud_tools.choose_next()
            case "density":
                self._tools.set_on("density", not self._tools.is_on("density"))
            case "smaller" | "larger":
                self._cloud_tools.set_size_step(self._cloud_tools.size_step + (1 if name == "larger" else -1))
            case _:
                return False
        return True

    def show(self, codes: CodesSnapshot | None, points: Points, labels: NDArray[np.int64] | None) -> None:
        """Show the codes of a snapshot at points (n, 2)."""
        self._codes = codes
        self._map.set_points(points, labels)
        self._colour()
        self._ask_gaps()

    def words_of(self, place: int) -> str:
        """Return a point's figure by which it is coloured, '' where there is none."""
        by = self._shown.colour_by
        if self.values is None or not np.isfinite(self.values[place]):
            return ""
        return f"{self._title(by)} {self.values[place]:.2f}" if by != "density" else ""

    @Slot()
    def _on_chosen(self) -> None:
        look = self.look
        if look == self._shown:
            return
        is_other_colour = look.colour_by != self._shown.colour_by
        self._shown = look
        self._show_style()
        if is_other_colour:
            self._colour()
            self._ask_gaps()
        self.changed.emit()

    def _show_style(self) -> None:
        self._map.set_style("density" if self._shown.is_density else "points", self._shown.size_step)
        self._cloud_tools.set_has_colours(not self._shown.is_density)
        self._legend.set_coloured(self._shown.colour_by == "class" and not self._shown.is_density)

    def _colour(self) -> None:
        by, points = self._shown.colour_by, self._map.cloud.raster.points
        gaps = self._current_gaps
        self.values = None if self._codes is None else values_of(by, self._codes, points, gaps)
        if self.values is None:
            self._map.set_levels(None, None)
            return
        scale = scale_of(self.values, is_log=by == "density")
        is_whole = bool(np.isfinite(self.values).all())
        legend = ScaleLegend(self._legend_title(), scale, "" if is_whole else self._why_unknown())
        unknown = np.full(len(self.values), LEVELS + 1, dtype=np.uint8)
        self._map.set_levels(unknown if scale is None else scale.levels(self.values), legend)

    def _title(self, by: str) -> str:
        return {"kl": self.tr("KL"), "elbo": self.tr("ELBO"), "gap": self.tr("gap")}.get(by, "")

    def _legend_title(self) -> str:
        by = self._shown.colour_by
        if by == "density":
            return self.tr("images a square unit, log scale")
        title = self.tr("{figure}, nats per image").format(figure=self._title(by))
        gaps = self._current_gaps
        if by == "gap" and gaps is not None:
            title += self.tr(" ({n} codes each)").format(n=gaps.samples)
        return title

    # ---- the gaps ---------------------------------------------------------------------------------------------------

    @property
    def _current_gaps(self) -> GapsEstimated | None:
        """What is known of the gaps at the step of the points."""
        gaps = self._gaps
        return gaps if gaps is not None and self._codes is not None and gaps.step == self._codes.step else None

    def _why_unknown(self) -> str:
        if self._shown.colour_by != "gap" or self._codes is None or not has_bound(self._codes):
            return self.tr("not known")
        if is_training(self._controller):
            return self.tr("estimated when training pauses")
        return self.tr("being estimated")

    @Slot()
    def _ask_gaps(self) -> None:
        """Ask for the gaps of some more images, one question at a time, while the weights stand still."""
        codes = self._codes
        is_wanted = self._shown.colour_by == "gap" and codes is not None and has_bound(codes)
        if not is_wanted or codes is None or is_training(self._controller) or self._channel.is_waiting:
            return
        known = self._current_gaps
        left = codes.indices if known is None else np.setdiff1d(codes.indices, known.indices, assume_unique=True)
        if len(left):
            # Spread evenly, so that the map fills everywhere at once.
            some = left[:: max(1, len(left) // GAP_IMAGES)][:GAP_IMAGES]
            self._channel.estimate_gaps(some)

    @Slot(object)
    def _on_gaps(self, answer: GapsEstimated) -> None:
        known = self._gaps
        if known is not None and known.step == answer.step:
            indices, first = np.unique(np.concatenate([known.indices, answer.indices]), return_index=True)
            answer = replace(answer, indices=indices, gap=np.concatenate([known.gap, answer.gap])[first])
        self._gaps = answer
        if self._shown.colour_by == "gap":
            self._colour()
            self._ask_gaps()

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        self._controller.noticed.emit(message, "warning")

    @Slot()
    def _on_run_opened(self) -> None:
        self._gaps = None
