"""`BoundEquation`: elbo = -(distortion + kl) of one image, each term in its colour, nats per image."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme, tabular_font
from vae_explorer.gui.widgets.plot_style import tick_font
from vae_explorer.gui.widgets.still_room import StillRoom

MINUS = "−"


def nats(value: float) -> str:
    """Return a figure in nats with two decimals below 100, one below 1000, none above, and a true minus sign."""
    size = abs(value)
    digits = 2 if size < 99.995 else 1 if size < 999.95 else 0
    return f"{value:,.{digits}f}".replace("-", MINUS)


class BoundEquation(QWidget):
    """Figures over their names; without a bound (an autoencoder) the reconstruction loss alone.

    Labels are hidden within their rooms, which stay: the panel does not jump when an image is selected.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID_PX // 2)
        grid.setVerticalSpacing(0)
        self._error = QLabel()
        self._error.setObjectName("elbo_error")
        self._error.setToolTip(
            self.tr("Standard error of this ELBO: its reconstruction term is a mean over 64 draws of z from q(z|x).")
        )
        self._figures = {name: self._figure(name) for name in ("elbo", "distortion", "kl")}
        self._names = {name: QLabel(text) for name, text in self._words().items()}
        self._signs = [QLabel(sign) for sign in (f"= {MINUS}(", "+", ")")]
        columns = (
            self._figures["elbo"], self._signs[0], self._figures["distortion"], self._signs[1], self._figures["kl"],
            self._signs[2],
        )  # fmt: skip
        for column, label in enumerate(columns):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(StillRoom(label), 0, column)
        for column, name in ((0, "elbo"), (2, "distortion"), (4, "kl")):
            label = self._names[name]
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setToolTip(self._figures[name].toolTip())
            grid.addWidget(StillRoom(label), 1, column)
        grid.addWidget(StillRoom(self._error), 2, 0, 1, len(columns), Qt.AlignmentFlag.AlignLeft)
        grid.setColumnStretch(len(columns), 1)
        self.set_terms(None)
        self._restyle()

    def set_terms(
        self,
        distortion: float | None,
        kl: float | None = None,
        elbo: float | None = None,
        elbo_error: float | None = None,
    ) -> None:
        """Show the terms of one image in nats; NaN or None where a term does not exist, distortion None for nothing."""
        has_bound = elbo is not None and kl is not None and math.isfinite(elbo)
        for name, value in (("elbo", elbo), ("distortion", distortion), ("kl", kl)):
            is_known = value is not None and math.isfinite(value)
            self._figures[name].setText(nats(value) if is_known and value is not None else "")
        for widget in (self._figures["elbo"], self._figures["kl"], self._names["elbo"], self._names["kl"]):
            widget.setVisible(has_bound)
        for sign in self._signs:
            sign.setVisible(has_bound)
        is_error_known = has_bound and elbo_error is not None and math.isfinite(elbo_error)
        self._error.setText(
            self.tr("ELBO ± {error} nats, from 64 draws").format(error=nats(elbo_error or 0.0))
            if is_error_known
            else self.tr("nats per image")
        )
        self._names["distortion"].setVisible(distortion is not None)
        self._error.setVisible(distortion is not None)
        self.setAccessibleName(self._sentence(distortion, kl if has_bound else None, elbo if has_bound else None))

    def _sentence(self, distortion: float | None, kl: float | None, elbo: float | None) -> str:
        if distortion is None:
            return self.tr("no image is selected")
        if kl is None or elbo is None:
            return self.tr("reconstruction loss {d} nats").format(d=nats(distortion))
        return self.tr("ELBO {e} = minus reconstruction loss {d} minus KL {k}, nats").format(
            e=nats(elbo), d=nats(distortion), k=nats(kl)
        )

    def _figure(self, name: str) -> QLabel:
        label = QLabel()
        label.setObjectName(f"here_{name}")
        label.setToolTip(self._meanings()[name])
        return label

    def _words(self) -> dict[str, str]:
        return {"elbo": self.tr("ELBO"), "distortion": self.tr("Recon. loss"), "kl": self.tr("KL")}

    def _meanings(self) -> dict[str, str]:
        return {
            "elbo": self.tr("ELBO: a lower bound of log p(x), nats per image; higher is better."),
            "distortion": self.tr("Reconstruction loss: minus the mean of log p(x|z) over q(z|x), nats per image."),
            "kl": self.tr("KL: how far q(z|x) is from the prior, nats per image; what the code costs."),
        }

    def _restyle(self) -> None:
        theme = current_theme()
        font = tabular_font(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        for name, label in self._figures.items():
            label.setFont(font)
            label.setStyleSheet(f"color: {getattr(theme, name)};")
        for label in (*self._names.values(), self._error):
            label.setFont(tick_font())
            label.setStyleSheet(f"color: {theme.muted};")

    # ---- Qt -------------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()
        super().changeEvent(event)
