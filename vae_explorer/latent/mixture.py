"""Gaussian mixtures, and EM step by step: the latent variable model that one can solve (Dempster et al. 1977)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Covariance = Literal["full", "tied", "diagonal", "spherical"]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """weights (K,), positive, their sum 1; means (K, d); covariances (K, d, d), whatever their kind; float64."""

    weights: Float
    means: Float
    covariances: Float
    kind: Covariance = "full"
    floor: float = 1e-6
    """Least eigenvalue of a covariance: smaller ones are clipped to it, the exact constrained maximiser."""
