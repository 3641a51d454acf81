"""The room of a label: new text of the same length leaves the window as it lies, longer text gets its room."""

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.gui.widgets.still_room import StillRoom


class LayoutCount(QObject):
    """Counts how often a widget is asked to lay out what is in it."""

    def __init__(self, watched):
        super().__init__(watched)
        self.n = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.n += event.type() == QEvent.Type.LayoutRequest
        return False


@pytest.fixture
def make_row(qtbot, qapp):
    windows = []  # qtbot keeps no widget alive

    def make(label, *, width=400):
        window = QWidget()
        windows.append(window)
        qtbot.addWidget(window)
        row = QHBoxLayout(window)
        room = StillRoom(label)
        row.addWidget(room)
        row.addStretch(1)
        window.resize(width, 60)
        window.show()
        qapp.processEvents()
        return room, LayoutCount(window)

    return make


def test_text_that_has_room_moves_nothing(make_row, qapp):
    label = QLabel("step 1,000 of 9,000")
    _, asked = make_row(label)
    for n in range(5):
        label.setText(f"step {n} of 9,000")
        qapp.processEvents()
    assert asked.n == 0
    assert label.size() == label.parentWidget().size()


def test_longer_text_gets_its_room(make_row, qtbot):
    label = QLabel("short")
    room, asked = make_row(label)
    before = room.width()
    label.setText("a good deal longer than before")
    qtbot.waitUntil(lambda: room.width() > before)
    assert asked.n > 0
    assert room.width() == label.width() >= label.sizeHint().width()


def test_text_that_takes_another_line_gets_its_height(qtbot, qapp):
    label = QLabel("few words")
    label.setWordWrap(True)
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    room = StillRoom(label)
    column.addWidget(room)
    column.addStretch(1)
    window.resize(160, 300)
    window.show()
    qapp.processEvents()
    before = room.height()
    label.setText("many more words than one line of so narrow a window has room for")
    qtbot.waitUntil(lambda: room.height() > before)
    assert room.height() == label.height() >= label.heightForWidth(label.width())


def test_a_label_that_takes_what_is_left_asks_for_no_width(make_row, qapp):
    label = QLabel("a")
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    _, asked = make_row(label, width=120)
    label.setText("as long as it likes: what has no room is cut by whoever made it")
    qapp.processEvents()
    assert asked.n == 0


def test_what_changed_while_hidden_has_its_room_when_shown(make_row, qapp):
    label = QLabel("short")
    room, _ = make_row(label)
    room.hide()
    label.setText("a good deal longer than before")
    room.show()
    qapp.processEvents()
    assert label.width() >= label.sizeHint().width()


def test_larger_type_gets_its_room(make_row, qapp):
    label = QLabel("step 1,000 of 9,000")
    room, _ = make_row(label)
    font = room.font()
    font.setPointSizeF(2 * font.pointSizeF())
    room.setFont(font)
    qapp.processEvents()
    assert label.width() >= label.sizeHint().width()
    assert label.height() >= label.sizeHint().height()
