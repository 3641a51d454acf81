"""The View menu: which panels are shown and where, the theme, the size of the text; all of it remembered."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMainWindow

from vae_explorer.gui.actions import THEMES, WindowActions
from vae_explorer.gui.docks import Docks
from vae_explorer.gui.theme import ThemeName, apply_text_size, apply_theme
from vae_explorer.gui.window_state import restore_cloud_look, restore_layout, save_cloud_look

TEXT_SIZES = (70, 200)
"""Smallest and largest text, percent of the desktop's."""
TEXT_STEP = 10


class ViewCommands(QObject):
    """theme: 'system', 'light' or 'dark'; text_size: percent of the desktop's."""

    def __init__(self, window: QMainWindow, docks: Docks, actions: WindowActions, settings: QSettings) -> None:
        super().__init__(window)
        self._window, self._docks, self._actions, self._settings = window, docks, actions, settings
        self.theme: ThemeName = "system"
        self.text_size = 100
        for dock in docks.by_name.values():
            actions.menus["panels"].addAction(dock.toggleViewAction())
        for action in actions.themes.values():
            action.triggered.connect(self._on_theme_chosen)
        actions["larger_text"].triggered.connect(self._on_larger_text)
        actions["smaller_text"].triggered.connect(self._on_smaller_text)
        actions["normal_text"].triggered.connect(self._on_normal_text)
        actions["reset_layout"].triggered.connect(docks.arrange)
        docks.panels.map.colours.changed.connect(self._on_cloud_chosen)
        self._app.styleHints().colorSchemeChanged.connect(self._on_desktop_changed)

    @property
    def _app(self) -> QApplication:
        return cast(QApplication, QApplication.instance())

    def restore(self) -> None:
        """Bring back what was remembered; the first layout where there is nothing, or nothing sound."""
        name = str(self._settings.value("window/theme", "system"))
        self.set_theme(next((known for known in THEMES if known == name), "system"))
        size = str(self._settings.value("window/text_size", 100))
        self.set_text_size(int(size) if size.isdecimal() else 100)
        self._docks.panels.map.colours.set_look(restore_cloud_look(self._settings))
        if not restore_layout(self._settings, self._window):
            self._docks.arrange()

    def set_theme(self, name: ThemeName) -> None:
        """Use and remember a theme."""
        self.theme = name
        self._actions.themes[name].setChecked(True)
        self._settings.setValue("window/theme", name)
        apply_theme(self._app, name)

    def set_text_size(self, percent: int) -> None:
        """Use and remember a size of text, within limits."""
        before, self.text_size = self.text_size, min(max(percent, TEXT_SIZES[0]), TEXT_SIZES[1])
        self._settings.setValue("window/text_size", self.text_size)
        if self.text_size != before:
            apply_text_size(self._app, self.text_size)

    @Slot()
    def _on_theme_chosen(self) -> None:
        chosen: QAction = self._actions.themes["system"].actionGroup().checkedAction()
        self.set_theme(next(name for name, action in self._actions.themes.items() if action is chosen))

    @Slot()
    def _on_desktop_changed(self) -> None:
        if self.theme == "system":
            apply_theme(self._app, "system")

    @Slot()
    def _on_cloud_chosen(self) -> None:
        save_cloud_look(self._settings, self._docks.panels.map.colours.look)

    @Slot()
    def _on_larger_text(self) -> None:
        self.set_text_size(self.text_size + TEXT_STEP)

    @Slot()
    def _on_smaller_text(self) -> None:
        self.set_text_size(self.text_size - TEXT_STEP)

    @Slot()
    def _on_normal_text(self) -> None:
        self.set_text_size(100)
