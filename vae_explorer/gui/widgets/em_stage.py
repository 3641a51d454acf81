"""`EmStage`: points and ellipses beside the curve that they climb, with two lines of words below."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme
from vae_explorer.gui.widgets.ascent_plot import AscentPlot
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.theatre_map import TheatreMap


class EmStage(QWidget):
    """map, plot: what is looked at. The upper line says what a step did, the lower one of what."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map, self.plot = TheatreMap(), AscentPlot()
        self.map.setObjectName(f"{name}_map")
        self.plot.setObjectName(f"{name}_plot")
        self.map.setAccessibleName(self.tr("points and Gaussians; the lines below say what they do"))
        self.plot.setAccessibleName(self.tr("curve of the bound; the lines below say its newest value"))
        self._told, self._of = QLabel(), QLabel()
        for label, part in ((self._told, "told"), (self._of, "of")):
            label.setObjectName(f"{name}_{part}")
            label.setFont(tick_font())
            label.setTextFormat(Qt.TextFormat.RichText)
            # Before the wrapping, which adds to the policy that the height follows from the width.
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            label.setWordWrap(True)
            # What Qt takes for the least height of wrapped text grows with the text, and the dock with it.
            label.setMinimumHeight(label.fontMetrics().lineSpacing())
        row = QHBoxLayout()
        row.setSpacing(GRID_PX)
        row.addWidget(self.map, 1)
        row.addWidget(self.plot, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row, 1)
        column.addWidget(self._told)
        column.addWidget(self._of)
        self._restyle()

    def tell(self, text: str, *, is_error: bool = False) -> None:
        """Say what the last step did, as rich text."""
        theme = current_theme()
        self._told.setText(text)
        self._told.setStyleSheet(f"color: {theme.error if is_error else theme.text};")

    def tell_of(self, text: str) -> None:
        """Say what is shown, as rich text."""
        self._of.setText(text)
        self._of.setVisible(bool(text))

    def _restyle(self) -> None:
        self.map.restyle()
        self.plot.restyle()
        self._told.setStyleSheet(f"color: {current_theme().text};")
        self._of.setStyleSheet(f"color: {current_theme().muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
