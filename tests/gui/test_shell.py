"""The window on the real engine: the main job, closing, what it remembers, light and dark."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conftest import close_window
from fakes import make_data
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QFileDialog, QLabel, QLineEdit, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from vae_explorer.config import DataConfig, RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine.headless import train_headless
from vae_explorer.engine.messages import EngineState, SetLive
from vae_explorer.gui.app import Explorer
from vae_explorer.gui.panels.open_data import OpenDataDialog
from vae_explorer.gui.widgets.figure import Figure, number_text
from vae_explorer.gui.widgets.number_field import NumberField
from vae_explorer.gui.widgets.text_window import TextWindow
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import MarkRecord

LONG_MS = 60_000


def wait_for(qtbot: QtBot, explorer: Explorer, *states: EngineState) -> None:
    qtbot.waitUntil(lambda: explorer.controller.status is not None and explorer.controller.status.state in states,
                    timeout=LONG_MS)  # fmt: skip


def open_digits(qtbot: QtBot, explorer: Explorer) -> None:
    """Open a small untrained model on the digits."""
    draft = explorer.controller.draft.with_values({"model.hidden": (32,), "train.steps": 40, "train.log_every": 10})
    explorer.controller.set_draft(draft)
    explorer.open(dataset="digits")
    wait_for(qtbot, explorer, EngineState.READY)


@pytest.fixture
def light_after(qapp: QApplication) -> Iterator[None]:
    """Bring palette and font back."""
    palette, font = qapp.palette(), qapp.font()
    yield
    qapp.setPalette(palette)
    qapp.setFont(font)


# ---- the main job ---------------------------------------------------------------------------------------------------


def test_train_watch_click_export_and_close(
    qtbot: QtBot, engine_window: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, controller = engine_window.window, engine_window.controller
    open_digits(qtbot, engine_window)
    window.actions_["train"].trigger()
    wait_for(qtbot, engine_window, EngineState.FINISHED)
    assert controller.status.step == 40
    elbo = window.findChild(Figure, "figure_elbo").text
    assert elbo.startswith("−")
    qtbot.waitUntil(lambda: "step 40" in window.windowTitle())
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.is_complete, timeout=LONG_MS)

    answers: list[object] = []
    controller.channel("here").answered.connect(answers.append)
    qtbot.waitUntil(lambda: not controller.channel("here").is_waiting, timeout=LONG_MS)
    answers.clear()
    map_view = window.docks.panels.map.map
    place = map_view.viewport().rect().center() + QPoint(31, -17)
    qtbot.mouseClick(map_view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: bool(answers), timeout=LONG_MS)
    assert np.array_equal(answers[-1].z[0], controller.selection.code)

    target = tmp_path / "grid.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(target), ""))
    window.actions_["export"].trigger()
    qtbot.waitUntil(target.exists, timeout=LONG_MS)
    qtbot.waitUntil(lambda: "grid.png" in window.notices.message, timeout=LONG_MS)

    run_path = controller.status.run_path
    close_window(qtbot, engine_window)
    assert RunFolder.open(run_path).find_checkpoint("last").step == 40


def test_closing_while_it_trains_saves_and_joins_the_engine(qtbot: QtBot, engine_window: Explorer) -> None:
    controller = engine_window.controller
    open_digits(qtbot, engine_window)
    controller.train(until_step=10_000_000)
    qtbot.waitUntil(
        lambda: controller.status.state is EngineState.RUNNING and controller.status.step > 5, timeout=LONG_MS
    )
    close_window(qtbot, engine_window)
    assert not engine_window.engine.isRunning()
    assert not engine_window.window.isVisible()
    status = controller.status
    assert RunFolder.open(status.run_path).find_checkpoint("last").step == status.step > 5


def test_live_values_are_steered_and_recorded(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    controller, window = engine_window.controller, engine_window.window
    seen: list[object] = []
    controller.records_added.connect(seen.extend)
    field = window.findChild(NumberField, "live_beta")
    qtbot.waitUntil(field.isEnabled)
    field.selectAll()
    qtbot.keyClicks(field, "2,5")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    window.actions_["step"].trigger()
    qtbot.waitUntil(lambda: any(isinstance(record, MarkRecord) for record in seen), timeout=LONG_MS)
    qtbot.waitUntil(lambda: controller.status.beta == 2.5, timeout=LONG_MS)
    assert field.value() == 2.5


def test_opening_and_closing_again_and_again(qtbot: QtBot) -> None:
    for _ in range(4):
        explorer = Explorer()
        explorer.window.show()
        open_digits(qtbot, explorer)
        explorer.controller.train(until_step=10_000_000)
        wait_for(qtbot, explorer, EngineState.RUNNING)
        close_window(qtbot, explorer)
    assert [thread.name for thread in threading.enumerate() if "engine" in thread.name.lower()] == []


def test_closing_before_the_engine_was_started(qtbot: QtBot) -> None:
    explorer = Explorer()
    close_window(qtbot, explorer)
    assert not explorer.engine.isRunning()


def test_a_run_that_was_closed_opens_again(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    engine_window.controller.press_train()
    wait_for(qtbot, engine_window, EngineState.FINISHED)
    path = engine_window.controller.status.run_path
    close_window(qtbot, engine_window)

    second = Explorer()
    second.window.docks.build_rest()  # panels that come later are told once more what was opened
    opened: list[object] = []
    second.controller.run_opened.connect(opened.append)
    second.open(run=path)
    second.window.show()
    qtbot.waitUntil(lambda: second.controller.opened is not None and second.controller.opened.n_parameters > 0,
                    timeout=LONG_MS)  # fmt: skip
    assert second.controller.config.model.hidden == (32,)
    assert len(opened) == 1, "what was shown from the folder is not opened a second time"
    assert not second.controller.is_draft_new
    second.window.actions_.menus["recent_runs"].aboutToShow.emit()
    assert [action.text() for action in second.window.actions_.menus["recent_runs"].actions()] == [path.name]
    close_window(qtbot, second)


FIRST_PAINT = """
import sys
from pathlib import Path
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
app = QApplication([])
import vae_explorer.gui.app as gui
gui.demo_run_dir = lambda: Path(sys.argv[1])
explorer = gui.Explorer()
explorer.start_engine = None
explorer.window.painted.disconnect()
planes = []
explorer.controller.channel("plane").answered.connect(planes.append)
explorer.open()
def look():
    codes = explorer.controller.codes
    print(len(codes.indices), len(planes), "torch" in sys.modules, explorer.window.windowTitle())
    app.quit()
explorer.window.painted.connect(look, Qt.ConnectionType.QueuedConnection)
explorer.window.show()
app.exec()
"""


def test_the_first_paint_shows_a_stored_run_without_torch(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    engine_window.controller.press_train()
    wait_for(qtbot, engine_window, EngineState.FINISHED)
    path = engine_window.controller.status.run_path
    close_window(qtbot, engine_window)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT, str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    n_codes, n_planes, has_torch, title = done.stdout.split(maxsplit=3)
    assert (int(n_codes) > 100, n_planes, has_torch) == (True, "1", "False")
    assert "step 40" in title


# ---- files ----------------------------------------------------------------------------------------------------------


def train_on_array(path: Path, run_path: Path) -> None:
    """Write noise images to `path` and train a run of five steps on them."""
    np.save(path, np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    config = RunConfig().with_values({"data.name": str(path), "train.steps": 5, "train.device": "cpu"})
    train_headless(config=config, data=open_data(config.data), run_path=run_path)


def test_a_run_whose_images_have_moved_asks_where_they_are(
    qtbot: QtBot, engine_window: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before.npy", tmp_path / "after.npy"
    train_on_array(before, tmp_path / "run")
    before.rename(after)
    window = engine_window.window
    window.show()
    window.files.open_run(tmp_path / "run")
    qtbot.waitUntil(lambda: str(before) in window.notices.message, timeout=LONG_MS)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(after), ""))
    button = window.findChild(QToolButton, "notice_action")
    assert button is not None
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    wait_for(qtbot, engine_window, EngineState.FINISHED, EngineState.PAUSED)
    controller = engine_window.controller
    assert controller.opened.run_path == tmp_path / "run"
    assert window.notices.message == ""
    assert controller.config.data.name == str(after)
    assert not controller.is_draft_new
    open_digits(qtbot, engine_window)
    window.files.open_run(tmp_path / "run")
    qtbot.waitUntil(lambda: controller.opened.run_path == tmp_path / "run", timeout=LONG_MS)
    assert controller.config.data.name == str(after), "the place is remembered"


def test_a_run_and_a_place_open_the_run_with_its_images_there(
    qtbot: QtBot, engine_window: Explorer, tmp_path: Path
) -> None:
    before, after = tmp_path / "before.npy", tmp_path / "after.npy"
    train_on_array(before, tmp_path / "run")
    before.rename(after)
    engine_window.open(run=tmp_path / "run", dataset=str(after))
    wait_for(qtbot, engine_window, EngineState.FINISHED, EngineState.PAUSED)
    assert engine_window.controller.opened.run_path == tmp_path / "run"
    assert engine_window.controller.config.data.name == str(after)


@pytest.mark.parametrize(
    ("name", "kind", "start"),
    [
        ("/gone/train-images-idx3-ubyte", "file", "/gone/train-images-idx3-ubyte"),
        ("/gone/images.npz", "file", "/gone/images.npz"),
        ("/gone/pictures", "folder", "/gone/pictures"),
        ("mnist", "folder", "DATA"),
    ],
)
def test_moved_images_are_looked_for_as_what_they_were(
    engine_window: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, start: str
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: asked.append(("file", args[2])) or ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: asked.append(("folder", args[2])) or "")
    config = RunConfig().with_values({"data.name": name})
    folder = RunFolder.create(tmp_path / "run", config=config, data=make_data(), device="cpu")
    engine_window.window.files.locate_images(folder)
    assert asked == [(kind, str(tmp_path / "data") if start == "DATA" else start)]


def test_another_data_set_leaves_a_running_training_alone(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    controller, window = engine_window.controller, engine_window.window
    controller.train(until_step=10_000_000)
    wait_for(qtbot, engine_window, EngineState.RUNNING)
    run, digits = controller.opened, controller.data
    box = window.findChild(QComboBox, "data.name")
    box.activated.emit(box.findData("shapes"))
    qtbot.waitUntil(lambda: "Train new run" in window.notices.message, timeout=LONG_MS)
    assert controller.status.state is EngineState.RUNNING
    assert (controller.opened, controller.data) == (run, digits)
    assert controller.draft.data.name == "shapes"
    box.activated.emit(box.findData("digits"))
    assert not engine_window.loader.is_busy, "the images of the open run are there already"
    assert not controller.is_draft_new
    box.activated.emit(box.findData("shapes"))
    assert not engine_window.loader.is_busy
    controller.press_train()
    qtbot.waitUntil(lambda: controller.data is not digits, timeout=LONG_MS)
    assert controller.config.data.name == "shapes"


def test_the_open_dialog_keeps_the_form_and_takes_a_bare_name_for_a_path(
    qtbot: QtBot, engine_window: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for k in range(3):
        Image.fromarray(np.full((8, 8), 80 * k, np.uint8)).save(tmp_path / "pictures" / f"{k}.png")
    before = RunConfig().with_values({"data.binarize": "dynamic", "data.train_on": "all"}).data
    dialog = OpenDataDialog(engine_window.loader, before, "", engine_window.window)
    accepted: list[DataConfig] = []
    dialog.accepted_config.connect(accepted.append)
    dialog.show()
    field = dialog.findChild(QLineEdit, "data_path")
    qtbot.keyClicks(field, "pictures")
    field.editingFinished.emit()
    load = dialog.findChild(QWidget, "load")
    qtbot.waitUntil(load.isEnabled, timeout=LONG_MS)
    load.click()
    assert accepted == [msgspec.structs.replace(before, name=str(tmp_path / "pictures"))]


def test_data_that_cannot_be_read_is_a_notice_and_the_form_goes_back(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    controller, window = engine_window.controller, engine_window.window
    missing = controller.draft.with_values({"data.name": "/no/such/folder"}).data
    window.files.load_data(missing)
    qtbot.waitUntil(lambda: "/no/such/folder" in window.notices.message)
    assert controller.draft.data == controller.config.data
    window.notices.dismiss()
    assert not window.notices.isVisible()


def test_dropping_images_previews_them_and_dropping_a_run_opens_it(
    qtbot: QtBot, engine_window: Explorer, tmp_path: Path
) -> None:
    open_digits(qtbot, engine_window)
    window = engine_window.window
    array = tmp_path / "images.npy"
    np.save(array, np.random.default_rng(0).integers(0, 255, (30, 8, 8), dtype=np.uint8))
    drop(window, array)
    dialog = window.findChild(OpenDataDialog)
    assert not dialog.isModal()
    load = dialog.findChild(QWidget, "load")
    qtbot.waitUntil(load.isEnabled, timeout=LONG_MS)
    load.click()
    qtbot.waitUntil(lambda: len(engine_window.controller.data) == 30, timeout=LONG_MS)
    wait_for(qtbot, engine_window, EngineState.READY)
    engine_window.controller.press_train()
    wait_for(qtbot, engine_window, EngineState.FINISHED)
    path = engine_window.controller.status.run_path
    engine_window.controller.reset()
    wait_for(qtbot, engine_window, EngineState.READY)
    drop(window, path)
    qtbot.waitUntil(lambda: engine_window.controller.opened.run_path == path, timeout=LONG_MS)


def drop(window: QWidget, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    window.dropEvent(
        QDropEvent(
            QPointF(9, 9), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )


def test_a_run_without_a_folder_is_said_so(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    engine_window.window.actions_["reveal"].trigger()
    assert "no folder yet" in engine_window.window.notices.message


# ---- keys, help, look -----------------------------------------------------------------------------------------------


def test_every_key_is_given_once_and_every_action_says_what_it_does(engine_window: Explorer) -> None:
    actions = engine_window.window.actions_
    rows = actions.described()
    keys = [key for _, keys, _ in rows for key in keys.split(" or ")]
    assert len(keys) == len(set(keys))
    assert all(help_ for _, _, help_ in rows)


def test_selection_by_keys(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    controller, actions = engine_window.controller, engine_window.window.actions_
    qtbot.waitUntil(lambda: controller.codes is not None and controller.codes.is_complete, timeout=LONG_MS)
    actions["best_image"].trigger()
    assert controller.selection.image == int(np.argmax(controller.codes.elbo))
    best = controller.selection.image
    actions["next_image"].trigger()
    assert controller.selection.image == (best + 1) % 1797
    actions["select_back"].trigger()
    assert controller.selection.image == best
    actions["find_image"].trigger()
    assert QApplication.focusWidget().objectName() == "find_index"


def test_help_and_about_block_nothing(qtbot: QtBot, engine_window: Explorer) -> None:
    window = engine_window.window
    for name in ("shortcuts", "about"):
        window.actions_[name].trigger()
        shown = window.findChild(TextWindow, name)
        assert shown.isVisible()
        assert not shown.isModal()
        shown.close()


def ground_lightness(widget: QWidget) -> int:
    return widget.grab().toImage().pixelColor(3, 3).lightness()


def test_light_and_dark(qtbot: QtBot, engine_window: Explorer, light_after: None) -> None:
    window = engine_window.window
    looks = {}
    for name in ("light", "dark"):
        window.actions_.themes[name].trigger()
        looks[name] = QApplication.palette().color(QPalette.ColorRole.Window).lightness()
        qtbot.waitUntil(lambda light=looks[name]: abs(ground_lightness(window.docks.panels.map) - light) < 40)
    assert looks["dark"] < 60 < 200 < looks["light"]


def test_text_size_stays_within_limits(qtbot: QtBot, engine_window: Explorer, light_after: None) -> None:
    window, before = engine_window.window, QApplication.font().pointSizeF()
    window.actions_["larger_text"].trigger()
    assert QApplication.font().pointSizeF() == pytest.approx(1.1 * before)
    for _ in range(20):
        window.actions_["smaller_text"].trigger()
    assert window.view.text_size == 70
    window.actions_["normal_text"].trigger()
    assert QApplication.font().pointSizeF() == pytest.approx(before)


def test_nothing_in_the_tool_bar_is_clipped_at_1280(qtbot: QtBot, engine_window: Explorer) -> None:
    open_digits(qtbot, engine_window)
    window = engine_window.window
    window.resize(1280, 800)
    bar = window.findChild(QWidget, "run_tool_bar")
    for label in bar.findChildren(QLabel):
        if label.isVisible() and label.text():
            assert label.width() >= label.sizeHint().width(), label.text()
    assert not bar.findChild(QToolButton, "qt_toolbar_ext_button").isVisible()


def test_numbers_have_a_true_minus() -> None:
    assert number_text(-1234.5, 2) == "−1,234.50"


def test_a_failed_engine_is_reported_with_details(
    qtbot: QtBot, engine_window: Explorer, expected_logs: list[str]
) -> None:
    expected_logs.append("engine failed during SetLive")
    open_digits(qtbot, engine_window)
    engine_window.mailbox.put(SetLive("learning_rate", -1.0))
    qtbot.waitUntil(lambda: "learning_rate" in engine_window.window.notices.message, timeout=LONG_MS)
    assert engine_window.controller.status.state is EngineState.READY


def test_the_open_dialog_is_a_plain_window(qtbot: QtBot, engine_window: Explorer) -> None:
    engine_window.window.actions_["open_data"].trigger()
    dialog = engine_window.window.findChild(QDialog, "open_data_dialog")
    assert dialog.isVisible()
    assert RunConfig().data.name == engine_window.controller.draft.data.name
    dialog.close()
