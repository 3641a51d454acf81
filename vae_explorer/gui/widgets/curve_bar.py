"""`CurveBar`: which terms are drawn, over what, how smooth, and a way back to all of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QSlider, QToolButton, QWidget

from vae_explorer.gui.theme import GRID_PX, current_theme, tabular_font
from vae_explorer.gui.widgets.curve_store import EXTRAS, OVERLAYS, TERMS, Term, XAxis
from vae_explorer.gui.widgets.curve_text import term_help, term_name
from vae_explorer.gui.widgets.plot_style import term_colour

USUALLY_ON: tuple[Term, ...] = ("objective", "bound", "classification_error")
"""Further curves that are drawn as soon as a run has them; the others wait to be asked for."""


class CurveBar(QWidget):
    """The controls above the curves.

    terms_changed(), x_axis_changed(), smoothing_changed(): the person chose something else. fit_asked(): show all.
    """

    terms_changed = Signal()
    x_axis_changed = Signal()
    smoothing_changed = Signal()
    fit_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._toggles = {term: self._make_toggle(term) for term in TERMS}
        self._make_more()
        self._make_x_choice()
        self._make_smoothing()
        self._fit = QToolButton()
        self._fit.setObjectName("curves_fit")
        self._fit.setText(self.tr("Fit"))
        self._fit.setToolTip(self.tr("Show all of the curves again and follow them (also: double click)."))
        self._fit.clicked.connect(self.fit_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        for toggle in self._toggles.values():
            row.addWidget(toggle)
        row.addWidget(self._more)
        row.addStretch(1)
        for widget in (QLabel(self.tr("Smooth")), self._slider, self._weight, self._x_choice, self._fit):
            row.addWidget(widget)
        self._show_smoothing()
        self.restyle()

    def _make_toggle(self, term: Term) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"curves_show_{term}")
        button.setText(term_name(term, is_short=True))
        button.setToolTip(term_help(term))
        button.setCheckable(True)
        button.setChecked(True)
        button.toggled.connect(self.terms_changed)
        return button

    def _make_more(self) -> None:
        self._more = QToolButton()
        self._more.setObjectName("curves_more")
        self._more.setText(self.tr("More"))
        self._more.setToolTip(self.tr("Further figures that this run has: what is maximised, beta, other terms."))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._more)
        menu.setToolTipsVisible(True)
        self._extras: dict[Term, QAction] = {}
        for term in (*OVERLAYS, *EXTRAS):
            action = menu.addAction(term_name(term))
            action.setObjectName(f"curves_show_{term}")
            action.setToolTip(term_help(term))
            action.setCheckable(True)
            action.setChecked(term in USUALLY_ON)
            action.setVisible(False)
            action.toggled.connect(self.terms_changed)
            self._extras[term] = action
        self._more.setMenu(menu)
        self._more.hide()

    def _make_x_choice(self) -> None:
        self._x_choice = QComboBox()
        self._x_choice.setObjectName("curves_x_axis")
        for label, value in ((self.tr("Step"), "step"), (self.tr("Epoch"), "epoch"), (self.tr("Time"), "time")):
            self._x_choice.addItem(label, value)
        self._x_choice.setToolTip(self.tr("What the horizontal axis counts; time is time spent training."))
        self._x_choice.currentIndexChanged.connect(self.x_axis_changed)

    def _make_smoothing(self) -> None:
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("curves_smoothing")
        self._slider.setRange(0, 20)
        self._slider.setMinimumWidth(6 * GRID_PX)
        self._slider.setMaximumWidth(15 * GRID_PX)
        self._slider.setAccessibleName(self.tr("Smoothing of the training curves"))
        self._slider.valueChanged.connect(self._on_slider)
        self._weight = QLabel()
        self._weight.setFont(tabular_font(self.font()))

    # ---- what is chosen -------------------------------------------------------------------------------------------

    @property
    def terms(self) -> list[Term]:
        """The terms that are switched on and that the model has, in order."""
        return [term for term, toggle in self._toggles.items() if toggle.isChecked() and not toggle.isHidden()]

    @property
    def further(self) -> list[Term]:
        """The overlays and extras that are switched on and that the run has, in order."""
        return [term for term, action in self._extras.items() if action.isVisible() and action.isChecked()]

    def set_known(self, known: set[Term]) -> None:
        """Offer these overlays and extras, and no others."""
        for term, action in self._extras.items():
            action.setVisible(term in known)
        self._more.setVisible(bool(known))

    def set_wanted(self, term: Term, is_wanted: bool) -> None:
        """Switch an overlay or extra on or off, without a signal."""
        was_blocked = self._extras[term].blockSignals(True)
        self._extras[term].setChecked(is_wanted)
        self._extras[term].blockSignals(was_blocked)

    @property
    def x_axis(self) -> XAxis:
        """What the horizontal axis counts."""
        axis: XAxis = self._x_choice.currentData()
        return axis

    @property
    def smoothing(self) -> float:
        """Share of the past that a smoothed point keeps, 0 to 0.99, finer towards the strong end."""
        return float(1.0 - 10.0 ** (-self._slider.value() / 10.0))

    def set_has_bound(self, has_bound: bool) -> None:
        """Offer ELBO and KL, or the reconstruction loss alone (an autoencoder)."""
        for term in ("elbo", "kl"):
            self._toggles[term].setVisible(has_bound)

    def set_can_fit(self, can_fit: bool) -> None:
        """Whether there is anything that Fit would change."""
        self._fit.setEnabled(can_fit)

    def restyle(self) -> None:
        """Take the colours of the current theme."""
        theme = current_theme()
        self._more.setStyleSheet(
            f"QToolButton {{ border: 1px solid {theme.line}; border-radius: 4px; padding: 2px 14px 2px 8px;"
            f" color: {theme.text}; background: transparent; }} QToolButton:focus {{ border-color: {theme.accent}; }}"
        )
        for term, toggle in self._toggles.items():
            toggle.setStyleSheet(
                f"QToolButton {{ border: 1px solid {theme.line}; border-radius: 4px; padding: 2px 8px;"
                f" color: {theme.muted}; background: transparent; }}"
                f"QToolButton:checked {{ color: {term_colour(term, theme).name()}; background: {theme.surface};"
                f" font-weight: 600; }} QToolButton:focus {{ border-color: {theme.accent}; }}"
            )
        self._weight.setStyleSheet(f"color: {theme.muted};")

    def _on_slider(self) -> None:
        self._show_smoothing()
        self.smoothing_changed.emit()

    def _show_smoothing(self) -> None:
        share = f"{self.smoothing:.2f}"
        self._weight.setText(share)
        help_ = self.tr("Each training point keeps {share} of the past; held-out points stay as they are.")
        self._slider.setToolTip(help_.format(share=share))
