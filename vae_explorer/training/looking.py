"""`Looking`: what a model that is being trained answers between two updates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vae_explorer.objective.reading import SAMPLES, CodesArrays, EncodedArrays, FrozenModel, ModelReader


class Looking:
    """Questions to the weights of now, of a run of its own or of one of a sweep; looking changes nothing."""

    def _looking(self) -> ModelReader:
        """Return the reader of the weights of now, with their step."""
        raise NotImplementedError

    def decode(
        self, z: NDArray[np.float32], *, draw_seed: int | None = None, label: int | None = None
    ) -> NDArray[np.float32]:
        """As `ModelReader.decode`, with the weights of now."""
        return self._looking().decode(z, draw_seed=draw_seed, label=label)

    def encode(
        self, indices: NDArray[np.int64], *, samples: int = SAMPLES, seed: int = 0, draw_seed: int | None = None
    ) -> EncodedArrays:
        """As `ModelReader.encode`, with the weights of now."""
        return self._looking().encode(indices, samples=samples, seed=seed, draw_seed=draw_seed)

    def codes(self, indices: NDArray[np.int64]) -> CodesArrays:
        """As `ModelReader.codes`, with the weights of now."""
        return self._looking().codes(indices)

    def frozen(self) -> FrozenModel:
        """Return a copy of the weights of now that may be asked from any thread."""
        return FrozenModel.of(self._looking())
