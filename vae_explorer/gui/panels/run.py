"""Run panel: data, model and training settings of the next run, and start, pause, step, stop and reset of this one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vae_explorer.config import FIELDS, RunConfig, read_config_file
from vae_explorer.data.catalog import dataset_names
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import EngineState, RunOpened, RunStatus
from vae_explorer.errors import VaeExplorerError
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.data_loader import is_same_reading
from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.config_form import ConfigForm
from vae_explorer.gui.widgets.curve_text import duration_text
from vae_explorer.gui.widgets.eliding_label import ElidingLabel
from vae_explorer.gui.widgets.still_combo_box import StillComboBox
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.resource_files import preset_names, preset_path
from vae_explorer.runs.listing import recent_runs

SECTION_TITLES = {"data": "Data", "model": "Model", "objective": "Objective", "train": "Training"}
HIDDEN_KEYS = {"data.name"}


class RunPanel(QScrollArea):
    """Settings and state of a run. The form edits the controller's draft; the open run is never changed by it.

    data_requested(DataConfig): the images of the draft are wanted. open_data_dialog_requested(),
    open_run_requested(), reveal_requested(), recent_run_requested(Path): what the buttons ask the window for.
    """

    data_requested = Signal(object)
    open_data_dialog_requested = Signal()
    open_run_requested = Signal()
    reveal_requested = Signal()
    recent_run_requested = Signal(object)

    def __init__(self, controller: ModelController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.setObjectName("run_panel")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = QWidget()
        self._layout = QVBoxLayout(self._content)
        self._layout.setContentsMargins(GRID_PX, GRID_PX, GRID_PX, GRID_PX)
        self._layout.setSpacing(GRID_PX)
        self.setWidget(self._content)
        self._forms: list[ConfigForm] = []
        self._headers: list[QToolButton] = []
        self._add_run_row()
        self._add_buttons()
        self._add_progress()
        self._add_start_from()
        for section in SECTION_TITLES:
            self._add_section(section)
        self._layout.addStretch(1)
        controller.draft_changed.connect(self._on_draft_changed)
        controller.sweeps.betas_changed.connect(self._on_betas_changed)
        controller.run_opened.connect(self._on_run_opened)
        controller.status_changed.connect(self._on_status)
        controller.data_changed.connect(self._on_data)
        self._on_draft_changed(controller.draft)
        self._show_state()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _add_run_row(self) -> None:
        row = QHBoxLayout()
        self._run_label = ElidingLabel(self.tr("No run yet"))
        self._run_label.setElideMode(Qt.TextElideMode.ElideMiddle)
        self._run_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._run_label.setObjectName("run_name")
        menu_button = QToolButton()
        menu_button.setText(self.tr("Runs"))
        menu_button.setObjectName("runs_menu")
        menu_button.setToolTip(self.tr("Open another run, or show this run's folder."))
        menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(menu_button)
        self._menu.aboutToShow.connect(self._fill_menu)
        menu_button.setMenu(self._menu)
        row.addWidget(self._run_label, 1)
        row.addWidget(menu_button)
        self._layout.addLayout(row)

    def _add_buttons(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(GRID_PX // 2)
        self._train_button = self._button("train", self.tr("Train"), self.tr("Start or go on training."))
        self._train_button.setDefault(True)
        self._train_button.clicked.connect(self._controller.press_train)
        self._pause_button = self._button("pause", self.tr("Pause"), self.tr("Stop after this step and save."))
        self._pause_button.clicked.connect(self._controller.pause)
        self._step_button = self._button("step", self.tr("Step"), self.tr("Do one update."))
        self._step_button.clicked.connect(self._controller.step_once)
        self._stop_button = self._button("stop", self.tr("Stop"), self.tr("End the run and save it."))
        self._stop_button.clicked.connect(self._controller.stop)
        self._reset_button = self._button(
            "reset",
            self.tr("Reset"),
            self.tr("New weights with the open run's settings, in a folder of its own; the form stays as it is."),
        )
        self._reset_button.clicked.connect(self._controller.reset)
        grid.addWidget(self._train_button, 0, 0, 1, 2)
        grid.addWidget(self._pause_button, 0, 2)
        grid.addWidget(self._step_button, 1, 0)
        grid.addWidget(self._stop_button, 1, 1)
        grid.addWidget(self._reset_button, 1, 2)
        self._layout.addLayout(grid)

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"run_{name}")
        button.setToolTip(tip)
        button.setMinimumWidth(56)
        return button

    def _add_progress(self) -> None:
        self._progress = QProgressBar()
        self._progress.setObjectName("run_progress")
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(GRID_PX)
        self._progress_label = QLabel()
        self._progress_label.setObjectName("run_progress_text")
        self._progress_label.setWordWrap(True)
        self._floor_label = QLabel(
            self.tr("The learnt scale is at its floor, 1 / max value: constant pixels would drive it to zero.")
        )
        self._floor_label.setObjectName("scale_floor")
        self._floor_label.setWordWrap(True)
        self._floor_label.hide()
        for widget in (self._progress, StillRoom(self._progress_label), self._floor_label):
            self._layout.addWidget(widget)

    def _add_start_from(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID_PX)
        self._preset_box = StillComboBox()
        self._preset_box.setObjectName("preset")
        self._preset_box.setToolTip(self.tr("Fill the form from a preset."))
        self._preset_box.addItem(self.tr("Preset ..."), "")
        for name in preset_names():
            self._preset_box.addItem(name, name)
        self._preset_box.activated.connect(self._on_preset_chosen)
        self._data_box = StillComboBox()
        self._data_box.setObjectName("data.name")
        self._data_box.setToolTip(self.tr("The images of the next run."))
        for name in dataset_names():
            self._data_box.addItem(name, name)
        self._data_box.activated.connect(self._on_data_chosen)
        open_button = QToolButton()
        open_button.setText(self.tr("Open ..."))
        open_button.setObjectName("open_data")
        open_button.setToolTip(self.tr("Images of your own: a folder, .npz, .npy or IDX files; or drop them here."))
        open_button.clicked.connect(self.open_data_dialog_requested)
        for box in (self._preset_box, self._data_box):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
        grid.addWidget(QLabel(self.tr("Start from")), 0, 0)
        grid.addWidget(self._preset_box, 0, 1, 1, 2)
        grid.addWidget(QLabel(self.tr("Data set")), 1, 0)
        grid.addWidget(self._data_box, 1, 1)
        grid.addWidget(open_button, 1, 2)
        grid.setColumnStretch(1, 1)
        self._layout.addLayout(grid)
        self._data_label = QLabel(self.tr("No images loaded"))
        self._data_label.setObjectName("data_summary")
        self._data_label.setWordWrap(True)
        self._layout.addWidget(self._data_label)

    def _add_section(self, section: str) -> None:
        header = QToolButton()
        header.setText(self.tr(SECTION_TITLES[section]))
        header.setObjectName(f"section_{section}")
        header.setCheckable(True)
        header.setToolTip(self.tr("Show or hide these settings of the next run."))
        header.setAutoRaise(True)
        header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        font = header.font()
        font.setBold(True)
        header.setFont(font)
        form = ConfigForm([key for key in FIELDS if key.startswith(section + ".") and key not in HIDDEN_KEYS])
        form.config_edited.connect(self._on_form_edited)
        form.betas_edited.connect(self._controller.sweeps.set_betas)

        def show_open(is_open: bool) -> None:
            header.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
            form.setVisible(is_open)

        header.toggled.connect(show_open)
        header.setChecked(section in ("model", "objective"))
        show_open(header.isChecked())
        self._forms.append(form)
        self._headers.append(header)
        self._layout.addWidget(header)
        self._layout.addWidget(form)

    def minimumSizeHint(self) -> QSize:
        """As wide as the form needs at the size of text that there is: it scrolls up and down only."""
        hint = super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar, hint.height())

    # ---- what a person does -----------------------------------------------------------------------------------

    def _on_form_edited(self, config: RunConfig) -> None:
        has_other_data = not is_same_reading(config.data, self._controller.draft.data)
        self._controller.set_draft(config)
        if has_other_data:
            self.data_requested.emit(config.data)

    def _on_preset_chosen(self, index: int) -> None:
        name = self._preset_box.itemData(index)
        if not name:
            return
        try:
            self._on_form_edited(read_config_file(preset_path(name)))
            self._controller.sweeps.set_betas(None)
        except VaeExplorerError as error:
            self._controller.noticed.emit(str(error), "error")

    def _on_data_chosen(self, index: int) -> None:
        name = self._data_box.itemData(index)
        if name and name != self._controller.draft.data.name:
            self._on_form_edited(self._controller.draft.with_values({"data.name": name}))

    def _fill_menu(self) -> None:
        self._menu.clear()
        self._menu.addAction(self.tr("Open run ..."), self.open_run_requested.emit)
        self._menu.addAction(self.tr("Show this run's folder"), self.reveal_requested.emit)
        self._menu.addSection(self.tr("Recent runs"))
        runs = recent_runs(12)
        for run in runs:
            name = run.name.replace("&", "&&")
            self._menu.addAction(name, partial(self.recent_run_requested.emit, run.path))
        if not runs:
            self._menu.addAction(self.tr("none yet")).setEnabled(False)

    # ---- what is shown ----------------------------------------------------------------------------------------

    def _on_draft_changed(self, draft: RunConfig) -> None:
        for form, header in zip(self._forms, self._headers, strict=True):
            form.set_config(draft)
            if form.has_conflict:
                header.setChecked(True)  # it is what keeps a new run from being trained
        name = draft.data.name
        index = self._data_box.findData(name)
        if index < 0:
            self._data_box.addItem(Path(name).name or name, name)
            index = self._data_box.count() - 1
        self._data_box.setCurrentIndex(index)
        matching = self._preset_box.findData(self._matching_preset(draft))
        self._preset_box.setCurrentIndex(max(matching, 0))
        self._show_state()

    def _on_betas_changed(self, betas: tuple[float, ...] | None) -> None:
        for form in self._forms:
            form.set_betas(betas)
        self._show_state()

    def _matching_preset(self, draft: RunConfig) -> str:
        for name in preset_names():
            try:
                if read_config_file(preset_path(name)) == draft:
                    return name
            except VaeExplorerError:
                continue
        return ""

    def _on_run_opened(self, event: RunOpened) -> None:
        self._run_label.setText(event.run_path.name)
        self._run_label.setToolTip(str(event.run_path))
        self._show_state()

    def _on_data(self, data: ImageData) -> None:
        channels, height, width = data.shape
        splits = data.splits
        colour = self.tr("grey") if channels == 1 else self.tr("colour")
        lines = [
            self.tr("{n:,} images, {w} × {h}, {colour}").format(n=len(data), w=width, h=height, colour=colour),
            self.tr("train {a:,} · validation {b:,} · test {c:,}").format(
                a=len(splits.train), b=len(splits.validation), c=len(splits.test)
            ),
        ]
        if data.provenance.skipped:
            lines.append(self.tr("{n} files left out").format(n=len(data.provenance.skipped)))
        self._data_label.setText("\n".join(lines))
        self._data_label.setToolTip("\n".join([*data.provenance.understood, *data.provenance.skipped[:20]]))

    def _on_status(self, status: RunStatus) -> None:
        self._show_state()
        if status.state is EngineState.EMPTY:
            return
        share = min(status.step / status.target_step, 1.0) if status.target_step else 0.0
        self._progress.setValue(round(1000 * share))
        parts = [self.tr("step {a:,} of {b:,}").format(a=status.step, b=status.target_step)]
        parts.append(self.tr("epoch {e:.1f}").format(e=status.epoch))
        if status.state is EngineState.RUNNING and status.steps_per_s > 0:
            parts.append(self.tr("{v:,.0f} steps/s").format(v=status.steps_per_s))
            if status.seconds_left is not None:
                parts.append(self.tr("{t} left").format(t=duration_text(status.seconds_left)))
        parts.append(status.device)
        self._progress_label.setText(" · ".join(parts))
        self._floor_label.setVisible(status.is_scale_at_floor)

    def _show_state(self) -> None:
        status = self._controller.status
        state = status.state if status else EngineState.EMPTY
        is_running = state is EngineState.RUNNING
        can_work = state not in (EngineState.EMPTY, EngineState.FAILED)
        is_new = self._controller.is_draft_new
        self._train_button.setEnabled(not is_running or is_new)
        if is_new and self._controller.sweeps.betas is not None:
            self._train_button.setText(self.tr("Train new sweep"))
        elif is_new:
            self._train_button.setText(self.tr("Train new run"))
        elif is_running:
            self._train_button.setText(self.tr("Training ..."))
        elif status and status.step > 0 and can_work:
            self._train_button.setText(self.tr("Resume"))
        else:
            self._train_button.setText(self.tr("Train"))
        self._pause_button.setEnabled(is_running)
        self._step_button.setEnabled(can_work and not is_running)
        self._stop_button.setEnabled(is_running or state is EngineState.PAUSED)
        self._reset_button.setEnabled(can_work)
