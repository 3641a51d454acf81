"""Render vae-explorer.svg to the PNG that window managers take: python resources/icons/make_png.py."""

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

folder = Path(__file__).parent
app = QGuiApplication([])
image = QImage(128, 128, QImage.Format.Format_ARGB32)
image.fill(0)
painter = QPainter(image)
QSvgRenderer(str(folder / "vae-explorer.svg")).render(painter)
painter.end()
image.save(str(folder / "vae-explorer.png"))
