"""Asks a child process whether Qt can open a window here, because Qt answers "no" by aborting the process that asks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vae_explorer.errors import ScreenError, VaeExplorerError

Problem = Literal["no_screen", "missing_library", "broken_version", "not_installed", "failed"]

TIMEOUT_S = 15.0
"""A display that has not answered by then counts as none; a working one takes 0.1 s."""

APT_PACKAGES = (
    "libegl1 libgl1 libfontconfig1 libdbus-1-3 libglib2.0-0 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 "
    "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-sync1 "
    "libxcb-xfixes0 libxcb-xkb1"
)
"""Debian's and Ubuntu's names for all that Qt's own wheels leave to the system."""

OFFSCREEN_HINT = "run `vae-explorer tour --out DIR` to drive the window off-screen and get its pictures"

# Prints a line a stage, so that the last line tells how far it came before Qt aborted. A platform's plug-in is
# opened by hand first: only the dynamic loader names the library that is missing, Qt's own message does not.
_CHILD = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
if os.name == "posix":
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import PySide6
print("version", PySide6.__version__, flush=True)
from PySide6 import QtWidgets
from PySide6.QtCore import QLibraryInfo
from PySide6.QtGui import QGuiApplication
print("imported", flush=True)
if len(sys.argv) == 1:
    os._exit(0)
folder = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH") or os.path.join(
    QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath), "platforms")
for platform in sys.argv[1:]:
    path = os.path.join(folder, f"libq{platform}.so")
    try:
        ctypes.CDLL(path)
        print("loadable", platform, flush=True)
    except OSError as error:
        print("missing" if os.path.exists(path) else "unknown", platform, error, flush=True)
app = QGuiApplication(["vae-explorer"])
print("ok", app.platformName(), flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class QtReport:
    """What the child found. version: of PySide6, '' where there is none; platform: Qt's name of the kind of screen."""

    problem: Problem | None
    message: str = ""
    version: str = ""
    platform: str = ""

    def raise_for_problem(self) -> None:
        """Raise ScreenError where there is no screen, VaeExplorerError for any other problem; else do nothing."""
        if self.problem == "no_screen":
            raise ScreenError(self.message)
        if self.problem is not None:
            raise VaeExplorerError(self.message)


class QtProbe:
    """A question under way: start it, do something useful, then `wait` for the report (0.1 s of another core)."""

    def __init__(self, *, platform: str | None = None) -> None:
        """platform: Qt's platform to ask for, such as 'offscreen'; None asks for the one that the surroundings name."""
        environment = dict(os.environ)
        if platform is not None:
            environment["QT_QPA_PLATFORM"] = platform
        self._platforms = _wanted_platforms(environment)
        self._child: subprocess.Popen[str] | None = None
        if self._platforms is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-c", _CHILD, *self._platforms],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                encoding="utf-8", errors="replace",
            )  # fmt: skip

    @property
    def is_answered(self) -> bool:
        """Whether `wait` answers at once, because there was no screen to ask for."""
        return self._child is None

    def wait(self) -> QtReport:
        """Return the report; a child that hangs is ended after TIMEOUT_S."""
        if self._child is None:
            where = "neither DISPLAY nor WAYLAND_DISPLAY is set"
            return QtReport("no_screen", f"There is no screen to open the window on ({where}); {OFFSCREEN_HINT}.")
        try:
            out, err = self._child.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            out, err = self._child.communicate()
        return read_report(out, err, python=sys.version_info[:2])


def probe_qt(*, platform: str | None = None) -> QtReport:
    """Ask and wait; see QtProbe."""
    return QtProbe(platform=platform).wait()


def read_report(out: str, err: str, *, python: tuple[int, ...]) -> QtReport:
    """Turn what the child wrote into a report. python: (major, minor) of the interpreter that will open the window."""
    stages = [line.split(maxsplit=2) for line in out.splitlines() if line.strip()]
    found: dict[str, list[list[str]]] = {}
    for stage in stages:
        found.setdefault(stage[0], []).append(stage[1:])
    version = found["version"][0][0] if "version" in found else ""
    if version and (reason := broken_version(version, python=python)):
        return QtReport("broken_version", reason, version)
    if "imported" not in found:
        return _import_report(err, version)
    if "ok" in found or not {"loadable", "missing", "unknown"} & found.keys():
        return QtReport(None, "", version, found["ok"][0][0] if "ok" in found else sys.platform)
    if "loadable" not in found and "missing" in found:
        platform, error = found["missing"][0]
        return QtReport("missing_library", _missing_library(error), version, platform)
    if "loadable" not in found:
        name = found["unknown"][0][0]
        sentence = f"Qt has no platform named {name!r}; unset QT_QPA_PLATFORM, or set it to xcb, wayland or offscreen."
        return QtReport("failed", sentence, version, name)
    names = [f"{name}={os.environ[name]}" for name in ("DISPLAY", "WAYLAND_DISPLAY") if os.environ.get(name)]
    sentence = (
        f"The screen {' and '.join(names) or found['loadable'][0][0]} does not answer; correct it, or {OFFSCREEN_HINT}."
    )
    return QtReport("no_screen", sentence, version, found["loadable"][0][0])


def broken_version(version: str, *, python: tuple[int, ...]) -> str:
    """Return the sentence that refuses a PySide6 known to fail under this Python, or ''."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers[:2] == (6, 12) and python[:2] < (3, 12):
        fault = "ends Python 3.11 without warning (it loses references to None)"
    elif numbers in ((6, 11, 0), (6, 11, 1)):
        fault = "breaks the window's docks"
    else:
        return ""
    return f"PySide6 {version} {fault}; install another: pip install 'PySide6-Essentials==6.11.3'."


def _wanted_platforms(environment: Mapping[str, str]) -> list[str] | None:
    """Return the platforms that Qt will try, in order; None: there is no screen, [] asks for the import alone."""
    if sys.platform != "linux":
        return []
    if forced := environment.get("QT_QPA_PLATFORM"):
        return [part.split(":")[0] for part in forced.split(";") if part]
    by_variable = {"WAYLAND_DISPLAY": "wayland", "DISPLAY": "xcb"}
    return [platform for name, platform in by_variable.items() if environment.get(name)] or None


def _import_report(err: str, version: str) -> QtReport:
    last = err.strip().splitlines()[-1] if err.strip() else "no reason was given"
    if "cannot open shared object file" in last:
        return QtReport("missing_library", _missing_library(last), version)
    if "ModuleNotFoundError" in last:
        sentence = (
            "PySide6 is not installed here; run `make run`, or pip install -c constraints.txt -e . in the checkout."
        )
        return QtReport("not_installed", sentence, version)
    return QtReport("failed", f"PySide6 cannot be loaded ({last}); install PySide6-Essentials again.", version)


def _missing_library(error: str) -> str:
    match = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", error)
    library = match.group(1) if match else error
    return f"The system library {library}, which Qt needs, is missing: sudo apt install {APT_PACKAGES}"
