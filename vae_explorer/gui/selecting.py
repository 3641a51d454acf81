"""`SelectionModel`: what is looked at, how it changes, and the way back; the controller owns and forwards it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QObject, Signal, Slot

from vae_explorer.engine.messages import Encoded
from vae_explorer.gui.channel import Channel
from vae_explorer.gui.selection import Selection, SelectionHistory, initial_selection

Code = NDArray[np.float32]


class SelectionModel(QObject):
    """The selection of one window with its undo and redo.

    changed(Selection): emitted on real change only; `restart` is silent, as other things change with it.
    """

    changed = Signal(object)

    def __init__(self, images: Channel, code_of: Callable[[int], Code | None], parent: QObject) -> None:
        """images: where codes of images are asked for that `code_of`, by index, does not know."""
        super().__init__(parent)
        self._images, self._code_of = images, code_of
        self.selection: Selection = initial_selection(2)
        self._history = SelectionHistory(self.selection)
        images.answered.connect(self._on_image_encoded)

    def restart(self, latent_dim: int) -> None:
        """Forget image and history, and the codes as well where those of another model have other dimensions."""
        if latent_dim != self.selection.latent_dim:
            self.selection = initial_selection(latent_dim)
        else:
            self.selection = replace(self.selection, image=None)
        self._history = SelectionHistory(self.selection)

    # ---- choosing -------------------------------------------------------------------------------------------------

    def select_code(self, code: ArrayLike, *, image: int | None = None, is_final: bool = True) -> None:
        """Look at a code (latent_dim,). is_final: False while dragging, so that only the end enters the history."""
        self._change(replace(self.selection, code=self._as_code(code), image=image), is_final)

    def select_image(self, index: int) -> None:
        """Look at an image; where its code is not known, the engine is asked, and the code follows with the answer."""
        known = self._code_of(index)
        if known is None:
            self._images.encode(index)
            known = self.selection.code
        self._change(replace(self.selection, code=known, image=index), True)

    def set_end(self, which: Literal["a", "b"], code: ArrayLike, *, is_final: bool = True) -> None:
        """Move an end point of the interpolation."""
        value = self._as_code(code)
        ends = replace(self.selection, end_a=value) if which == "a" else replace(self.selection, end_b=value)
        self._change(ends, is_final)

    def swap_ends(self) -> None:
        """Exchange A and B."""
        self._change(replace(self.selection, end_a=self.selection.end_b, end_b=self.selection.end_a), True)

    def set_path(self, path: Literal["linear", "spherical"]) -> None:
        """Choose the shape of the path between A and B."""
        if path != self.selection.path:
            self._change(replace(self.selection, path=path), True)

    # ---- back and forward -----------------------------------------------------------------------------------------

    def go_back(self) -> None:
        """Undo the last change."""
        self._show(self._history.go_back() or self.selection)

    def go_forward(self) -> None:
        """Redo a change that was undone."""
        self._show(self._history.go_forward() or self.selection)

    @property
    def can_go_back(self) -> bool:
        """Whether `go_back` would do something."""
        return self._history.can_go_back

    @property
    def can_go_forward(self) -> bool:
        """Whether `go_forward` would do something."""
        return self._history.can_go_forward

    # ---- inside ---------------------------------------------------------------------------------------------------

    def _as_code(self, code: ArrayLike) -> Code:
        value = np.array(code, dtype=np.float32).reshape(-1)
        if len(value) != self.selection.latent_dim or not np.isfinite(value).all():
            raise ValueError(f"a code has {self.selection.latent_dim} finite numbers, got {code!r}")
        value.flags.writeable = False
        return value

    def _change(self, selection: Selection, is_final: bool) -> None:
        if is_final:
            self._history.settle(selection)
        self._show(selection)

    def _show(self, selection: Selection) -> None:
        if not selection.same_as(self.selection):
            self.selection = selection
            self.changed.emit(selection)

    @Slot(object)
    def _on_image_encoded(self, answer: Encoded) -> None:
        if self.selection.image is not None and self.selection.image == int(answer.indices[0]):
            selection = replace(self.selection, code=self._as_code(answer.loc[0]))
            self._history.amend(selection)
            self._show(selection)
