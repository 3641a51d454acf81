"""`PlaneFeed`: asks for those tiles of the decoded plane behind the map that are in view and not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage

from vae_explorer.engine.messages import SMALL_BATCH, Decoded, EngineState
from vae_explorer.gui.controller import ModelController
from vae_explorer.gui.widgets.latent_view import LatentView
from vae_explorer.gui.widgets.plane_grid import Extent, grid_of, plane_image
from vae_explorer.gui.widgets.plane_layer import Plane, sight_of
from vae_explorer.gui.widgets.tile_cache import PlaneKey, TileCache
from vae_explorer.gui.widgets.view_frame import ViewFrame
from vae_explorer.latent.tiles import PICTURES, Pyramid, Sight, Tile, ahead, needed, whole

TILES_A_QUESTION = SMALL_BATCH // PICTURES
"""As many as the engine answers at once, within one slice."""


@dataclass(frozen=True)
class _Question:
    """Tiles that were asked for. key.step: the newest step that was known then; the answer's may be a later one."""

    key: PlaneKey
    pyramid: Pyramid
    sight: Sight
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A stored plane, which lies on no level of the pyramid."""

    key: PlaneKey
    image: QImage
    extent: Extent


class PlaneFeed(QObject):
    """Questions on channel 'plane', never more than one under way; tiles that went out of view are not asked for.

    What is shown is always of one step. Where the weights stand still, tiles are asked for a slice at a time, coarse
    ones first, and shown as they come. When the weights have moved (or the class, the draw or the plane's place has
    changed), the tiles that fill the view are asked for in one question, which the engine works in slices from one
    step's weights within the budget of live views; the old ones are shown until the answer is there, then dropped.
    An answer to no question (a plane that is stored with the run) is placed by its codes and shown under the tiles.

    shown(Plane, int): a plane, or what has come to the one that is shown, and the step of its weights.
    """

    shown = Signal(object, int)

    def __init__(self, controller: ModelController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._channel = controller.channel("plane")
        self._channel.answered.connect(self._on_answered)
        self._channel.failed.connect(self._on_failed)
        self._cache = TileCache()
        self._view: LatentView | None = None
        self._frame: ViewFrame | None = None
        self._pending: dict[int, _Question] = {}
        self._asked_live: tuple[PlaneKey, tuple[Tile, ...]] | None = None
        self._shown: PlaneKey | None = None
        self._sheet: _Sheet | None = None
        self._step = -1
        self.is_on = False

    def want(self, view: LatentView, frame: ViewFrame) -> None:
        """Ask for what this view and frame lack, unless an answer is still to come; what is kept is shown at once."""
        self._view, self._frame = view, frame
        codes, data = self._controller.codes, self._controller.data
        if not self.is_on or data is None or self._controller.opened is None:
            return
        if codes is not None:
            self._step = max(self._step, codes.step)
        key = PlaneKey(self._step, self._controller.label, self._controller.draw_seed, _place_of(view))
        if any(_is_same_kind(question.key, key) for question in self._pending.values()):
            return
        pyramid = Pyramid(data.shape, view.is_line)
        sight = sight_of(frame, pyramid)
        if self._is_training:
            self._ask_live(key, pyramid, sight)
        elif self._shown in (None, key):
            self._ask_missing(key, pyramid, sight)
        else:
            self._ask_whole(key, pyramid, sight)

    def follow(self, view: LatentView, frame: ViewFrame) -> None:
        """Take a view that is being moved. While it trains nothing is asked for it: the next snapshot brings it."""
        self._view, self._frame = view, frame
        if not self._is_training:
            self.want(view, frame)

    def clear(self) -> None:
        """Show nothing and wait for nothing (other axes); tiles are kept."""
        self._pending.clear()
        self._shown = self._sheet = self._asked_live = None

    def forget(self) -> None:
        """Begin anew: another model."""
        self.clear()
        self._cache.clear()
        self._step = -1

    # ---- what to ask for ------------------------------------------------------------------------------------------

    @property
    def _is_training(self) -> bool:
        status = self._controller.status
        return status is not None and status.state is EngineState.RUNNING

    def _ask_live(self, key: PlaneKey, pyramid: Pyramid, sight: Sight) -> None:
        """While it trains: all that is in view, once a snapshot, since each answer is of a newer step than the last."""
        codes = self._controller.codes
        key = key._replace(step=-1 if codes is None else codes.step)
        tiles = tuple(whole(pyramid, sight))
        if self._asked_live != (key, tiles):
            self._asked_live = (key, tiles)
            self._ask(_Question(key, pyramid, sight, tiles))

    def _ask_missing(self, key: PlaneKey, pyramid: Pyramid, sight: Sight) -> None:
        """For the plane that is shown, or where there is none: a slice's worth of what the view lacks most."""
        has = partial(self._cache.has, key)
        if self._shown is None and any(map(has, pyramid.cover(pyramid.level(sight), sight))):
            self._show(key, pyramid)
        missing = needed(pyramid, sight, has)
        if self._is_on_sheet(key, sight):
            missing = [tile for tile in missing if tile.level == pyramid.level(sight)]
        missing = missing or ahead(pyramid, sight, has)
        if missing:
            self._ask(_Question(key, pyramid, sight, tuple(missing[:TILES_A_QUESTION])))

    def _ask_whole(self, key: PlaneKey, pyramid: Pyramid, sight: Sight) -> None:
        """For another plane than the one that is shown: all that the view lacks of it, or none if it is kept."""
        missing = needed(pyramid, sight, partial(self._cache.has, key))
        if missing:
            self._ask(_Question(key, pyramid, sight, tuple(missing)))
        else:
            self._show(key, pyramid)
            self._ask_missing(key, pyramid, sight)

    def _ask(self, question: _Question) -> None:
        assert self._view is not None
        codes = self._view.basis.lift(question.pyramid.centres(list(question.tiles)))
        seed = _seed_of(question.key.draw_seed, question.tiles[0])
        id_ = self._channel.decode(codes, draw_seed=seed, label=question.key.label, is_8_bit=True)
        self._pending[id_] = question

    def _is_on_sheet(self, key: PlaneKey, sight: Sight) -> bool:
        """Whether a stored plane lies under all that is in view, so that no coarse tiles are needed."""
        if self._sheet is None or self._sheet.key != key:
            return False
        x0, x1, y0, y1 = self._sheet.extent
        return x0 <= sight.x_range[0] and sight.x_range[1] <= x1 and y0 <= sight.y_range[0] and sight.y_range[1] <= y1

    # ---- what comes -----------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_answered(self, answer: Decoded) -> None:
        question = self._pending.get(answer.id)
        self._pending = {id_: asked for id_, asked in self._pending.items() if id_ > answer.id}
        if question is not None:
            self._take(answer, question)
        elif answer.id == 0:
            self._take_stored(answer)
        if self._view is not None and self._frame is not None:
            self.want(self._view, self._frame)

    def _take(self, answer: Decoded, question: _Question) -> None:
        pyramid, key = question.pyramid, question.key._replace(step=answer.step)
        self._step = max(self._step, answer.step)
        for place, tile in enumerate(question.tiles):
            images = answer.images[place * PICTURES : (place + 1) * PICTURES]
            self._cache.put(key, tile, _kept(plane_image(images, *pyramid.shape), pyramid))
        if self._is_better(key, question):
            self._show(key, pyramid)

    def _is_better(self, key: PlaneKey, question: _Question) -> bool:
        """Whether a plane is to be shown from now on: it fills the view of the question, or there was none."""
        if (key.label, key.draw_seed) != (self._controller.label, self._controller.draw_seed):
            return False  # the class was changed meanwhile
        if self._shown is None or self._shown == key:
            return True
        is_full = not needed(question.pyramid, question.sight, partial(self._cache.has, key))
        return is_full and key.step >= self._shown.step

    def _take_stored(self, answer: Decoded) -> None:
        view, data = self._view, self._controller.data
        if view is None or data is None or answer.z.shape[1] != view.latent_dim:
            return
        grid = grid_of(view.basis.project(answer.z))
        if grid is not None:
            self._step = max(self._step, answer.step)
            key = PlaneKey(answer.step, None, None, _place_of(view))
            self._sheet = _Sheet(key, plane_image(answer.images, grid.ny, grid.nx), grid.extent)
            self._show(key, Pyramid(data.shape, view.is_line))

    def _show(self, key: PlaneKey, pyramid: Pyramid) -> None:
        self._shown = key
        self._cache.keep_step(key.step)
        if self._sheet is not None and self._sheet.key != key:
            self._sheet = None
        plane = Plane(pyramid, partial(self._cache.find, key))
        if self._sheet is not None:
            plane = Plane(pyramid, plane.find, self._sheet.image, self._sheet.extent)
        self.shown.emit(plane, key.step)

    @Slot(str)
    def _on_failed(self, message: str) -> None:
        # What is shown stays; the next settled view or snapshot asks again.
        self._pending.clear()
        self._asked_live = None


def _place_of(view: LatentView) -> tuple[float, ...]:
    """Return what tells a plane from others; rounded, since a click within it moves it by rounding errors."""
    return tuple(np.round(view.plane_offset(), 4).tolist())


def _kept(image: QImage, pyramid: Pyramid) -> QImage:
    """Return a tile's image with pictures of the size that they are kept in."""
    (rows, cols), (height, width) = pyramid.shape, pyramid.kept_size
    size = QSize(cols * width, rows * height)
    if image.size() == size:
        return image
    return image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)


def _is_same_kind(one: PlaneKey, other: PlaneKey) -> bool:
    """Whether pictures are alike but for step and place, so that a new question can wait for the answer."""
    return (one.label, one.draw_seed) == (other.label, other.draw_seed)


def _seed_of(draw_seed: int | None, tile: Tile) -> int | None:
    """Return the seed of a question's draws, so that not every one repeats the same noise."""
    if draw_seed is None:
        return None
    return (draw_seed + 7919 * tile.level + 104_729 * tile.ix + 1_299_709 * tile.iy) % 2**31
