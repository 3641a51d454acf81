"""`PlatePage`: the plate diagram, and ancestral sampling one step at a time: z ~ p(z), then x ~ p(x|z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vae_explorer.gui.theme import GRID_PX
from vae_explorer.gui.widgets.picture import PictureView
from vae_explorer.gui.widgets.plate_diagram import PlateDiagram

SECOND_STEP_MS = 700
"""So much later than z its image is shown: the two draws are to be seen as two."""
MAX_NUMBERS = 6


class PlatePage(QWidget):
    """sample_asked(): draw a code of the prior, and an image of it."""

    sample_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawn: tuple[NDArray[np.float32], int] | None = None
        self._second_step = QTimer(self, singleShot=True, interval=SECOND_STEP_MS)
        self._second_step.timeout.connect(self.show_image)
        self._diagram = PlateDiagram()
        self._diagram.setObjectName("plate_diagram")
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setWordWrap(True)
        self._text.setText(
            self.tr("<b>Ancestral sampling</b><br>1. z ~ p(z), the prior<br>2. x ~ p(x|z), the likelihood at that z")
        )
        self._code = QLabel()
        self._code.setObjectName("plate_code")
        self._code.setWordWrap(True)
        self._code.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = QPushButton(self.tr("Sample"))
        self._button.setObjectName("plate_sample")
        self._button.setToolTip(self.tr("Draw a code of the prior, then an image of the likelihood at that code."))
        self._button.clicked.connect(self.sample_asked)
        self._picture = PictureView()
        self._picture.setObjectName("plate_picture")
        self._picture.setToolTip(self.tr("A draw from p(x|z) (dashed frame: generated)."))
        middle = QVBoxLayout()
        middle.setSpacing(GRID_PX // 2)
        middle.addWidget(self._text)
        middle.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)
        middle.addWidget(self._code)
        middle.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID_PX)
        row.addWidget(self._diagram, 3)
        row.addLayout(middle, 3)
        row.addWidget(self._picture, 2)

    def set_n(self, n: int | None) -> None:
        """Say how many images the plate stands for."""
        self._diagram.set_n(n)

    def set_obstacle(self, reason: str) -> None:
        """Say why nothing can be sampled, '' where it can."""
        self._button.setEnabled(not reason)
        self._picture.set_placeholder(reason)

    def clear(self) -> None:
        """Forget the sample (another run)."""
        self._second_step.stop()
        self._drawn = None
        self._diagram.set_marked(None)
        self._code.setText("")
        self._picture.set_image(None, is_generated=True)

    def show_sample(self, code: NDArray[np.float32], image: NDArray[np.float32], step: int) -> None:
        """Show the code (latent_dim,) at once and the image (C, H, W) a little later."""
        self._drawn = (image, step)
        listed = ", ".join(f"{value:+.2f}".replace("-", "−") for value in code[:MAX_NUMBERS].tolist())
        more = ", …" if len(code) > MAX_NUMBERS else ""
        self._code.setText(f"z = ({listed}{more})")
        self._picture.set_image(None, is_generated=True)
        self._diagram.set_marked("z")
        self._second_step.start()

    def show_image(self) -> None:
        """Show the image of the newest sample."""
        if self._drawn is not None:
            image, step = self._drawn
            caption = self.tr("a draw · step {step}").format(step=f"{step:,}")
            self._picture.set_image(image, is_generated=True, caption=caption)
            self._diagram.set_marked("x")

    def stop(self) -> None:
        """Show what is due now; nothing moves while the page cannot be seen."""
        if self._second_step.isActive():
            self._second_step.stop()
            self.show_image()
