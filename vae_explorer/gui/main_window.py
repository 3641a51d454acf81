"""The main window: puts the parts together, remembers how they lie, and closes only when the run is saved."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QMainWindow, QVBoxLayout, QWidget

from vae_explorer.engine.messages import EngineFailed, Notice, RunOpened, RunStatus, SweepOpened
from vae_explorer.gui.actions import WindowActions
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.data_loader import DataLoader
from vae_explorer.gui.docks import Docks
from vae_explorer.gui.file_commands import FileCommands
from vae_explorer.gui.help_texts import about_html, shortcuts_html
from vae_explorer.gui.theme import GRID_PX, use_tabular_digits
from vae_explorer.gui.tool_bar import RunToolBar
from vae_explorer.gui.view_commands import ViewCommands
from vae_explorer.gui.widgets.notice_bar import NoticeBar
from vae_explorer.gui.widgets.still_room import StillRoom
from vae_explorer.gui.widgets.task_bar import TaskBar
from vae_explorer.gui.widgets.text_window import TextWindow
from vae_explorer.gui.window_state import save_layout

START_SIZE = (1280, 800)


class MainWindow(QMainWindow):
    """painted(): the window is being painted for the first time; connect queued to come after it.

    close_requested(): the person wants to close it; whoever listens ends the threads, then calls `finish_close`.
    """

    painted = Signal()
    close_requested = Signal()

    def __init__(self, controller: ModelController, loader: DataLoader, settings: QSettings) -> None:
        super().__init__()
        self._controller, self._settings = controller, settings
        self._is_painted = self._is_closing = self._is_in_close_event = self._may_close = False
        self.setObjectName("main_window")
        self.setWindowTitle("vae-explorer")
        self.setAcceptDrops(True)
        self.resize(*START_SIZE)
        self.actions_ = WindowActions(self)
        self.docks = Docks(controller, self)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, RunToolBar(controller, self.actions_))
        self.notices = NoticeBar()
        self._frame_centre()
        loading, exporting = TaskBar("loading"), TaskBar("exporting")
        self._fill_status_bar(loading, exporting)
        self.files = FileCommands(
            self, controller, loader, notices=self.notices, tasks=[loading, exporting], settings=settings
        )
        self.view = ViewCommands(self, self.docks, self.actions_, settings)
        self._connect_actions()
        self._connect_panels()
        controller.status_changed.connect(self._on_status)
        controller.run_opened.connect(self._on_run_opened)
        self._sweep: SweepOpened | None = None
        controller.sweeps.opened_changed.connect(self._on_sweep_opened)
        controller.selection_changed.connect(self._show_history)
        controller.noticed.connect(self.notices.notify)
        controller.engine_reported.connect(self._on_report)
        self.view.restore()
        self._show_history()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _frame_centre(self) -> None:
        """Put the notice bar over the latent map; it takes room only while it has something to say."""
        centre = QWidget()
        centre.setAutoFillBackground(True)
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self.docks.panels.map, 1)
        self.setCentralWidget(centre)

    def _fill_status_bar(self, *tasks: TaskBar) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.setContentsMargins(0, 0, GRID_PX, 0)
        self._step = QLabel()
        self._step.setObjectName("status_step")
        use_tabular_digits(self._step)
        self._step.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for task in tasks:
            bar.addPermanentWidget(task)
        bar.addPermanentWidget(StillRoom(self._step))

    def _connect_actions(self) -> None:
        actions, controller, files = self.actions_, self._controller, self.files
        for name, slot in (
            ("new_run", files.new_run),
            ("open_data", files.choose_data),
            ("open_run", files.choose_run),
            ("reveal", files.reveal),
            ("save", controller.save),
            ("quit", self.close),
            ("select_back", controller.select_back),
            ("select_forward", controller.select_forward),
            ("shortcuts", self._show_shortcuts),
            ("about", self._show_about),
            ("find_image", self._find_image),
        ):
            actions[name].triggered.connect(slot)
        for name in ("next", "previous", "best", "worst"):
            actions[f"{name}_image"].triggered.connect(lambda _=False, name=name: self._press(f"find_{name}"))
        actions["export"].triggered.connect(lambda: self._press("export"))
        recent = actions.menus["recent_runs"]
        recent.aboutToShow.connect(lambda: files.fill_recent(recent))
        recent.triggered.connect(self._on_recent_chosen)

    def _connect_panels(self) -> None:
        panels, files = self.docks.panels, self.files
        panels.run.data_requested.connect(files.want_data)
        panels.run.open_data_dialog_requested.connect(files.choose_data)
        panels.run.open_run_requested.connect(files.choose_run)
        panels.run.reveal_requested.connect(files.reveal)
        panels.run.recent_run_requested.connect(files.open_run)
        self.docks.built.connect(self._on_panel_built)

    @Slot(str)
    def _on_panel_built(self, name: str) -> None:
        if name == "gallery":
            self.docks.panels.gallery.export_requested.connect(self.files.export)
        elif name == "sweep":
            self.docks.panels.sweep.alone_requested.connect(self.files.open_run)

    # ---- actions ----------------------------------------------------------------------------------------------------

    @Slot()
    def _find_image(self) -> None:
        field = self.docks.panels.map.findChild(QLineEdit, "find_index")
        if field is not None:
            field.setFocus(Qt.FocusReason.ShortcutFocusReason)
            field.selectAll()

    def _press(self, name: str) -> None:
        """Press a panel's button: a menu entry and its button are one thing and cannot drift apart."""
        button = self.findChild(QAbstractButton, name)
        if button is not None:
            button.click()

    @Slot(QAction)
    def _on_recent_chosen(self, action: QAction) -> None:
        if isinstance(action.data(), Path):
            self.files.open_run(action.data())

    @Slot()
    def _show_shortcuts(self) -> None:
        html = shortcuts_html(self.actions_.described())
        TextWindow("shortcuts", self.tr("Keyboard and mouse"), html, self).show()

    @Slot()
    def _show_about(self) -> None:
        TextWindow("about", self.tr("About vae-explorer"), about_html(), self).show()

    # ---- what is shown ----------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_report(self, event: Notice | EngineFailed) -> None:
        self.notices.notify(event.message, "error" if isinstance(event, EngineFailed) else "info", event.details)

    @Slot(str, str)
    def show_failure(self, message: str, details: str) -> None:
        """Say that the program made a mistake; `details` is the traceback."""
        self.notices.notify(message, "error", details)

    @Slot(object)
    def _on_run_opened(self, event: RunOpened) -> None:
        self._show_title(event.step)

    @Slot(object)
    def _on_sweep_opened(self, event: SweepOpened | None) -> None:
        # Told again to panels that are built late, when another tab may have been chosen.
        if event is not None and event is not self._sweep:
            self.docks.by_name["sweep"].raise_()
        self._sweep = event

    @Slot(object)
    def _on_status(self, status: RunStatus) -> None:
        self._show_title(status.step)
        saved = self.tr("saved") if status.is_saved else self.tr("not saved")
        saved = saved if status.elsewhere is None else self.tr("trained elsewhere")
        text = self.tr("step {step:,} · epoch {epoch:.1f} · {saved}")
        self._step.setText(text.format(step=status.step, epoch=status.epoch, saved=saved))

    @Slot()
    def _show_history(self) -> None:
        self.actions_["select_back"].setEnabled(self._controller.can_select_back)
        self.actions_["select_forward"].setEnabled(self._controller.can_select_forward)

    def _show_title(self, step: int) -> None:
        config, data = self._controller.config, self._controller.data
        if config is None or data is None:
            return
        kind = self.tr("VAE") if config.model.kind == "vae" else self.tr("autoencoder")
        parts = [data.provenance.title, f"{kind} {config.model.latent_dim}-D", self.tr("step {n:,}").format(n=step)]
        self.setWindowTitle(" · ".join(parts) + " – vae-explorer")

    # ---- closing ----------------------------------------------------------------------------------------------------

    @Slot()
    def finish_close(self) -> None:
        """Close now; the threads have ended."""
        self._may_close = True
        if not self._is_in_close_event:
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask for the threads to end first; the window stays, says so, and closes when they have."""
        if not self._may_close:
            self._is_in_close_event = True
            if not self._is_closing:
                self._is_closing = True
                self.close_requested.emit()
            self._is_in_close_event = False
        if self._may_close:
            save_layout(self._settings, self)
            event.accept()
        else:
            self.notices.notify(self.tr("Saving the run; the window closes when that is done."), "warning")
            event.ignore()

    # ---- Qt ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell that the window is there."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.painted.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls() and any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files.open_path(paths[0])
            if len(paths) > 1:
                text = self.tr("Only {name} was opened; put images into one folder and drop that.")
                self.notices.notify(text.format(name=paths[0].name))
