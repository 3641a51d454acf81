"""Gallery panel: pictures of many tiles from the model, live, and their export."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.config_rules import LABELLED
from vae_explorer.engine.messages import CodesSnapshot, JobDone, JobFailed, Rendered, RunOpened
from vae_explorer.errors import UsageError
from vae_explorer.export.mixture_recipe import to_recipe
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.selection import Selection
from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.gallery_form import GalleryForm
from vae_explorer.gui.widgets.gallery_view import GalleryView
from vae_explorer.gui.widgets.mean_draw import MeanDrawSwitch
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.task_bar import TaskBar
from vae_explorer.gui.widgets.toggle_style import toggle_sheet
from vae_explorer.latent.mixture import Mixture
from vae_explorer.latent.mosaic import picture_scale

FORM_PX = 272


class GalleryPanel(QWidget):
    """What is shown is made by the function that also writes the export, so both are the same pixels.

    While it trains, the picture is asked for again with each snapshot of the codes, if it is seen and none is under
    way. export_requested(Recipe): the person wants the picture as a file; whoever listens asks where to.
    """

    export_requested = Signal(object)

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gallery_panel")
        self._controller = controller
        self._channel = controller.channel("gallery")
        self._shown: Rendered | None = None
        self._asked: Recipe | None = None
        self._jobs: set[int] = set()
        self._has_prior = True
        self._build()
        self._connect()
        if controller.data is not None:
            self._on_data()
        if controller.opened is not None:
            self._on_run_opened(controller.opened)
        else:
            self._clear()
        self._on_mixture(controller.mixture)
        self._form.set_label(controller.label)
        self._on_selection(controller.selection)
        self._on_drawing(controller.is_drawing)
        self._restyle()

    # ---- parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._view = GalleryView()
        self._view.setObjectName("gallery_view")
        self._view.setAccessibleName(self.tr("gallery picture; arrow keys select the code of a tile"))
        self._caption = QLabel()
        self._caption.setObjectName("gallery_caption")
        self._caption.setFont(tick_font())
        self._caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._exports = TaskBar("gallery_jobs")
        picture = QVBoxLayout()
        picture.setSpacing(2)
        picture.addWidget(self._view, 1)
        picture.addWidget(self._caption)
        picture.addWidget(self._exports)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX // 2)
        row.setSpacing(GRID_PX)
        row.addLayout(picture, 1)
        row.addLayout(self._make_side())

    def _make_side(self) -> QVBoxLayout:
        self._form = GalleryForm()
        self._drawing = MeanDrawSwitch()
        self._drawing.setObjectName("gallery_drawing")
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, GRID_PX // 2, 0)
        column.setSpacing(GRID_PX // 2)
        column.addWidget(self._form)
        column.addWidget(self._drawing, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFixedWidth(FORM_PX)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        side = QVBoxLayout()
        side.setSpacing(GRID_PX // 2)
        side.addWidget(scroll, 1)
        side.addLayout(self._make_buttons())
        return side

    def _make_buttons(self) -> QHBoxLayout:
        self._export = QPushButton(self.tr("Export..."))
        self._export.setObjectName("export")
        self._export.setToolTip(self.tr("Write this picture as PNG, with its recipe inside, or its arrays as NPZ."))
        self._copy = QPushButton(self.tr("Copy"))
        self._copy.setObjectName("gallery_copy")
        self._copy.setToolTip(self.tr("Copy the picture to the clipboard in its own size."))
        row = QHBoxLayout()
        row.setSpacing(GRID_PX // 2)
        row.addWidget(self._export, 1)
        row.addWidget(self._copy, 1)
        return row

    def _connect(self) -> None:
        controller = self._controller
        controller.run_opened.connect(self._on_run_opened)
        controller.data_changed.connect(self._on_data)
        controller.selection_changed.connect(self._on_selection)
        controller.codes_changed.connect(self._on_codes)
        controller.drawing_changed.connect(self._on_drawing)
        controller.mixture_changed.connect(self._on_mixture)
        controller.label_changed.connect(self._on_label)
        controller.job_progressed.connect(self._on_job_progressed)
        controller.job_ended.connect(self._on_job_ended)
        self._channel.answered.connect(self._on_rendered)
        self._channel.failed.connect(self._on_failed)
        self._form.changed.connect(self._ask)
        self._form.path_chosen.connect(controller.set_path)
        self._drawing.drawing_changed.connect(controller.set_drawing)
        self._drawing.redraw_asked.connect(self._form.reseed)
        self._view.pressed.connect(self._on_pressed)
        self._export.clicked.connect(self._on_export)
        self._copy.clicked.connect(self._on_copy)
        self._exports.cancelled.connect(self._on_cancel)

    # ---- what the person does -------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The recipe of the choices as they are."""
        return self._form.recipe(self._controller.selection)

    def _on_pressed(self, row: int, col: int, is_final: bool) -> None:
        if self._shown is not None and self._shown.codes is not None:
            self._controller.select_code(self._shown.codes[row, col], is_final=is_final)

    def _on_export(self) -> None:
        if self._controller.opened is not None:
            self.export_requested.emit(self.recipe)

    def _on_copy(self) -> None:
        image = self._view.image()
        if image is not None:
            QGuiApplication.clipboard().setImage(image)
            self._say(self.tr("Copied, {w} x {h} pixels.").format(w=image.width(), h=image.height()))

    def _on_cancel(self) -> None:
        for job in self._jobs:
            self._controller.cancel_job(job)

    # ---- what the controller says ---------------------------------------------------------------------------------

    def _on_run_opened(self, opened: RunOpened) -> None:
        self._has_prior = opened.config.model.kind != "autoencoder"
        self._form.set_latent_dim(opened.config.model.latent_dim)
        self._form.set_has_prior(self._has_prior)
        self._form.set_has_classes(opened.config.model.kind in LABELLED)
        self._clear()
        self._ask()

    def _on_data(self) -> None:
        data = self._controller.data
        if data is None:
            return
        words = {"train": self.tr("Training"), "validation": self.tr("Validation")}
        words |= {"test": self.tr("Test"), "all": self.tr("All images")}
        held_out = self.tr("Held-out") if data.held_out_name else words["train"]
        names = [name for name in words if len(data.indices(name))]  # type: ignore[arg-type]
        self._form.set_splits([(held_out, None), *((words[name], name) for name in names)])

    def _on_selection(self, selection: Selection) -> None:
        self._form.set_path(selection.path)
        self._mark_selected()
        if self._asked is not None and self._form.recipe(selection) != self._asked:
            self._ask()

    def _on_codes(self, codes: CodesSnapshot) -> None:
        if not self._channel.is_waiting:
            self._ask()

    def _on_drawing(self, is_drawing: bool) -> None:
        self._drawing.set_drawing(is_drawing)
        self._form.set_drawing(is_drawing)
        self._ask()

    def _on_label(self, label: int | None) -> None:
        self._form.set_label(label)
        self._ask()

    def _on_mixture(self, mixture: Mixture | None) -> None:
        try:
            self._form.set_mixture(None if mixture is None else to_recipe(mixture))
        except UsageError as error:
            self._form.set_mixture(None)
            self._say(str(error), is_error=True)

    def _on_rendered(self, answer: Rendered) -> None:
        rows, cols, _, height, width = answer.tiles.shape
        scale = picture_scale(height, width, answer.recipe.scale)
        codes = np.full((rows, cols, 1), np.nan) if answer.codes is None else answer.codes
        self._view.set_picture(
            answer.picture,
            tile_px=(height * scale, width * scale),
            gap=answer.recipe.gap,
            has_code=np.asarray(np.isfinite(codes).all(axis=-1)),
        )
        self._shown = answer
        self._mark_selected()
        self._copy.setEnabled(True)
        size = f"{answer.picture.shape[1]} × {answer.picture.shape[0]}"
        run = self._controller.opened.run_path.name if self._controller.opened is not None else ""
        parts = [self.tr("step {step}").format(step=f"{answer.step:,}")]
        if not self._has_prior and _needs_prior(answer.recipe):
            parts.append(self.tr("in the box of the codes"))
        self._say(" · ".join((*parts, run, self.tr("{size} pixels").format(size=size))))

    def _on_failed(self, message: str) -> None:
        self._say(message, is_error=True)

    def _on_job_progressed(self, job: int, fraction: float) -> None:
        if self._controller.is_export(job):
            self._jobs.add(job)
            self._exports.set_progress(fraction, self.tr("Export"))

    def _on_job_ended(self, event: JobDone | JobFailed) -> None:
        if not self._controller.is_export(event.job):
            return
        self._jobs.discard(event.job)
        if not self._jobs:
            self._exports.end()
        if isinstance(event, JobFailed):
            self._say(event.message, is_error=not event.is_cancelled)
        elif event.path is not None:
            self._say(self.tr("Written: {name}, step {step}").format(name=event.path.name, step=f"{event.step:,}"))

    # ---- showing and asking ---------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self.isVisible() and self._controller.opened is not None:
            self._asked = self.recipe
            self._channel.render(self._asked)

    def _clear(self) -> None:
        self._shown = self._asked = None
        has_run = self._controller.opened is not None
        self._view.clear("" if has_run else self.tr("Open a run or press Train: pictures of the model appear here."))
        self._export.setEnabled(has_run)
        self._copy.setEnabled(False)
        self._say("")

    def _mark_selected(self) -> None:
        codes = None if self._shown is None else self._shown.codes
        code = self._controller.selection.code
        if codes is None or codes.shape[-1] != len(code):
            self._view.set_marked(None)
            return
        found = np.argwhere((np.abs(codes - code) < 1e-5).all(axis=-1))
        self._view.set_marked((int(found[0][0]), int(found[0][1])) if len(found) else None)

    def _say(self, text: str, *, is_error: bool = False) -> None:
        theme = current_theme()
        self._caption.setText(text)
        self._caption.setToolTip(text)
        self._caption.setStyleSheet(f"color: {theme.error if is_error else theme.muted};")

    def _restyle(self) -> None:
        self._drawing.setStyleSheet(toggle_sheet(current_theme()))
        self._caption.setStyleSheet(f"color: {current_theme().muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()


def _needs_prior(recipe: Recipe) -> bool:
    """Whether the codes of a picture come from the prior, for which an autoencoder has the box of its codes."""
    is_drawn = recipe.what == "interpolation" and (recipe.start is None or recipe.end is None)
    is_sampled = recipe.what == "samples" and recipe.source == "prior"
    return is_drawn or is_sampled or recipe.what in ("manifold", "traversal")
