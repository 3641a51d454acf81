"""The selection that makes map, sliders and interpolation agree: one code, perhaps its image, and two end points."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Selection:
    """code: float32 (latent_dim,), the place that is looked at; image: the index of the image it belongs to, if one
    was picked; end_a, end_b: float32 (latent_dim,), the ends of the interpolation path; path: its shape."""

    code: NDArray[np.float32]
    end_a: NDArray[np.float32]
    end_b: NDArray[np.float32]
    image: int | None = None
    path: Literal["linear", "spherical"] = "linear"

    @property
    def latent_dim(self) -> int:
        """How many numbers a code has."""
        return len(self.code)

    def same_as(self, other: Selection | None) -> bool:
        """Whether nothing that a panel shows would differ."""
        return (
            other is not None
            and (self.image, self.path) == (other.image, other.path)
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("code", "end_a", "end_b"))
        )


class SelectionHistory:
    """Undo and redo of the selection: what was looked at before, and what was undone since.

    A change while dragging is shown but not settled; only settled selections are gone back to.
    """

    def __init__(self, first: Selection, *, limit: int = 200) -> None:
        self._settled = first
        self._back: deque[Selection] = deque(maxlen=limit)
        self._forward: list[Selection] = []

    @property
    def can_go_back(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._back)

    @property
    def can_go_forward(self) -> bool:
        """Whether there is something to redo."""
        return bool(self._forward)

    def settle(self, selection: Selection) -> None:
        """Enter a selection; the one that was settled before can be gone back to. The same one again is no change."""
        if selection.same_as(self._settled):
            return
        self._back.append(self._settled)
        self._forward.clear()
        self._settled = selection

    def amend(self, selection: Selection) -> None:
        """Replace the settled selection without an entry of its own (a late detail of it has arrived)."""
        self._settled = selection

    def go_back(self) -> Selection | None:
        """Return the selection before the settled one, which can be gone forward to; None when there is none."""
        if not self._back:
            return None
        self._forward.append(self._settled)
        self._settled = self._back.pop()
        return self._settled

    def go_forward(self) -> Selection | None:
        """Return the selection that was gone back from; None when there is none."""
        if not self._forward:
            return None
        self._back.append(self._settled)
        self._settled = self._forward.pop()
        return self._settled


def initial_selection(latent_dim: int) -> Selection:
    """Return the origin as code, with end points at -1.5 and +1.5 on the first axis."""
    zero = np.zeros(latent_dim, dtype=np.float32)
    step = zero.copy()
    step[0] = 1.5
    return Selection(code=zero, end_a=-step, end_b=step)
