"""Panels under tabs that are not raised are built after the first picture, and know what was said before."""

import sys

import pytest
from conftest import close_window
from PySide6.QtWidgets import QAbstractButton, QLabel

from vae_explorer.gui.app import Explorer
from vae_explorer.gui.docks import LATE

LONG_MS = 60_000


@pytest.fixture
def shown_late(qtbot):
    """A window on the demo run whose late panels were not waited for."""
    explorer = Explorer()
    explorer.open()
    yield explorer
    explorer.window.show()
    close_window(qtbot, explorer)


def has_late_panel(explorer):
    return [name for name in LATE if explorer.window.docks.by_name[name].widget() is not None]


def test_the_first_picture_waits_for_none_of_them(qtbot, shown_late):
    assert has_late_panel(shown_late) == []
    painted = []
    shown_late.window.painted.connect(lambda: painted.append(has_late_panel(shown_late)))
    shown_late.window.show()
    qtbot.waitUntil(lambda: len(has_late_panel(shown_late)) == len(LATE), timeout=LONG_MS)
    assert painted == [[]]


def test_nobody_looks_at_them_until_their_tab_is_raised(qtbot, shown_late):
    """A panel that took itself for visible would work at every snapshot of the codes."""
    shown_late.window.show()
    docks = shown_late.window.docks
    qtbot.waitUntil(lambda: len(has_late_panel(shown_late)) == len(LATE), timeout=LONG_MS)
    assert [name for name in LATE if docks.by_name[name].widget().isVisible()] == []
    docks.by_name["em"].raise_()
    qtbot.waitUntil(docks.panels.em.isVisible, timeout=LONG_MS)
    docks.by_name["interpolation"].raise_()
    qtbot.waitUntil(lambda: not docks.panels.em.isVisible(), timeout=LONG_MS)


def reading_of(panel):
    """All words of a panel and what of it can be pressed."""
    words = [label.text() for label in panel.findChildren(QLabel)]
    buttons = [
        (button.objectName(), button.text(), button.isEnabled()) for button in panel.findChildren(QAbstractButton)
    ]
    return sorted(words), sorted(buttons)


def test_they_know_what_was_opened_before_as_if_they_had_been_there(qtbot, shown_late):
    early = Explorer()
    early.window.docks.build_rest()
    early.open()
    try:
        for name in LATE:
            if name in ("em", "formula"):
                continue  # look at the run when they are seen or built, so the late ones know more
            late, there = getattr(shown_late.window.docks.panels, name), getattr(early.window.docks.panels, name)
            assert late is not there
            assert reading_of(late) == reading_of(there), name
        assert any("Click a point" in word for word in reading_of(shown_late.window.docks.panels.formula)[0])
        assert any("step 4,491" in word for word in reading_of(shown_late.window.docks.panels.em)[0])
    finally:
        close_window(qtbot, early)


def test_what_is_asked_for_is_built_at_once(shown_late):
    assert shown_late.window.docks.panels.formula.objectName() == "formula_panel"
    assert len(has_late_panel(shown_late)) == len(LATE)


def test_a_dock_that_is_raised_before_its_panel_is_there_gets_it(qtbot, shown_late):
    shown_late.window.show()
    dock = shown_late.window.docks.by_name["bound"]
    dock.raise_()
    qtbot.waitUntil(lambda: dock.widget() is not None and dock.widget().isVisible(), timeout=LONG_MS)


def test_an_unknown_panel_is_an_error(shown_late):
    with pytest.raises(AttributeError, match="no panel nonsense"):
        _ = shown_late.window.docks.panels.nonsense


def test_the_modules_of_the_table_are_there():
    for module, kind in LATE.values():
        __import__(f"vae_explorer.gui.panels.{module}")
        assert hasattr(sys.modules[f"vae_explorer.gui.panels.{module}"], kind)
