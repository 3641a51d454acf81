"""Colours and sizes of the window, light and dark: one accent, one colour a term, a palette for classes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget

GRID_PX = 8
"""Every margin and gap is a multiple of this (or half of it inside one control)."""

ThemeName = Literal["system", "light", "dark"]


@dataclass(frozen=True)
class Theme:
    """One set of colours, as '#rrggbb'. Terms keep their colour everywhere: curve, bar, formula."""

    is_dark: bool
    window: str
    surface: str
    raised: str
    field: str
    text: str
    muted: str
    line: str
    accent: str
    accent_text: str
    warning: str
    error: str
    elbo: str
    kl: str
    distortion: str
    gap: str
    selection: str
    end_a: str
    end_b: str
    classes: tuple[str, ...]

    def class_colour(self, label: int) -> str:
        """Colour of a class; labels past the palette repeat it, unknown (-1) is the muted grey."""
        return self.muted if label < 0 else self.classes[label % len(self.classes)]


# Class colours after Paul Tol's "muted" and Okabe-Ito sets, lightness adjusted to the ground they lie on.
LIGHT = Theme(
    is_dark=False, window="#f4f5f7", surface="#ffffff", raised="#e9ebef", field="#ffffff",
    text="#1b1e24", muted="#626a78", line="#d3d7de", accent="#2f5bd8", accent_text="#ffffff",
    warning="#8a5a00", error="#b3261e",
    elbo="#2f5bd8", kl="#b4436c", distortion="#3d7a52", gap="#b25d0b",
    selection="#111111", end_a="#111111", end_b="#111111",
    classes=(
        "#332288", "#117733", "#44aa99", "#6cb4dc", "#c9b84e",
        "#cc6677", "#aa4499", "#882255", "#7f7f1f", "#d55e00",
    ),
)  # fmt: skip
DARK = Theme(
    is_dark=True, window="#16181d", surface="#1d2026", raised="#2a2e36", field="#262a33",
    text="#e8eaee", muted="#9aa2b1", line="#363b45", accent="#7c9cff", accent_text="#0d1220",
    warning="#f0b849", error="#ff8a80",
    elbo="#7c9cff", kl="#f08fb0", distortion="#7fcf9b", gap="#f2a65a",
    selection="#ffffff", end_a="#ffffff", end_b="#ffffff",
    classes=(
        "#8d85e8", "#3fae63", "#5ccfbd", "#8fd3f5", "#e6d873",
        "#e98a99", "#d07fc0", "#b8618c", "#b5b552", "#ff8a3d",
    ),
)  # fmt: skip


def current_theme() -> Theme:
    """Return the theme that fits the application's palette; widgets ask again in changeEvent(PaletteChange)."""
    return DARK if QApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def apply_theme(app: QApplication, name: ThemeName) -> None:
    """Give the application the Fusion style and the palette of a theme; 'system' follows the desktop."""
    app.setStyle("Fusion")
    if name == "system":
        scheme = app.styleHints().colorScheme()
        name = "dark" if scheme.name == "Dark" else "light"
    theme = DARK if name == "dark" else LIGHT
    app.setPalette(_palette(theme))
    _repolish(app)


def _repolish(app: QApplication) -> None:
    """Have every widget with a style sheet take the new palette.

    WORKAROUND: such a widget, and all below it, keeps the palette of its last polish and gets no PaletteChange of the
    application's (seen with PySide6 6.11.3, Fusion style); its sheet has to be set anew. And where it was not polished
    yet, as its window was not shown, a new sheet does not reach those below it that were.
    """
    for widget in app.allWidgets():
        sheet = widget.styleSheet()
        if sheet:
            widget.ensurePolished()
            widget.setStyleSheet("")
            QApplication.sendEvent(widget, QEvent(QEvent.Type.PaletteChange))
            if not widget.styleSheet():
                widget.setStyleSheet(sheet)


def apply_text_size(app: QApplication, percent: int) -> None:
    """Scale the application's text; 100 is the desktop's own size."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPointSizeF(font.pointSizeF() * percent / 100)
    app.setFont(font)


def tabular_font(font: QFont) -> QFont:
    """Return a copy of `font` whose digits all have one width, so that live numbers do not dance."""
    copy = QFont(font)
    if hasattr(QFont, "Tag"):
        copy.setFeature(QFont.Tag.fromString("tnum"), 1)
    return copy


def use_tabular_digits(widget: QWidget, *, is_bold: bool = False) -> None:
    """Give a widget digits of one width; all else of its font still follows the application's."""
    font = QFont()
    if hasattr(QFont, "Tag"):
        font.setFeature(QFont.Tag.fromString("tnum"), 1)
    if is_bold:
        font.setBold(True)
    widget.setFont(font)


def fixed_font() -> QFont:
    """Return the system's fixed-width font."""
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for names, colour in (
        ((role.Window,), theme.window),
        ((role.Base,), theme.field),
        ((role.ToolTipBase, role.Light, role.Midlight), theme.surface),
        ((role.Button, role.AlternateBase), theme.raised),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText), theme.text),
        ((role.PlaceholderText,), theme.muted),
        ((role.Highlight, role.Accent, role.Link), theme.accent),
        ((role.HighlightedText,), theme.accent_text),
        ((role.Mid, role.Dark, role.Shadow), theme.line),
    ):
        for name in names:
            palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.muted))
    return palette
