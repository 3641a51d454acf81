"""The window: the only package that imports Qt."""

from vae_explorer.gui.qt_mirror import mirror_qt

mirror_qt()
