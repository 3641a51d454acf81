"""Opening data and runs, and exporting: what the File menu, the run panel, a drop and the command line ask for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QSettings, QStandardPaths, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from vae_explorer.config import DataConfig
from vae_explorer.data.catalog import is_path
from vae_explorer.data.idx_sets import is_idx_name
from vae_explorer.data.image_data import ImageData
from vae_explorer.data.known_sets import datasets_dir
from vae_explorer.engine.messages import JobDone, JobFailed
from vae_explorer.errors import VaeExplorerError
from vae_explorer.export.recipe import Recipe
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.data_loader import DataLoader, LoadedRun, RunWithoutImages
from vae_explorer.gui.following import FollowNotes
from vae_explorer.gui.panels.open_data import OpenDataDialog
from vae_explorer.gui.stored_view import show_stored_view
from vae_explorer.gui.widgets.notice_bar import NoticeBar
from vae_explorer.gui.widgets.task_bar import TaskBar
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.listing import default_runs_dir, recent_runs
from vae_explorer.runs.sweep_folder import SWEEP_NAME, SweepFolder, is_sweep

N_RECENT = 12
RUN_FILE = "run.toml"
PICTURE_FILTER = "Picture (*.png);;Arrays (*.npz)"
TABLE_FILTER = "Table (*.csv);;Arrays (*.npz)"


class FileCommands(QObject):
    """Brings the loader, the controller and the person together. Only the file choosers are modal."""

    def __init__(
        self,
        window: QWidget,
        controller: ModelController,
        loader: DataLoader,
        *,
        notices: NoticeBar,
        tasks: list[TaskBar],
        settings: QSettings,
    ) -> None:
        """tasks: where loading and exporting show their progress, in this order.

        settings: remember where the images of a run were located, for the next time that it is opened."""
        super().__init__(window)
        self._window, self._controller, self._loader, self._notices = window, controller, loader, notices
        self._loading, self._exporting = tasks
        self._settings = settings
        self._jobs: dict[int, Path] = {}
        self._sweeps: dict[Path, Path] = {}  # a run that was read stands for the sweep that is to be opened
        self._following = FollowNotes(controller, notices, self)
        loader.loaded.connect(self._on_loaded)
        loader.run_loaded.connect(self.show_run)
        loader.images_missing.connect(self._on_images_missing)
        loader.failed.connect(self._on_load_failed)
        loader.cancelled.connect(self._on_load_cancelled)
        loader.progress.connect(self._loading.set_progress)
        loader.busy_changed.connect(self._on_busy_changed)
        self._loading.cancelled.connect(loader.cancel)
        self._exporting.cancelled.connect(self._cancel_exports)
        controller.job_progressed.connect(self._on_job_progressed)
        controller.job_ended.connect(self._on_job_ended)

    # ---- runs and data ----------------------------------------------------------------------------------------------

    @Slot()
    def new_run(self) -> None:
        """Build an untrained model from the form, reading its images first where they are not those that are shown."""
        draft = self._controller.draft
        data = self._controller.images_for(draft.data)
        if data is not None:
            self._controller.new_run(draft, data)
        else:
            self.load_data(draft.data)

    @Slot(object)
    def load_data(self, config: DataConfig) -> None:
        """Read images for the form; they are shown as an untrained run at once, or kept while a training runs."""
        self._controller.set_draft(msgspec.structs.replace(self._controller.draft, data=config))
        self._loading.begin(self.tr("Reading {name} ...").format(name=Path(config.name).name))
        self._loader.load(config)

    @Slot(object)
    def want_data(self, config: DataConfig) -> None:
        """Read the images that the form names now, unless they are there already."""
        data = self._controller.images_for(config)
        if data is None:
            self.load_data(config)
        else:
            self._loader.cancel()
            self._controller.offer_images(config, data)

    @Slot()
    def choose_data(self) -> None:
        """Show the dialog for images of one's own, with nothing chosen yet."""
        self.preview_data("")

    def preview_data(self, path: str) -> None:
        """Show the dialog with a preview of the images at a path, before they are loaded."""
        dialog = OpenDataDialog(self._loader, self._controller.draft.data, path, self._window)
        dialog.accepted_config.connect(self.load_data)
        dialog.show()

    @Slot()
    def choose_run(self) -> None:
        """Ask for a run folder and open it."""
        chosen = QFileDialog.getExistingDirectory(self._window, self.tr("Open run"), str(default_runs_dir()))
        if chosen:
            self.open_run(Path(chosen))

    @Slot(object)
    def open_run(self, path: Path, place: str | None = None) -> None:
        """Read a run folder and its images, from `place` if they have moved, then have the engine open it."""
        self._loading.begin(self.tr("Reading the run {name} ...").format(name=path.name))
        if is_sweep(path):
            try:
                first = SweepFolder.open(path).runs[0].path
            except VaeExplorerError as error:
                self._on_load_failed(str(error))
                return
            self._sweeps[first] = path
            path = first
        else:
            self._sweeps.pop(path, None)
        self._loader.load_run(path, place=place)

    @Slot(object)
    def show_run(self, run: LoadedRun) -> None:
        """Have the engine open a run that was read; the first one is shown from what it stores meanwhile."""
        if run.config != run.folder.config:
            self._settings.setValue(_located_key(run.folder), run.config.data.name)
        sweep = self._sweeps.get(run.folder.path)
        if sweep is not None:
            self._controller.open_sweep(sweep, run.config, run.data)
            return
        if self._controller.opened is None:
            try:
                show_stored_view(self._controller, run)
            except VaeExplorerError as error:
                self._notices.notify(str(error), "warning")
        self._controller.open_run(run.folder.path, run.config, run.data)

    def open_path(self, path: Path) -> None:
        """Open whatever was dropped: a run folder, or images."""
        if path.name in (RUN_FILE, SWEEP_NAME):
            path = path.parent
        if (path / RUN_FILE).is_file() or is_sweep(path):
            self.open_run(path)
        else:
            self.preview_data(str(path))

    @Slot()
    def reveal(self) -> None:
        """Show the run's folder in the file manager."""
        opened, status = self._controller.opened, self._controller.status
        path = (status.run_path if status is not None else None) or (opened.run_path if opened is not None else None)
        if path is None or not path.is_dir():
            self._notices.notify(self.tr("This run has no folder yet; one is made when training starts."))
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self._notices.notify(self.tr("The run is in {path}.").format(path=path))

    def fill_recent(self, menu: QMenu) -> None:
        """Offer the newest runs in a menu that is about to be shown."""
        menu.clear()
        runs = recent_runs(N_RECENT)
        for run in runs:
            action = menu.addAction(run.name.replace("&", "&&"))
            action.setData(run.path)
            action.setToolTip(str(run.path))
        if not runs:
            menu.addAction(self.tr("none yet")).setEnabled(False)

    # ---- export -----------------------------------------------------------------------------------------------------

    @Slot(object)
    def export(self, recipe: Recipe) -> None:
        """Ask where to, and have the engine write it."""
        is_table = recipe.what == "codes"
        name = f"{recipe.what}{'.csv' if is_table else '.png'}"
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        chosen, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Export"), str(Path(folder) / name), TABLE_FILTER if is_table else PICTURE_FILTER
        )
        if chosen:
            path = Path(chosen)
            self.export_to(recipe, path if path.suffix else path.with_suffix(Path(name).suffix))

    def export_to(self, recipe: Recipe, path: Path) -> int:
        """Have the engine write a recipe to a path; returns the job's number."""
        self._exporting.begin(self.tr("Exporting {name} ...").format(name=path.name))
        job = self._controller.export(recipe, path)
        self._jobs[job] = path
        return job

    @Slot()
    def _cancel_exports(self) -> None:
        for job in self._jobs:
            self._controller.cancel_job(job)

    @Slot(int, float)
    def _on_job_progressed(self, job: int, fraction: float) -> None:
        if job in self._jobs:
            self._exporting.set_progress(fraction)

    @Slot(object)
    def _on_job_ended(self, event: JobDone | JobFailed) -> None:
        path = self._jobs.pop(event.job, None)
        if path is None:
            return
        if not self._jobs:
            self._exporting.end()
        if isinstance(event, JobDone):
            self._notices.notify(self.tr("Written: {path}").format(path=event.path))
        elif event.is_cancelled:
            self._notices.notify(self.tr("The export of {name} was cancelled.").format(name=path.name))
        else:
            self._notices.notify(event.message, "error")

    # ---- the loader's answers ---------------------------------------------------------------------------------------

    @Slot(object, object)
    def _on_loaded(self, config: DataConfig, data: ImageData) -> None:
        self._controller.offer_images(config, data)
        if data.provenance.skipped:
            n, first = len(data.provenance.skipped), data.provenance.skipped[0]
            text = self.tr("{n} files were left out, such as: {first}").format(n=n, first=first)
            self._notices.notify(text, "warning", "\n".join(data.provenance.skipped))

    @Slot(str)
    def _on_load_failed(self, message: str) -> None:
        self._restore_draft()
        self._notices.notify(message, "error")

    @Slot(object)
    def _on_images_missing(self, run: RunWithoutImages) -> None:
        remembered = self._settings.value(_located_key(run.folder))
        if run.place is None and isinstance(remembered, str):
            self.open_run(self._asked(run.folder), remembered)
            return
        self._restore_draft()
        text = self.tr("The run {name} was not opened: {reason}").format(name=run.folder.name, reason=run.message)
        self._notices.notify(
            text, "warning", action=(self.tr("Locate the images..."), partial(self.locate_images, run.folder))
        )

    def locate_images(self, folder: RunFolder) -> None:
        """Ask where the images of a run lie now, and open it with them."""
        name, title = folder.config.data.name, self.tr("Locate the images")
        start = name if is_path(name) else str(datasets_dir())
        if is_path(name) and (Path(name).suffix or is_idx_name(Path(name))):
            chosen, _ = QFileDialog.getOpenFileName(self._window, title, start)
        else:
            chosen = QFileDialog.getExistingDirectory(self._window, title, start)
        if chosen:
            self.open_run(self._asked(folder), chosen)

    def _asked(self, folder: RunFolder) -> Path:
        """The sweep that a run was read for, or the run itself."""
        return self._sweeps.get(folder.path, folder.path)

    @Slot()
    def _on_load_cancelled(self) -> None:
        self._restore_draft()
        self._notices.notify(self.tr("Reading was cancelled; the images are the ones from before."))

    @Slot(bool)
    def _on_busy_changed(self, is_busy: bool) -> None:
        if not is_busy:
            self._loading.end()

    def _restore_draft(self) -> None:
        """The form goes back to the images that there are, so that Train does what it shows."""
        shown, draft = self._controller.data_config, self._controller.draft
        if shown is not None and self._controller.images_for(draft.data) is None:
            self._controller.set_draft(msgspec.structs.replace(draft, data=shown))


def _located_key(folder: RunFolder) -> str:
    """Return the setting that holds where images of this digest were located."""
    return f"located_images/{folder.data_digest}"
