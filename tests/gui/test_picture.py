"""Pictures on screen: pixels that mean something, and frames that tell data from generated."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from vae_explorer.gui.widgets.picture import PictureView, fitted_rect, image_to_qimage


def shown(view: PictureView) -> QImage:
    """Return what the widget paints."""
    return view.grab().toImage()


def frame_colours(view: PictureView) -> list[QColor]:
    """Return the colours along the top edge of the picture's frame."""
    rect, image = view.picture_rect(), shown(view)
    y = int(rect.top() - 1.5)
    return [image.pixelColor(x, y) for x in range(int(rect.left()), int(rect.right()))]


@pytest.fixture
def view(qtbot: QtBot) -> PictureView:
    """A picture view of 200 x 200 pixels."""
    widget = PictureView()
    qtbot.addWidget(widget)
    widget.resize(200, 200)
    return widget


def test_grey_and_colour_images_keep_their_values() -> None:
    grey = image_to_qimage(np.array([[[0.0, 0.5], [1.0, 0.25]]]))
    assert [grey.pixelColor(x, y).red() for y in (0, 1) for x in (0, 1)] == [0, 128, 255, 64]
    red = np.zeros((3, 2, 3), dtype=np.float32)
    red[0] = 1.0
    colour = image_to_qimage(red)
    assert (colour.width(), colour.height()) == (3, 2)
    assert colour.pixelColor(2, 1) == QColor(255, 0, 0)


def test_values_outside_and_nan_are_clipped_and_black() -> None:
    image = image_to_qimage(np.array([[[-3.0, 7.0, np.nan]]]))
    assert [image.pixelColor(x, 0).red() for x in range(3)] == [0, 255, 0]


def test_an_image_of_two_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 4, 4\), expected \(1, H, W\)"):
        image_to_qimage(np.zeros((2, 4, 4)))


def test_small_images_are_shown_in_whole_sharp_pixels(view: PictureView) -> None:
    pixels = np.zeros((1, 8, 8), dtype=np.float32)
    pixels[0, 0, 0] = 1.0
    view.set_image(pixels, is_generated=False)
    rect, image = view.picture_rect(), shown(view)
    side = rect.width() / 8
    assert side == int(side)
    inside = image.pixelColor(int(rect.left() + side) - 1, int(rect.top() + side) - 1)
    beyond = image.pixelColor(int(rect.left() + side), int(rect.top()))
    assert inside == QColor("white")
    assert beyond == QColor("black")


def test_the_aspect_of_an_image_is_kept() -> None:
    rect = fitted_rect(QImage(40, 80, QImage.Format.Format_Grayscale8), QRectF(0, 0, 300, 160))
    assert (rect.width(), rect.height()) == (80, 160)
    assert rect.center().x() == 150


def test_generated_images_have_a_dashed_frame_and_data_a_solid_one(view: PictureView) -> None:
    image = np.zeros((1, 8, 8), dtype=np.float32)
    view.set_image(image, is_generated=False)
    assert len({colour.name() for colour in frame_colours(view)}) == 1
    view.set_image(image, is_generated=True)
    dashes = [colour.lightness() for colour in frame_colours(view)]
    changes = int(np.count_nonzero(np.abs(np.diff(dashes)) > 20))
    assert changes >= 20


def test_the_accessible_name_says_what_kind_of_image_it_is(view: PictureView) -> None:
    view.set_image(np.zeros((1, 8, 8)), is_generated=True, caption="step 5")
    assert view.accessibleName() == "generated image: step 5"
    view.set_image(None, is_generated=False)
    assert not view.has_image
    assert view.accessibleName() == "image of the data"


def test_a_clickable_picture_answers_mouse_and_keyboard(view: PictureView, qtbot: QtBot) -> None:
    clicks: list[int] = []
    view.clicked.connect(lambda: clicks.append(1))
    view.set_image(np.zeros((1, 8, 8)), is_generated=False)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert clicks == []
    view.set_clickable(True)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert len(clicks) == 2
