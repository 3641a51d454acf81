"""Latent map: the codes of the images, and under the hand whatever lives at any place between them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vae_explorer.config_rules import has_normal_prior
from vae_explorer.engine.messages import CodesSnapshot, Decoded, Encoded, RunOpened
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.panels.map_classes import MapClasses
from vae_explorer.gui.panels.map_colours import MapColours
from vae_explorer.gui.panels.map_posterior import MapPosterior
from vae_explorer.gui.panels.plane_feed import PlaneFeed
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.class_chooser import ClassChooser
from vae_explorer.gui.widgets.cloud_tools import CloudTools
from vae_explorer.gui.widgets.code_fields import CodeFields
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.find_bar import FindBar
from vae_explorer.gui.widgets.latent_view import LatentView, has_bound
from vae_explorer.gui.widgets.legend import ClassLegend
from vae_explorer.gui.widgets.map_tools import MapTools
from vae_explorer.gui.widgets.map_view import MapView
from vae_explorer.gui.widgets.picture import image_to_qimage
from vae_explorer.gui.widgets.plane_layer import Plane
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.latent.statistics import place_of

PLANE_DUE_MS = 30
REFIT_RATIO = 1.5
"""While it follows the points, the view is moved only when they leave it or fill it this many times too little."""


class LatentMapPanel(QWidget):
    """The map with its tools. It follows the points until the person pans or zooms, and again after a reset."""

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latent_map_panel")
        self._controller = controller
        self._latent = LatentView(controller.selection.latent_dim)
        self._is_following = True
        self._has_rings = True
        self._plane_step: int | None = None
        # The plane goes through the code that is pressed; what is decoded there is asked for before.
        self._plane_due = QTimer(self, singleShot=True, interval=PLANE_DUE_MS)
        self._plane_due.timeout.connect(self._refresh_plane)
        self._opened: RunOpened | None = None
        self._feed = PlaneFeed(controller, self)
        self._build()
        self._posterior = MapPosterior(controller, self._map, self._tools, self)
        self._classes = MapClasses(controller, self._map, self._tools, self._chooser, self)
        self.colours = MapColours(
            controller, self._map, tools=self._tools, cloud_tools=self._cloud_tools, legend=self._legend, parent=self
        )
        self._connect()
        self._on_run_opened()
        self._on_data_changed()
        self._on_layers_changed()

    @property
    def map(self) -> MapView:
        """The plot itself."""
        return self._map

    @property
    def latent(self) -> LatentView:
        """The plane that is shown."""
        return self._latent

    # ---- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._tools = MapTools()
        self._legend = ClassLegend()
        self._cloud_tools = CloudTools()
        self._chooser = ClassChooser()
        self._map = MapView()
        self._map.setObjectName("latent_map")
        self._map.setAccessibleName(self.tr("Latent map"))
        self._map.setAccessibleDescription(
            self.tr(
                "Arrow keys move the selected code, with Shift farther, with Control the view. "
                "N selects the nearest image, A and B set the ends of the path, plus and minus zoom, 0 shows all, "
                "P and E show the true posterior and the energy of the selected image, I improves its q, "
                "C changes what the colours mean, D shows the density, the square brackets change the points' size."
            )
        )
        self._empty = QLabel(self.tr("Open a run, or press Train:\nthe codes of the images appear here."), self._map)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._fields = CodeFields("map")
        self._find = FindBar()
        # Takes the room that is left: the fields are what must not be cut.
        self._state = ElidingLabel()
        self._state.setElideMode(Qt.TextElideMode.ElideLeft)
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._state.setObjectName("map_state")
        below = QHBoxLayout()
        below.setSpacing(2 * GRID_PX)
        below.addWidget(self._fields)
        below.addWidget(self._find)
        below.addStretch(1)
        below.addWidget(self._fit_button())
        above = QHBoxLayout()
        above.setSpacing(GRID_PX)
        above.addWidget(self._cloud_tools, 0, Qt.AlignmentFlag.AlignTop)
        above.addWidget(self._legend, 2)
        above.addWidget(self._chooser)
        above.addWidget(StillRoom(self._state), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self._tools)
        column.addLayout(above)
        column.addWidget(self._map, 1)
        column.addLayout(below)

    def _fit_button(self) -> QToolButton:
        button = QToolButton()
        button.setText(self.tr("Fit"))
        button.setObjectName("reset_view")
        button.setToolTip(self.tr("Show all points again (key 0). Wheel zooms; Space-drag or middle-drag pans."))
        button.setAccessibleName(self.tr("reset view"))
        button.clicked.connect(self.reset_view)
        return button

    def _connect(self) -> None:
        controller = self._controller
        controller.run_opened.connect(self._on_run_opened)
        controller.data_changed.connect(self._on_data_changed)
        controller.codes_changed.connect(self._on_codes_changed)
        controller.selection_changed.connect(self._on_selection_changed)
        controller.drawing_changed.connect(self._on_drawing_changed)
        controller.label_changed.connect(self._refresh_plane)
        controller.channel("here").answered.connect(self._on_here_answered)
        controller.channel("image").answered.connect(self._on_image_answered)
        self._posterior.q_changed.connect(self._on_q_changed)
        self._posterior.shown_changed.connect(self._show_state)
        self._feed.shown.connect(self._on_plane_shown)
        self._map.touched.connect(self._on_touched)
        self._map.picked.connect(self._on_picked)
        self._map.hovered.connect(self._on_hovered)
        self._map.end_moved.connect(self._on_end_moved)
        self._map.end_clicked.connect(self._on_end_clicked)
        self._map.nudged.connect(self._on_nudged)
        self._map.key_asked.connect(self._on_key_asked)
        self._map.view_moved.connect(self._follow_plane)
        self._map.view_settled.connect(self._refresh_plane)
        self._map.navigated.connect(self._on_navigated)
        self._tools.axes_chosen.connect(self._on_axes_chosen)
        self._tools.layers_changed.connect(self._on_layers_changed)
        self._tools.mean_draw.drawing_changed.connect(controller.set_drawing)
        self._tools.mean_draw.redraw_asked.connect(controller.redraw)
        self._legend.hidden_changed.connect(self._map.set_hidden)
        self._fields.edited.connect(self._on_fields_edited)
        self._find.found.connect(controller.select_image)

    # ---- what the controller says ---------------------------------------------------------------------------------

    @Slot()
    def _on_run_opened(self) -> None:
        controller = self._controller
        self._latent = LatentView(controller.selection.latent_dim)
        config = controller.config
        self._has_rings = config is None or has_normal_prior(config)
        self._is_following = True
        self._tools.set_latent_dim(self._latent.latent_dim)
        self._tools.set_has_rings(self._has_rings)
        self._find.set_has_bound(config is None or config.model.kind != "autoencoder")
        self._tools.mean_draw.set_drawing(controller.is_drawing)
        self._map.set_aspect_locked(not self._latent.is_line)
        self._map.set_thumbnail(None)
        if controller.opened is not self._opened:  # else it is told again, and its stored plane is still the right one
            self._opened = controller.opened
            self._clear_plane()
            self._feed.forget()
        self._show_axes()
        self._on_codes_changed(controller.codes)
        self.reset_view()

    @Slot()
    def _on_data_changed(self) -> None:
        data = self._controller.data
        labels: list[int] = []
        names: list[str] = []
        if data is not None and data.labels is not None:
            labels = np.unique(data.labels).tolist()
            names = [
                data.class_names[label] if 0 <= label < len(data.class_names) else self._unnamed(label)
                for label in labels
            ]
        # Strokes and drawings lie on a ground of 0; photographs have no ground.
        self._map.plane.is_ink = data is not None and bool(np.mean(data.images[:256] <= data.max_value // 10) > 0.4)
        self._legend.set_classes(labels, names)
        self._find.set_classes(labels, names)
        self._map.set_hidden(frozenset())
        self._on_codes_changed(self._controller.codes)

    @Slot(object)
    def _on_codes_changed(self, codes: CodesSnapshot | None) -> None:
        selection = self._controller.selection
        if codes is not None and codes.loc.shape[1] != self._latent.latent_dim:
            codes = None
        self._latent.set_codes(codes, selection.code)
        self.colours.show(codes, self._latent.points, self._labels_of(codes))
        self._classes.mark(codes, self._latent.points)
        self._empty.setVisible(codes is None)
        self._show_state()
        self._show_candidates(codes)
        self._on_selection_changed(selection)
        self._follow()
        self._refresh_plane()

    @Slot(object)
    def _on_selection_changed(self, selection: Selection) -> None:
        if selection.latent_dim != self._latent.latent_dim:
            return
        self._latent.set_through(selection.code)
        has_model = self._controller.opened is not None
        has_rings = self._has_rings and self._tools.is_on("rings")
        overlay = self._latent.overlay(selection, has_rings=has_rings, has_path=has_model and self._tools.is_on("path"))
        self._map.set_overlay(overlay)
        self._map.set_selected(self._place_of(selection.image))
        self._fields.set_values(self._latent.project(selection.code)[: 1 if self._latent.is_line else 2])
        self._find.set_current(selection.image)
        if self._latent.latent_dim > 2:
            self._plane_due.start()

    @Slot(bool)
    def _on_drawing_changed(self, is_drawing: bool) -> None:
        self._tools.mean_draw.set_drawing(is_drawing)
        self._refresh_plane()

    @Slot(object)
    def _on_here_answered(self, answer: Decoded) -> None:
        if self._tools.is_on("picture"):
            self._map.set_thumbnail(image_to_qimage(answer.images[0]))

    @Slot(object)
    def _on_image_answered(self, answer: Encoded) -> None:
        self._latent.set_encoded(answer)
        self._on_selection_changed(self._controller.selection)

    @Slot()
    def _on_q_changed(self) -> None:
        self._latent.set_other_q(*self._posterior.other_q)
        self._on_selection_changed(self._controller.selection)

    @Slot(object, int)
    def _on_plane_shown(self, plane: Plane, step: int) -> None:
        self._map.plane.set_plane(plane)
        if step != self._plane_step:
            self._plane_step = step
            self._show_state()

    # ---- what the person does -------------------------------------------------------------------------------------

    @Slot(float, float, bool)
    def _on_touched(self, x: float, y: float, is_final: bool) -> None:
        self._controller.select_code(self._latent.lift(x, y), is_final=is_final)

    @Slot(int)
    def _on_picked(self, place: int) -> None:
        codes = self._controller.codes
        if codes is not None:
            self._controller.select_image(int(codes.indices[place]))

    @Slot(int)
    def _on_hovered(self, place: int) -> None:
        codes, data = self._latent.codes, self._controller.data
        if place < 0 or codes is None or data is None:
            self._show_state()
            return
        image = int(codes.indices[place])
        parts = [self.tr("image {n}").format(n=f"{image:,}")]
        if data.labels is not None and image < len(data):
            label = int(data.labels[image])
            parts.append(data.class_names[label] if 0 <= label < len(data.class_names) else self._unnamed(label))
        parts.append(self.colours.words_of(place))
        self._state.setText(" · ".join(part for part in parts if part))

    @Slot(str, float, float, bool)
    def _on_end_moved(self, which: Literal["a", "b"], x: float, y: float, is_final: bool) -> None:
        self._controller.set_end(which, self._latent.lift(x, y), is_final=is_final)

    @Slot(str)
    def _on_end_clicked(self, which: str) -> None:
        selection = self._controller.selection
        self._controller.select_code(selection.end_a if which == "a" else selection.end_b)

    @Slot(float, float)
    def _on_nudged(self, dx: float, dy: float) -> None:
        x, y = self._latent.project(self._controller.selection.code).tolist()
        self._controller.select_code(self._latent.lift(x + dx, y + dy))

    @Slot(str)
    def _on_key_asked(self, name: str) -> None:
        if self._posterior.take_key(name) or self.colours.take_key(name):
            return
        if name == "reset":
            self.reset_view()
        elif name == "nearest":
            self._select_nearest()
        else:
            self._controller.set_end("a" if name == "a" else "b", self._controller.selection.code)

    @Slot(object)
    def _on_fields_edited(self, values: NDArray[np.float32]) -> None:
        self._controller.select_code(self._latent.lift(float(values[0]), float(values[-1])))

    @Slot(object)
    def _on_axes_chosen(self, axes: tuple[int, int] | Literal["pca"]) -> None:
        self._latent.set_axes(axes, self._controller.selection.code)
        self._show_axes()
        self._clear_plane()
        self.colours.show(self._latent.codes, self._latent.points, self._labels_of(self._latent.codes))
        self._classes.mark(self._controller.codes, self._latent.points)
        self._on_selection_changed(self._controller.selection)
        self.reset_view()
        self._refresh_plane()

    @Slot()
    def _on_layers_changed(self) -> None:
        self._map.cloud.setVisible(self._tools.is_on("points") or self._tools.is_on("density"))
        self._feed.is_on = self._tools.is_on("plane")
        self._map.plane.setVisible(self._feed.is_on)
        self._show_state()
        if not self._tools.is_on("picture"):
            self._map.set_thumbnail(None)
        self._on_selection_changed(self._controller.selection)
        self._refresh_plane()

    @Slot()
    def _on_navigated(self) -> None:
        self._is_following = False

    @Slot()
    def reset_view(self) -> None:
        """Show all points, and follow them again."""
        self._is_following = True
        self._map.show_range(*self._latent.natural_range(has_prior=self._has_rings))

    # ---- helpers --------------------------------------------------------------------------------------------------

    @Slot()
    def _refresh_plane(self) -> None:
        self._feed.want(self._latent, self._map.frame())

    @Slot()
    def _follow_plane(self) -> None:
        self._feed.follow(self._latent, self._map.frame())

    def _follow(self) -> None:
        if not self._is_following:
            return
        frame = self._map.frame()
        wanted = self._latent.natural_range(has_prior=self._has_rings)
        spans = list(zip(wanted, (frame.x_range, frame.y_range), strict=True))
        is_inside = all(low >= left and high <= right for (low, high), (left, right) in spans)
        fill = max((high - low) / (right - left) for (low, high), (left, right) in spans)
        if not is_inside or fill * REFIT_RATIO < 1.0:
            self._map.show_range(*wanted)

    def _select_nearest(self) -> None:
        frame = self._map.frame()
        at = frame.to_px(self._latent.project(self._controller.selection.code)).tolist()
        place = self._map.cloud.raster.pick(frame, (at[0], at[1]), float("inf"))
        if place is not None:
            self._on_picked(place)

    def _place_of(self, image: int | None) -> int | None:
        """Return where the points have an image; the indices of a snapshot rise."""
        codes = self._latent.codes
        return None if codes is None or image is None else place_of(image, codes.indices)

    def _labels_of(self, codes: CodesSnapshot | None) -> NDArray[np.int64] | None:
        data = self._controller.data
        if codes is None or data is None or data.labels is None or codes.indices.max(initial=-1) >= len(data):
            return None
        # The indices rise, so that as many as there are images are all of them.
        return data.labels if len(codes.indices) == len(data) else data.labels[codes.indices]

    def _unnamed(self, label: int) -> str:
        return self.tr("unknown") if label < 0 else str(label)

    def _show_axes(self) -> None:
        names = self._latent.axis_names
        self._map.set_axis_names(*names)
        shown = names[:1] if self._latent.is_line else names
        self._fields.set_names(shown, [self.tr("Look at this coordinate: {name}.").format(name=n) for n in shown])

    def _clear_plane(self) -> None:
        self._map.plane.set_plane(None)
        self._feed.clear()
        self._plane_step = None
        self._show_state()

    def _show_state(self) -> None:
        codes, parts = self._latent.codes, []
        if codes is not None:
            words = self.tr("{n} images") if codes.is_complete else self.tr("a sample of {n} images")
            parts = [words.format(n=f"{len(codes.indices):,}"), self.tr("step {step}").format(step=f"{codes.step:,}")]
        if self._feed.is_on and self._plane_step is not None and (codes is None or codes.step != self._plane_step):
            parts.append(self.tr("plane of step {step}").format(step=f"{self._plane_step:,}"))
        posterior_step = self._posterior.shown_step
        if posterior_step is not None and (codes is None or codes.step != posterior_step):
            parts.append(self.tr("posterior of step {step}").format(step=f"{posterior_step:,}"))
        self._state.setText(" · ".join(parts))

    def _show_candidates(self, codes: CodesSnapshot | None) -> None:
        data = self._controller.data
        if codes is None or data is None:
            none = np.zeros(0, dtype=np.int64)
            self._find.set_images(0, none, None, np.zeros(0, dtype=np.float32))
            return
        scores = codes.elbo if has_bound(codes) else -codes.distortion
        self._find.set_images(len(data), codes.indices, data.labels, scores)

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._is_following:
            self._map.show_range(*self._latent.natural_range(has_prior=self._has_rings))
        self._empty.setGeometry(self._map.rect())

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._map.restyle()
        super().changeEvent(event)
