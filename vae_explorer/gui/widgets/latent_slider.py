"""`LatentSlider`: one latent dimension as a row: name, bar of its KL, slider, number."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme, tabular_font
from vae_explorer.gui.widgets.latent_view import latent_name
from vae_explorer.gui.widgets.number_field import NumberField

SLIDER_STEPS = 1000
ROW_PX = 28


class KlBar(QWidget):
    """A small bar in the colour of the KL; full for the most used dimension."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self.setFixedSize(5 * GRID_PX, ROW_PX)

    def set_kl(self, kl: float | None, largest: float) -> None:
        """Show a KL in nats as a share of the largest; None hides the bar (an autoencoder has none)."""
        self.setVisible(kl is not None)
        self._share = 0.0 if kl is None or largest <= 0 else min(max(kl / largest, 0.0), 1.0)
        self.setToolTip(
            "" if kl is None else self.tr("KL of this dimension: {kl} nats per image").format(kl=f"{kl:.3g}")
        )
        self.update()

    @property
    def share(self) -> float:
        """How full the bar is, 0 to 1."""
        return self._share

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = QRectF(0, self.height() / 2 - 3, self.width(), 6)
        painter.fillRect(ground, QColor(theme.raised))
        painter.fillRect(QRectF(ground.x(), ground.y(), max(1.0, ground.width() * self._share), 6), QColor(theme.kl))
        painter.end()


class LatentSlider(QWidget):
    """Shows and changes one coordinate of a code.

    moved(int, float, bool): dimension, value, and whether it is final (False while the slider is dragged).
    """

    moved = Signal(int, float, bool)

    def __init__(self, dim: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dim = dim
        self._low, self._high = -3.0, 3.0
        name = self.tr("latent dimension {dim}").format(dim=dim)
        label = QLabel(latent_name(dim))
        label.setFixedWidth(4 * GRID_PX)
        label.setFont(tabular_font(self.font()))
        label.setToolTip(name)
        self.bar = KlBar()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName(f"slider_{dim}")
        self.slider.setAccessibleName(name)
        self.slider.setRange(0, SLIDER_STEPS)
        self.slider.setSingleStep(SLIDER_STEPS // 100)
        self.slider.setPageStep(SLIDER_STEPS // 10)
        self.field = NumberField(0.0, step=0.1)
        self.field.setObjectName(f"slider_field_{dim}")
        self.field.setAccessibleName(name)
        self.field.set_help(self.tr("{name}; also numbers beyond the slider.").format(name=latent_name(dim)))
        self.field.setFixedWidth(8 * GRID_PX)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        for widget in (label, self.bar, self.slider, self.field):
            row.addWidget(widget)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(self._on_released)
        self.field.value_changed.connect(self._on_field)

    def set_range(self, low: float, high: float) -> None:
        """Choose how far the slider reaches; numbers outside can still be typed."""
        self._low, self._high = low, high
        self.slider.setToolTip(
            self.tr("{low} to {high}, the range of the codes").format(low=f"{low:.2f}", high=f"{high:.2f}")
        )

    def set_value(self, value: float) -> None:
        """Show a coordinate without emitting; one outside of the range leaves the slider at its end."""
        share = (value - self._low) / (self._high - self._low)
        was_blocked = self.slider.blockSignals(True)
        self.slider.setValue(round(min(max(share, 0.0), 1.0) * SLIDER_STEPS))
        self.slider.blockSignals(was_blocked)
        self.field.set_value(round(value, 3))

    def _value_of_slider(self) -> float:
        return self._low + self.slider.value() / SLIDER_STEPS * (self._high - self._low)

    def _on_slider(self) -> None:
        self.moved.emit(self.dim, self._value_of_slider(), not self.slider.isSliderDown())

    def _on_released(self) -> None:
        self.moved.emit(self.dim, self._value_of_slider(), True)

    def _on_field(self, value: float) -> None:
        self.moved.emit(self.dim, value, True)
