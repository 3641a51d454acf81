"""The selection that makes map, sliders and interpolation agree: one code, perhaps its image, and two end points."""

from __future__ import annotations

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


def initial_selection(latent_dim: int) -> Selection:
    """Return the origin as code, with end points at -1.5 and +1.5 on the first axis."""
    zero = np.zeros(latent_dim, dtype=np.float32)
    step = zero.copy()
    step[0] = 1.5
    return Selection(code=zero, end_a=-step, end_b=step)
