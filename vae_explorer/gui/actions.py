"""Every action of the window with its words and its key, and the menus that they lie in."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from vae_explorer.gui.theme import ThemeName


@dataclass(frozen=True)
class ActionSpec:
    """name: of the QAction (its objectName is 'action_' + name); keys: shortcuts as QKeySequence reads them."""

    name: str
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""


SPECS = (
    ActionSpec("new_run", "&New run", ("Ctrl+N",), "Untrained weights from the settings of the form."),
    ActionSpec("open_data", "Open &data ...", ("Ctrl+O",), "Images of your own: a folder, .npz, .npy or IDX files."),
    ActionSpec("open_run", "Open &run ...", ("Ctrl+Shift+O",), "A run folder from before."),
    ActionSpec("reveal", "Show run &folder", ("Ctrl+Shift+F",), "Open the folder of this run in the file manager."),
    ActionSpec("save", "&Save checkpoint", ("Ctrl+S",), "Write the weights of this step into the run folder."),
    ActionSpec("export", "&Export ...", ("Ctrl+E",), "Write what the gallery shows as a picture or as arrays."),
    ActionSpec("quit", "&Quit", ("Ctrl+Q",), "Save the run and close the window."),
    ActionSpec("train", "&Train", ("F5",), "Start or go on training."),
    ActionSpec("pause", "&Pause", ("F6",), "Stop after this step and save."),
    ActionSpec("step", "S&tep", ("F7",), "Do one update."),
    ActionSpec("stop", "&Stop", ("F8",), "End the run and save it."),
    ActionSpec("reset", "&Reset", ("Ctrl+R",), "Untrained weights again, in a run of its own."),
    ActionSpec("select_back", "&Back", ("Alt+Left", "Ctrl+Z"), "Look again at what was selected before."),
    ActionSpec("select_forward", "&Forward", ("Alt+Right", "Ctrl+Shift+Z"), "Undo going back."),
    ActionSpec("find_image", "Find &image by index", ("Ctrl+F",), "Go to the field that takes an image's index."),
    ActionSpec("next_image", "&Next image", ("Ctrl+Right",), "The image after the selected one."),
    ActionSpec("previous_image", "&Previous image", ("Ctrl+Left",), "The image before the selected one."),
    ActionSpec("best_image", "Be&st image", ("Ctrl+Up",), "The image with the highest ELBO; again: the next best."),
    ActionSpec("worst_image", "&Worst image", ("Ctrl+Down",), "The image with the lowest ELBO; again: the next worst."),
    ActionSpec("larger_text", "&Larger text", ("Ctrl++", "Ctrl+="), "All text 10 % larger."),
    ActionSpec("smaller_text", "&Smaller text", ("Ctrl+-",), "All text 10 % smaller."),
    ActionSpec("normal_text", "&Normal text", ("Ctrl+0",), "Text in the desktop's size."),
    ActionSpec("reset_layout", "&Reset layout", (), "Put all panels back to where they were at first."),
    ActionSpec("shortcuts", "&Keyboard shortcuts", ("F1",), "What every key does."),
    ActionSpec("about", "&About vae-explorer", (), "Version, licence, folders."),
)

MENUS: dict[str, tuple[str | None, ...]] = {
    "&File": ("new_run", None, "open_data", "open_run", "recent_runs", None, "save", "reveal", "export", None, "quit"),
    "&Train": ("train", "pause", "step", "stop", None, "reset"),
    "&Selection": (
        "select_back", "select_forward", None,
        "find_image", "next_image", "previous_image", "best_image", "worst_image",
    ),
    "&View": ("panels", None, "theme", "larger_text", "smaller_text", "normal_text", None, "reset_layout"),
    "&Help": ("shortcuts", "about"),
}  # fmt: skip
"""Menus in order; None is a line. 'recent_runs', 'panels' and 'theme' are menus that are filled by the window."""

SUBMENUS = {"recent_runs": "Re&cent runs", "panels": "&Panels", "theme": "&Theme"}
THEMES: dict[ThemeName, str] = {"system": "As the &desktop", "light": "&Light", "dark": "&Dark"}


class WindowActions(QObject):
    """All actions, by name as attributes of `self[name]`; menus by name in `menus`; theme actions in `themes`."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._actions = {spec.name: self._make(spec, window) for spec in SPECS}
        self["quit"].setMenuRole(QAction.MenuRole.QuitRole)
        self["about"].setMenuRole(QAction.MenuRole.AboutRole)
        self.menus: dict[str, QMenu] = {}
        self.themes = self._make_themes()
        for title, names in MENUS.items():
            menu = window.menuBar().addMenu(self.tr(title))
            menu.setToolTipsVisible(True)
            for name in names:
                self._add(menu, name)

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def described(self) -> list[tuple[str, str, str]]:
        """Return (text, keys, help) of every action that has a key, in the order of the menus."""
        return [
            (
                action.text().replace("&", ""),
                " or ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()),
                action.statusTip(),
            )
            for action in self._actions.values()
            if action.shortcuts()
        ]

    def _make(self, spec: ActionSpec, window: QMainWindow) -> QAction:
        action = QAction(self.tr(spec.text), window)
        action.setObjectName(f"action_{spec.name}")
        action.setShortcuts([QKeySequence(keys) for keys in spec.keys])
        tip = self.tr(spec.tip)
        action.setStatusTip(tip)
        keys = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText) if spec.keys else ""
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        # Parts of the window may float; its keys work there too.
        window.addAction(action)
        return action

    def _make_themes(self) -> dict[ThemeName, QAction]:
        group = QActionGroup(self)
        themes: dict[ThemeName, QAction] = {}
        for name, text in THEMES.items():
            action = QAction(self.tr(text), group)
            action.setObjectName(f"action_theme_{name}")
            action.setCheckable(True)
            themes[name] = action
        return themes

    def _add(self, menu: QMenu, name: str | None) -> None:
        if name is None:
            menu.addSeparator()
        elif name in SUBMENUS:
            self.menus[name] = menu.addMenu(self.tr(SUBMENUS[name]))
            self.menus[name].setObjectName(f"menu_{name}")
            if name == "theme":
                self.menus[name].addActions(list(self.themes.values()))
        else:
            menu.addAction(self[name])
