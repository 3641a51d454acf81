"""`TileCache`: the decoded tiles that were looked at last, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from PySide6.QtGui import QImage

from vae_explorer.latent.tiles import Tile

LIMIT_BYTES = 1 << 26
OVERHEAD_BYTES = 1024
"""What an entry takes beside its pixels, about: tiles of 8 x 8 images have no more of these."""


class PlaneKey(NamedTuple):
    """What the pictures of a plane are decoded by. place: what tells the plane from others, see `plane_offset`."""

    step: int
    label: int | None
    draw_seed: int | None
    place: tuple[float, ...]


class TileCache:
    """Images by plane and tile; beyond `limit_bytes` those go that were not looked at for longest."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._images: OrderedDict[tuple[PlaneKey, Tile], QImage] = OrderedDict()
        self.n_bytes = 0
        """What the tiles take, at most the limit."""

    def __len__(self) -> int:
        return len(self._images)

    def has(self, key: PlaneKey, tile: Tile) -> bool:
        """Whether a tile is kept; asking does not count as looking."""
        return (key, tile) in self._images

    def find(self, key: PlaneKey, tile: Tile) -> QImage | None:
        """Return a tile that is looked at now, or None."""
        image = self._images.get((key, tile))
        if image is not None:
            self._images.move_to_end((key, tile))
        return image

    def put(self, key: PlaneKey, tile: Tile, image: QImage) -> None:
        """Keep a tile."""
        self._forget(key, tile)
        self._images[key, tile] = image
        self.n_bytes += _bytes_of(image)
        while self.n_bytes > self._limit_bytes:
            self._forget(*next(iter(self._images)))

    def keep_step(self, step: int) -> None:
        """Drop the tiles of all other steps: the weights have moved."""
        for key, tile in [entry for entry in self._images if entry[0].step != step]:
            self._forget(key, tile)

    def clear(self) -> None:
        """Drop everything."""
        self._images.clear()
        self.n_bytes = 0

    def _forget(self, key: PlaneKey, tile: Tile) -> None:
        image = self._images.pop((key, tile), None)
        if image is not None:
            self.n_bytes -= _bytes_of(image)


def _bytes_of(image: QImage) -> int:
    return image.sizeInBytes() + OVERHEAD_BYTES
