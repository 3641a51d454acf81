"""`EndChooser`: how an end of the path is set: from what is looked at, from an image, or at random."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.glyph_button import GlyphButton
from vae_explorer.gui.widgets.number_field import NumberField


class EndChooser(QWidget):
    """A row of controls for end 'A' or 'B'.

    selected_asked(): take the code that is looked at. image_asked(int): take the code of an image.
    prior_asked(): draw one from the prior, or what stands in for it (`set_dice_help`).
    """

    selected_asked = Signal()
    image_asked = Signal(int)
    prior_asked = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        key = name.lower()
        set_button = QToolButton()
        set_button.setObjectName(f"interpolation_set_{key}")
        set_button.setText(self.tr("Set {name}").format(name=name))
        set_button.setToolTip(self.tr("Make the selected code end {name}.").format(name=name))
        set_button.clicked.connect(self.selected_asked)
        self._image = NumberField(0, minimum=0, maximum=0, is_integer=True)
        self._image.setObjectName(f"interpolation_image_{key}")
        self._image.setFixedWidth(7 * GRID_PX)
        self._image.set_help(self.tr("Make the code of the image with this index end {name}.").format(name=name))
        self._image.setAccessibleName(self.tr("image for end {name}").format(name=name))
        self._image.value_changed.connect(self._on_image)
        self._image.returnPressed.connect(self._on_return)
        self._name = name
        self._dice = GlyphButton("dice", self.tr("Draw end {name} at random.").format(name=name))
        self._dice.setObjectName(f"interpolation_dice_{key}")
        self._dice.clicked.connect(self.prior_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID_PX // 2)
        for widget in (set_button, QLabel(self.tr("image")), self._image, self._dice):
            row.addWidget(widget)

    def set_n_images(self, n: int) -> None:
        """Limit the index to the images there are."""
        self._image.set_range(0, max(0, n - 1))

    def set_dice_help(self, text: str) -> None:
        """Say where the dice draws from."""
        self._dice.setToolTip(text)
        self._dice.setAccessibleName(self.tr("end {name}: {text}").format(name=self._name, text=text))

    def _on_image(self, index: float) -> None:
        self.image_asked.emit(int(index))

    def _on_return(self) -> None:
        # Enter on an index that stands there already takes that image again; a changed one has just been sent.
        if self._image.is_valid() and not self._image.isModified():
            self.image_asked.emit(int(self._image.value()))
