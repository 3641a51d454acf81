"""What a click moves is painted without the whole map, and leaves the very pixels that painting it all would."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from vae_explorer.gui.panels.latent_map import LatentMapPanel


class Painted(QObject):
    """Notes the areas of a widget that are painted, as shares of it."""

    def __init__(self, watched):
        super().__init__(watched)
        self.shares = []
        watched.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            area = event.region().boundingRect()
            self.shares.append(area.width() * area.height() / (watched.width() * watched.height()))
        return False


@pytest.fixture(params=[1, 2])
def panel(request, qtbot, open_fake_run):
    panel = LatentMapPanel(open_fake_run(latent_dim=request.param))
    qtbot.addWidget(panel)
    panel.resize(700, 600)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


def on_screen(panel):
    """The pixels that are on the screen now."""
    image = panel.screen().grabWindow(panel.winId()).toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.array(image.constBits()).reshape(image.height(), image.width(), 4)[..., :3]


def paint():
    """Paint what is to be painted: Qt asks the scene, then the view, then the window."""
    for _ in range(4):
        QApplication.processEvents()


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.map._overlay_due.isActive() and not panel.map._postponed_due.isActive())
    paint()


def look(panel, qtbot, at, picture):
    frame = panel.map.frame()
    panel.map._hand.start()  # under the hand, what changes is painted at once
    panel.map.touched.emit(*frame.to_view(*at), True)
    # Another layer is painted after the crosshair was told to move, and before it is painted there.
    panel.map.marks.mark(selected=None, hovered=at[0] % 7)
    paint()
    panel.map.set_thumbnail(picture)
    settle(panel, qtbot)


def test_what_it_leaves_is_as_if_all_were_painted(panel, qtbot):
    picture = QImage(12, 12, QImage.Format.Format_Grayscale8)
    picture.fill(90)
    settle(panel, qtbot)
    painted, seen = Painted(panel.map.viewport()), []
    for at in ((200, 150), (420, 300), (520, 80)):
        look(panel, qtbot, at, picture)
        seen.append(on_screen(panel))
    assert painted.shares, "nothing was painted"
    assert max(painted.shares) < 0.6
    panel.map.viewport().update()
    settle(panel, qtbot)
    np.testing.assert_array_equal(seen[-1], on_screen(panel))
    assert (seen[0] != seen[-1]).any()


def test_an_image_that_is_selected_leaves_nothing_of_the_one_before(panel, qtbot, fake_controller):
    settle(panel, qtbot)
    painted, seen = Painted(panel.map.viewport()), []
    for image in (3, 17, 30):
        panel.map._hand.start()
        fake_controller.select_image(image)
        settle(panel, qtbot)
        seen.append(on_screen(panel))
    assert painted.shares, "nothing was painted"
    assert max(painted.shares) < 0.6 or panel.latent.is_line
    panel.map.viewport().update()
    settle(panel, qtbot)
    np.testing.assert_array_equal(seen[-1], on_screen(panel))
    assert (seen[0] != seen[-1]).any()
