"""The colours of the map's points: by label, or by a figure along one ramp from little to much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from vae_explorer.gui.theme import Theme
from vae_explorer.latent.value_scale import LEVELS

ALPHA = 0.94
RIM_ALPHA = 0.45
SMALL = 1024
"""Labels below this are looked up."""
LIGHT_RAMP = ("#a6d8a0", "#4fb39b", "#2b7f93", "#2a4a83", "#1c1145")
DARK_RAMP = ("#4a4b8c", "#2f7fa0", "#35ad94", "#94d770", "#fbf3a1")
"""From little to much, after viridis: lightness goes one way all along, so that it reads without colour, and both ends
stand out from the ground."""


class PointColours:
    """The colours of points, ready for `rasterise`: disc, soft rim, and where one disc lies over another."""

    def __init__(self, colours: Sequence[str], ground: str, *, alpha: float = 1.0) -> None:
        """colours: one for each label from 0, or level, then one for all else; ground: what parts touching discs."""
        self.n_labels = len(colours) - 1
        self.discs = [QColor(name) for name in colours]
        self.ground, self.alpha = QColor(ground), alpha
        self._table = np.zeros(3 * (len(colours) + 1), dtype=np.uint32)
        for place, colour in enumerate(self.discs, start=1):
            self._table[3 * place] = premultiplied(colour, alpha)
            self._table[3 * place + 1] = premultiplied(colour, alpha * RIM_ALPHA)
            self._table[3 * place + 2] = premultiplied(_mixed(colour, self.ground, 0.5), alpha)

    def places(self, labels: NDArray[np.int64] | None, n_points: int) -> NDArray[np.uint8]:
        """Return each point's place in the table (n_points,); labels past the colours repeat them, -1 is the last."""
        last = self.n_labels + 1
        if labels is None or not len(labels):
            return np.full(n_points, last, dtype=np.uint8)
        if len(labels) > SMALL + 1 and int(labels.min()) >= -1 and int(labels.max()) < SMALL:
            # One look-up a point, -1 in the last place: a remainder of each takes five times as long.
            return self.places(np.append(np.arange(SMALL), -1), SMALL + 1).take(labels, mode="wrap")
        repeated = labels % max(self.n_labels, 1) + 1
        return np.where((labels < 0) | (self.n_labels == 0), last, repeated).astype(np.uint8)

    @property
    def table(self) -> NDArray[np.uint32]:
        """Premultiplied ARGB, three entries a place: disc, rim on the ground, rim on another disc."""
        return self._table


def class_colours(theme: Theme) -> PointColours:
    """Return the colours of classes."""
    return PointColours([*theme.classes, theme.muted], theme.surface, alpha=ALPHA)


def value_colours(theme: Theme) -> PointColours:
    """Return the colours of the levels of a scale, and the neutral one of what is not known."""
    return PointColours([*(colour.name() for colour in ramp(theme)), theme.muted], theme.surface, alpha=ALPHA)


def ramp(theme: Theme) -> list[QColor]:
    """Return the colours of all levels, from little to much."""
    stops = np.array([QColor(name).getRgb()[:3] for name in (DARK_RAMP if theme.is_dark else LIGHT_RAMP)])  # type: ignore[index]
    places, levels = np.linspace(0.0, 1.0, len(stops)), np.linspace(0.0, 1.0, LEVELS)
    parts = [np.rint(np.interp(levels, places, stops[:, part])).astype(int).tolist() for part in range(3)]
    return [QColor(*rgb) for rgb in zip(*parts, strict=True)]


def premultiplied(colour: QColor, alpha: float) -> int:
    """Return a colour of an opacity from 0 to 1 as one number of QImage's premultiplied ARGB format."""
    level = round(255 * alpha)
    red, green, blue = (round(part * alpha) for part in (colour.red(), colour.green(), colour.blue()))
    return (level << 24) | (red << 16) | (green << 8) | blue


def _mixed(colour: QColor, other: QColor, share: float) -> QColor:
    parts = zip(colour.getRgb()[:3], other.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(a + (b - a) * share) for a, b in parts))
