"""pyqtgraph gets its classes of Qt when it uses them, not all of them when it is imported."""

import subprocess
import sys

import pyqtgraph  # noqa: F401  it is there

from vae_explorer.gui.qt_mirror import MIRRORED, mirror_qt

LOOK = """
import vae_explorer.gui
import pyqtgraph
import PySide6.QtWidgets
from pyqtgraph.Qt import QtCore, QtWidgets

assert "QWizard" not in vars(QtWidgets), "all classes were copied"
assert QtWidgets.QWizard is PySide6.QtWidgets.QWizard
assert "QWizard" in vars(QtWidgets)
assert QtCore.__version__ == PySide6.QtCore.__version__
assert not hasattr(QtWidgets, "QNothing")
"""


def test_classes_are_handed_over_when_they_are_used():
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_what_comes_after_pyqtgraph_changes_nothing():
    before = [sys.modules.get(f"pyqtgraph.Qt.{name}") for name in MIRRORED]
    mirror_qt()
    assert [sys.modules.get(f"pyqtgraph.Qt.{name}") for name in MIRRORED] == before
