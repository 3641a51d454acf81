"""`GlyphButton`: a small button that shows an icon alone, redrawn when the theme changes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QToolButton, QWidget

from vae_explorer.gui.icons import IconName, make_icon


class GlyphButton(QToolButton):
    """A tool button with an icon; `name` is its tooltip and what a screen reader says."""

    def __init__(self, icon: IconName, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name: IconName = icon
        self.setIconSize(QSize(16, 16))
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setIcon(make_icon(icon))

    def set_icon(self, icon: IconName) -> None:
        """Show another icon."""
        if icon != self._icon_name:
            self._icon_name = icon
            self.setIcon(make_icon(icon))

    @property
    def icon_name(self) -> IconName:
        """The icon that is shown."""
        return self._icon_name

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.setIcon(make_icon(self._icon_name))
