"""The texts of the Help menu, as HTML."""

from __future__ import annotations

import html
import platform
from collections.abc import Iterable

from vae_explorer import __version__
from vae_explorer.gui.window_state import config_dir
from vae_explorer.runs.listing import default_runs_dir

MAP_KEYS = (
    ("Click, drag", "decode that place; on a point, select its image"),
    ("Arrow keys", "move the selected code (Shift: farther; Ctrl: move the view)"),
    ("N", "select the image nearest to the code"),
    ("A, B", "make the selected code an end of the path"),
    ("P, E", "show the true posterior and the energy of the selected image (latent_dim 1 and 2)"),
    ("I", "improve q for the selected image, or go back to the encoder's"),
    ("C, D", "change what the points' colours mean; show their density in place of them"),
    ("[, ]", "make the points smaller or larger"),
    ("Space-drag, middle-drag", "move the view"),
    ("Wheel, +, −", "zoom"),
    ("0", "show everything"),
)
"""What the latent map does with keys and mouse."""
SWEEP_KEYS = (
    ("Arrow keys", "choose a model"),
    ("Enter, double click", "show it in all panels"),
)
"""What the small maps of a sweep do with keys and mouse."""


def shortcuts_html(described: Iterable[tuple[str, str, str]]) -> str:
    """Return the table of keys. described: (text, keys, help) of the window's actions."""
    actions = _table((keys, f"{text}: {help_}") for text, keys, help_ in described)
    return f"<h3>Latent map</h3>{_table(MAP_KEYS)}<h3>Sweep</h3>{_table(SWEEP_KEYS)}<h3>Window</h3>{actions}"


def about_html() -> str:
    """Return name, version, licence and where things are kept."""
    from importlib import metadata

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "torch", "PySide6-Essentials"))
    return (
        f"<h3>vae-explorer {__version__}</h3>"
        "<p>Train a variational autoencoder, watch its bound, click through its latent space.</p>"
        "<p>MIT licence. The embedded digits are the UCI Optical Recognition of Handwritten Digits data, CC BY 4.0.</p>"
        f"<p>Python {platform.python_version()}, {versions}</p>"
        f"<p>Runs: {html.escape(str(default_runs_dir()))}<br>Settings: {html.escape(str(config_dir()))}</p>"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td style='padding-right: 16px'><b>{html.escape(left)}</b></td><td>{html.escape(right)}</td></tr>"
        for left, right in rows
    )
    return f"<table cellpadding='2'>{cells}</table>"
