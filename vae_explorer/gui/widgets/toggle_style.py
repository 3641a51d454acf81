"""The look of buttons that stay down: the accent says which are on, in both themes."""

from __future__ import annotations

from vae_explorer.gui.theme import Theme


def toggle_sheet(theme: Theme) -> str:
    """Return a style sheet for the tool buttons of a row; set it on the row, and again on every PaletteChange."""
    return (
        f"QToolButton {{ color: {theme.text}; background: {theme.raised}; border: 1px solid {theme.line};"
        " border-radius: 4px; padding: 2px 7px; }"
        f"QToolButton:hover {{ border-color: {theme.muted}; }}"
        f"QToolButton:checked {{ color: {theme.accent}; border-color: {theme.accent}; background: {theme.surface}; }}"
        f"QToolButton:focus {{ border: 2px solid {theme.accent}; padding: 1px 6px; }}"
        f"QToolButton:disabled {{ color: {theme.muted}; background: transparent; border-color: transparent; }}"
    )
