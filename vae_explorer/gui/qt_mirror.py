"""Keeps pyqtgraph from making every class of Qt when it is imported; to be called before that.

WORKAROUND pyqtgraph 0.14, PySide6 6.8 and later: PySide6 makes a class when it is first asked for, and pyqtgraph copies
all of them, some 1,500, into modules of its own: 0.2 s, a tenth of the time until the window is painted. Here those
modules are there before it comes, and hand a class over when it is used. Should its copying be written another way one
day, all classes are made as before.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

MIRRORED = ("QtCore", "QtGui", "QtWidgets")
COPYING = "_copy_attrs"
"""pyqtgraph's function that copies what its module has not got yet."""


class QtMirror(ModuleType):
    """A module that has everything another one has."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name)
        self._source = import_module(source)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        if sys._getframe(1).f_code.co_name == COPYING:
            return None
        value = getattr(self._source, name)
        setattr(self, name, value)
        return value


def mirror_qt() -> None:
    """Put the mirrors in place, unless pyqtgraph is there already."""
    if "pyqtgraph" in sys.modules:
        return
    for name in MIRRORED:
        sys.modules[f"pyqtgraph.Qt.{name}"] = QtMirror(f"pyqtgraph.Qt.{name}", f"PySide6.{name}")
