"""What the window remembers between starts: its layout, theme, text size and the look of the map's points, as INI."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

import platformdirs
import PySide6
from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QMainWindow

from vae_explorer.gui.widgets.cloud import SIZES
from vae_explorer.gui.widgets.cloud_tools import CloudLook
from vae_explorer.gui.widgets.point_values import COLOURS_BY

LAYOUT_VERSION = 1
"""Raised when docks or tool bars come or go: a layout of another version is not restored."""


def config_dir() -> Path:
    """Return the folder of settings: VAE_EXPLORER_CONFIG where that is set, else the platform's."""
    chosen = os.environ.get("VAE_EXPLORER_CONFIG")
    return Path(chosen) if chosen else Path(platformdirs.user_config_dir("vae-explorer", appauthor=False))


def open_settings() -> QSettings:
    """Return the settings file; one that is damaged or cannot be written costs what it held and nothing more."""
    return QSettings(str(config_dir() / "window.ini"), QSettings.Format.IniFormat)


def save_layout(settings: QSettings, window: QMainWindow) -> None:
    """Remember the window's place, size and docks."""
    settings.setValue("window/geometry", _sealed(window.saveGeometry()))
    settings.setValue("window/layout", _sealed(window.saveState(LAYOUT_VERSION)))


def restore_layout(settings: QSettings, window: QMainWindow) -> bool:
    """Bring the remembered layout back; False, and nothing is changed, when there is none or it is damaged.

    WORKAROUND: bytes that Qt did not write itself crash `restoreState` (PySide6 6.8 to 6.11), so they carry a
    checksum and are never handed over without it.
    """
    geometry = _unsealed(settings.value("window/geometry"))
    layout = _unsealed(settings.value("window/layout"))
    if geometry is None or layout is None:
        return False
    return window.restoreGeometry(geometry) and window.restoreState(layout, LAYOUT_VERSION)


def save_cloud_look(settings: QSettings, look: CloudLook) -> None:
    """Remember how the map shows its points."""
    settings.setValue("map/colour_by", look.colour_by)
    settings.setValue("map/is_density", int(look.is_density))
    settings.setValue("map/size_step", look.size_step)


def restore_cloud_look(settings: QSettings) -> CloudLook:
    """Return the remembered look of the map's points; what is not there, or damaged, is as at the first start."""
    colour_by, size = str(settings.value("map/colour_by", "")), str(settings.value("map/size_step", ""))
    first = CloudLook()
    return CloudLook(
        next((known for known in COLOURS_BY if known == colour_by), first.colour_by),
        str(settings.value("map/is_density", "")) == "1",
        next((step for step in range(SIZES[0], SIZES[1] + 1) if str(step) == size), first.size_step),
    )


def _checksum(payload: bytes) -> str:
    # Other versions of Qt may read these bytes differently, so theirs do not count as ours.
    return hashlib.sha256(f"{LAYOUT_VERSION} {PySide6.__version__} ".encode() + payload).hexdigest()


def _sealed(state: QByteArray) -> str:
    payload = bytes(state.data())
    return f"{_checksum(payload)}:{base64.b64encode(payload).decode()}"


def _unsealed(value: object) -> QByteArray | None:
    checksum, _, text = str(value).partition(":")
    try:
        payload = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return QByteArray(payload) if payload and checksum == _checksum(payload) else None
