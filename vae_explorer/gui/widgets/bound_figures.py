"""`BoundFigures`: log p(x) = ELBO + amortisation gap + family gap of one image, with errors, nats."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme, tabular_font
from vae_explorer.gui.widgets.bound_reading import BoundReading, error_text, plain_nats
from vae_explorer.gui.widgets.plot_style import tick_font

NAMES = ("log_px", "elbo", "amortisation", "family")


class BoundFigures(QWidget):
    """Figures over their names and errors; the gap as one figure while its parts are unknown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID_PX // 2)
        grid.setVerticalSpacing(0)
        self._figures, self._names, self._errors = ({name: QLabel() for name in NAMES} for _ in range(3))
        self._signs = [QLabel(sign) for sign in ("=", "+", "+")]
        for place, name in enumerate(NAMES):
            for row, label in enumerate((self._figures[name], self._names[name], self._errors[name])):
                label.setAlignment(Qt.AlignmentFlag.AlignCenter)
                label.setToolTip(self._meanings()[name])
                grid.addWidget(label, row, 2 * place)
            self._figures[name].setObjectName(f"bound_{name}")
            self._errors[name].setObjectName(f"bound_{name}_error")
        for place, sign in enumerate(self._signs):
            grid.addWidget(sign, 0, 2 * place + 1)
        grid.setColumnStretch(2 * len(NAMES), 1)
        self.set_reading(None)
        self._restyle()

    def set_reading(self, reading: BoundReading | None) -> None:
        """Show the figures of one image, or dashes."""
        has_parts = reading is not None and reading.amortisation is not None
        texts = dict.fromkeys(NAMES, "–")
        errors = dict.fromkeys(NAMES, "")
        if reading is not None:
            rest = reading.log_px - reading.elbo if reading.to_win is None else reading.to_win
            texts = {
                "log_px": plain_nats(reading.log_px), "elbo": plain_nats(reading.elbo),
                "amortisation": plain_nats(rest), "family": plain_nats(reading.family or 0.0),
            }  # fmt: skip
            errors["log_px"] = error_text(reading.error)
            errors["elbo"] = "" if reading.start_error is None else error_text(reading.start_error)
        for name in NAMES:
            self._figures[name].setText(texts[name])
            self._errors[name].setText(errors[name])
        is_estimated = reading is not None and not reading.is_exact
        self._names["log_px"].setText(self.tr("log p(x) est.") if is_estimated else self.tr("log p(x)"))
        self._names["elbo"].setText(self.tr("ELBO"))
        gap = self.tr("gap estimate") if is_estimated else self.tr("gap")
        self._names["amortisation"].setText(self.tr("amortisation gap") if has_parts else gap)
        self._names["family"].setText(self.tr("family gap"))
        for widget in (self._signs[2], self._figures["family"], self._names["family"]):
            widget.setVisible(has_parts)
        self.setAccessibleName(_sentence(self, texts, has_parts=has_parts) if reading is not None else "")

    def _meanings(self) -> dict[str, str]:
        return {
            "log_px": self.tr("log p(x), nats: how probable the model finds this image; no q is in it."),
            "elbo": self.tr("ELBO, nats: the bound below log p(x) that the q which is shown gives for this image."),
            "amortisation": self.tr(
                "Amortisation gap, nats: what a mean and scale chosen for this image alone would win over the "
                "encoder's. The whole gap is KL[q(z|x) ‖ p(z|x)]."
            ),
            "family": self.tr(
                "Family gap, nats: what is left under the best q, since the true posterior is no diagonal Gaussian."
            ),
        }

    def _restyle(self) -> None:
        theme = current_theme()
        font = tabular_font(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        colours = {"log_px": theme.text, "elbo": theme.elbo, "amortisation": theme.gap, "family": theme.gap}
        for name in NAMES:
            self._figures[name].setFont(font)
            self._figures[name].setStyleSheet(f"color: {colours[name]};")
            for label in (self._names[name], self._errors[name]):
                label.setFont(tick_font())
                label.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
        super().changeEvent(event)


def _sentence(widget: QWidget, texts: dict[str, str], *, has_parts: bool) -> str:
    if not has_parts:
        return widget.tr("log p(x) {log_px} = ELBO {elbo} + gap {amortisation}, nats").format(**texts)
    text = widget.tr("log p(x) {log_px} = ELBO {elbo} + amortisation gap {amortisation} + family gap {family}, nats")
    return text.format(**texts)
