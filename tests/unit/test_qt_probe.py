"""The Qt probe: real children where that is possible, recorded output where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vae_explorer import qt_probe
from vae_explorer.errors import ScreenError, VaeExplorerError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="displays are named by variables on Linux only")


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "QT_QPA_PLATFORM_PLUGIN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@linux_only
def test_no_display_is_told_without_asking_qt(no_display: pytest.MonkeyPatch) -> None:
    no_display.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    report = qt_probe.probe_qt()
    assert report.problem == "no_screen"
    assert "vae-explorer tour --out" in report.message
    with pytest.raises(ScreenError, match="no screen"):
        report.raise_for_problem()


def test_offscreen_works_and_is_quick(no_display: pytest.MonkeyPatch) -> None:
    start = time.perf_counter()
    report = qt_probe.probe_qt(platform="offscreen")
    assert report.problem is None, report.message
    assert report.version.startswith("6.")
    assert time.perf_counter() - start < 5
    report.raise_for_problem()


@linux_only
def test_a_display_that_does_not_answer(no_display: pytest.MonkeyPatch) -> None:
    """On a machine without X11's libraries the first of them is named, else the display."""
    no_display.setenv("DISPLAY", ":987")
    report = qt_probe.probe_qt()
    if report.problem == "missing_library":
        assert "sudo apt install" in report.message
    else:
        assert report.problem == "no_screen"
        assert "DISPLAY=:987" in report.message


def test_a_loadable_plugin_that_aborts_means_a_dead_display(no_display: pytest.MonkeyPatch) -> None:
    no_display.setenv("DISPLAY", ":987")
    report = qt_probe.read_report("version 6.11.3\nimported\nloadable xcb\n", "Aborted", python=(3, 13))
    assert report.problem == "no_screen"
    assert "DISPLAY=:987 does not answer" in report.message


@linux_only
def test_an_unknown_platform(no_display: pytest.MonkeyPatch) -> None:
    no_display.setenv("QT_QPA_PLATFORM", "nonsense")
    report = qt_probe.probe_qt()
    assert report.problem == "failed"
    assert "'nonsense'" in report.message


@linux_only
def test_missing_library_of_the_x11_plugin_is_named(no_display: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A copy of the real plug-in that asks for a library which does not exist."""
    import PySide6

    plugin = Path(PySide6.__file__).parent / "Qt/plugins/platforms/libqxcb.so"
    platforms = tmp_path / "platforms"
    platforms.mkdir()
    (platforms / "libqxcb.so").write_bytes(plugin.read_bytes().replace(b"libQt6XcbQpa.so.6", b"libxcb-gone.so.00"))
    no_display.setenv("DISPLAY", ":987")
    no_display.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", str(platforms))
    report = qt_probe.probe_qt()
    assert report.problem == "missing_library"
    assert "libxcb-gone.so.00" in report.message
    assert "sudo apt install" in report.message
    assert "libxcb-cursor0" in report.message


@linux_only
@pytest.mark.parametrize(
    ("source", "problem", "words"),
    [
        (
            "raise ImportError('libEGL.so.1: cannot open shared object file: No such file or directory')",
            "missing_library",
            "libEGL.so.1",
        ),
        ("raise ModuleNotFoundError(\"No module named 'shiboken6'\")", "not_installed", "make run"),
        ("raise RuntimeError('half installed')", "failed", "half installed"),
        ("__version__ = '6.11.1'", "broken_version", "6.11.3"),
    ],
)
def test_a_pyside6_that_cannot_be_used(
    no_display: pytest.MonkeyPatch, tmp_path: Path, source: str, problem: str, words: str
) -> None:
    """A stand-in package is found before the real one by a real child."""
    (tmp_path / "PySide6").mkdir()
    (tmp_path / "PySide6" / "__init__.py").write_text(source)
    no_display.setenv("PYTHONPATH", str(tmp_path))
    report = qt_probe.probe_qt(platform="offscreen")
    assert report.problem == problem
    assert words in report.message
    with pytest.raises(VaeExplorerError):
        report.raise_for_problem()


@linux_only
def test_a_display_that_hangs_is_given_up(no_display: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "PySide6").mkdir()
    (tmp_path / "PySide6" / "__init__.py").write_text(
        "import threading\n__version__ = '6.11.3'\nthreading.Event().wait()"
    )
    no_display.setenv("PYTHONPATH", str(tmp_path))
    no_display.setattr(qt_probe, "TIMEOUT_S", 0.5)
    assert qt_probe.probe_qt(platform="offscreen").problem == "failed"


@pytest.mark.parametrize(
    ("version", "python", "is_broken"),
    [
        ("6.12.0", (3, 11), True),
        ("6.12.3", (3, 11), True),
        ("6.12.0", (3, 12), False),
        ("6.11.0", (3, 13), True),
        ("6.11.1", (3, 11), True),
        ("6.11.3", (3, 11), False),
        ("6.10.3", (3, 11), False),
    ],
)
def test_broken_pairs_are_refused(version: str, python: tuple[int, int], is_broken: bool) -> None:
    assert bool(qt_probe.broken_version(version, python=python)) is is_broken
    report = qt_probe.read_report(f"version {version}\nimported\nloadable xcb\nok xcb\n", "", python=python)
    assert (report.problem == "broken_version") is is_broken


def test_a_wayland_screen_counts_when_x11_libraries_are_missing() -> None:
    out = "version 6.11.3\nimported\nloadable wayland\nmissing xcb libxcb-cursor.so.0: cannot open\nok wayland\n"
    assert qt_probe.read_report(out, "", python=(3, 13)).platform == "wayland"


def test_the_parent_stays_without_qt() -> None:
    code = "import sys, vae_explorer.qt_probe as q; q.probe_qt(platform='offscreen'); print('PySide6' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "False"
