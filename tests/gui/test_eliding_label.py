"""A label that cuts its text to its width, and knows all of it."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from vae_explorer.gui.widgets.eliding_label import ElidingLabel

TEXT = "a long sentence that has no room in so narrow a label"


@pytest.fixture
def label(qtbot):
    label = ElidingLabel(TEXT)
    qtbot.addWidget(label)
    label.resize(120, 20)
    label.show()
    return label


def shown(label):
    return QLabel.text(label)


@pytest.mark.parametrize(
    ("mode", "begins", "ends"),
    [
        (Qt.TextElideMode.ElideRight, True, False),
        (Qt.TextElideMode.ElideLeft, False, True),
        (Qt.TextElideMode.ElideMiddle, True, True),
    ],
)
def test_the_text_is_cut_where_it_is_told_to_be(label, mode, begins, ends):
    label.setElideMode(mode)
    assert "…" in shown(label)
    assert (shown(label).startswith("a"), shown(label).endswith("l")) == (begins, ends)
    assert label.fontMetrics().horizontalAdvance(shown(label)) <= label.width()
    assert label.text() == TEXT


def test_with_room_the_whole_text_is_shown(label):
    label.resize(2000, 20)
    assert shown(label) == TEXT


def test_a_long_text_does_not_widen_its_place(label):
    assert label.minimumSizeHint().width() < 40
