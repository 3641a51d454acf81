"""`RawImages`: what a source hands over before it is brought to one size and split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vae_explorer.errors import CancelledError

if TYPE_CHECKING:
    from vae_explorer.data.image_data import Provenance

Progress = Callable[[float, str], None]
"""Called with the share that is done, 0 to 1, and what is being done, in words."""
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class RawImages:
    """Images as the source has them.

    images: uint8 (N, C, H, W), values 0 to max_value; labels: int64 (N,), -1 where unknown, or None;
    factors: float32 (N, F) or None. n_own_train: the first n images are the source's own training split and the rest
    its test split; None where the source has no splits of its own. n_found: how many images there are, where only some
    of them were read for a preview.
    """

    images: NDArray[np.uint8]
    max_value: int
    provenance: Provenance
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    factors: NDArray[np.float32] | None = None
    factor_names: tuple[str, ...] = ()
    n_own_train: int | None = None
    n_found: int | None = None

    def with_images(self, images: NDArray[np.uint8], max_value: int, understood: list[str]) -> RawImages:
        """Return the same source with its images changed, and the sentences that say how."""
        provenance = replace(self.provenance, understood=(*self.provenance.understood, *understood))
        return replace(self, images=images, max_value=max_value, provenance=provenance)


def spread_places(n_images: int, n_places: int) -> NDArray[np.int64]:
    """Return up to `n_places` places from all over `n_images`, ascending, int64."""
    return np.unique(np.linspace(0, n_images - 1, min(n_places, n_images)).round().astype(np.int64))


@dataclass(frozen=True)
class Watcher:
    """Tells how far a long reading is, and stops it when it is cancelled."""

    on_progress: Progress | None = None
    is_cancelled: IsCancelled | None = None

    def report(self, share: float, text: str) -> None:
        """Pass on the progress; CancelledError when the person has asked to stop."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise CancelledError("Reading the images was cancelled.")
        if self.on_progress is not None:
            self.on_progress(min(1.0, share), text)
